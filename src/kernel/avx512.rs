//! AVX-512F and BW: sixteen numbers are one register. With VBMI, too, a table of the trellis is looked up in registers.
#![allow(unsafe_code)]

use std::arch::x86_64::{
    __m128i, __m256i, __m512, __m512i, _mm_loadu_si128, _mm256_loadu_si256, _mm512_and_si512, _mm512_andnot_si512,
    _mm512_broadcast_i32x4, _mm512_castpd_ps, _mm512_castps_pd, _mm512_castps_si512, _mm512_castsi512_ps,
    _mm512_cvtepi8_epi32, _mm512_cvtepi32_ps, _mm512_cvtepu16_epi32, _mm512_cvtph_ps, _mm512_fmadd_ps,
    _mm512_i32gather_ps, _mm512_loadu_ps, _mm512_loadu_si512, _mm512_mask_blend_epi8, _mm512_mask_blend_epi32,
    _mm512_mask_blend_ps, _mm512_movepi8_mask, _mm512_movm_epi8, _mm512_mul_ps, _mm512_permutex2var_epi8,
    _mm512_permutex2var_ps, _mm512_permutexvar_ps, _mm512_set1_epi8, _mm512_set1_epi32, _mm512_set1_ps,
    _mm512_shuffle_epi8, _mm512_shuffle_f32x4, _mm512_slli_epi32, _mm512_srai_epi32, _mm512_srli_epi32,
    _mm512_srlv_epi32, _mm512_storeu_ps, _mm512_sub_epi8, _mm512_ternarylogic_epi32, _mm512_test_epi8_mask,
    _mm512_test_epi32_mask, _mm512_unpackhi_pd, _mm512_unpackhi_ps, _mm512_unpacklo_pd, _mm512_unpacklo_ps,
    _mm512_xor_si512,
};

use half::{bf16, f16};

use super::{
    codes::{Mirrored, Table, Unpacking},
    packed::PANEL_WIDTH,
    simd::{Kernel, Simd},
    tile::Block,
};

/// The proof that the machine has AVX-512F and AVX-512BW, and AVX-512VBMI if it says so: made by [`detect`](Self::detect) only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Avx512<const VBMI: bool>(());

impl<const VBMI: bool> Avx512<VBMI> {
    pub(super) fn detect() -> Option<Self> {
        let detected = is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && (!VBMI || is_x86_feature_detected!("avx512vbmi"));
        detected.then_some(Self(()))
    }
}

/// Registers of half a mirrored table.
const TABLE_REGISTERS: usize = Mirrored::HALF / 64;

impl<const VBMI: bool> Simd for Avx512<VBMI> {
    const NAME: &'static str = "avx512";
    type Line = __m512;
    type Splat = __m512;
    type Unpacking = (__m512i, __m512i);
    type Codes = __m512i;
    type Mirrored = ([__m512i; TABLE_REGISTERS], __m512, Table<'static>);

    #[inline(always)]
    fn zero(self) -> __m512 {
        // SAFETY: `self` proves AVX-512F.
        unsafe { _mm512_set1_ps(0.0) }
    }

    #[inline(always)]
    fn load(self, line: &[f32; PANEL_WIDTH]) -> __m512 {
        // SAFETY: `self` proves AVX-512F; the load reads sixteen numbers.
        unsafe { _mm512_loadu_ps(line.as_ptr()) }
    }

    #[inline(always)]
    fn load_f16(self, line: &[f16; PANEL_WIDTH]) -> __m512 {
        // SAFETY: `self` proves AVX, which is part of AVX-512F; the load reads the 32 bytes of sixteen numbers.
        let line: __m256i = unsafe { _mm256_loadu_si256(line.as_ptr().cast()) };
        // SAFETY: `self` proves AVX-512F.
        unsafe { _mm512_cvtph_ps(line) }
    }

    #[inline(always)]
    fn load_bf16(self, line: &[bf16; PANEL_WIDTH]) -> __m512 {
        // SAFETY: `self` proves AVX, which is part of AVX-512F; the load reads the 32 bytes of sixteen numbers.
        let line: __m256i = unsafe { _mm256_loadu_si256(line.as_ptr().cast()) };
        // SAFETY: `self` proves AVX-512F.
        let wide = unsafe { _mm512_cvtepu16_epi32(line) };
        // SAFETY: the same.
        let upper = unsafe { _mm512_slli_epi32(wide, 16) };
        // SAFETY: the same.
        unsafe { _mm512_castsi512_ps(upper) }
    }

    #[inline(always)]
    fn load_i8(self, line: &[i8; PANEL_WIDTH]) -> __m512 {
        // SAFETY: SSE2 is part of every x86-64; the load reads the sixteen bytes.
        let line: __m128i = unsafe { _mm_loadu_si128(line.as_ptr().cast()) };
        // SAFETY: `self` proves AVX-512F.
        let wide = unsafe { _mm512_cvtepi8_epi32(line) };
        // SAFETY: the same.
        unsafe { _mm512_cvtepi32_ps(wide) }
    }

    #[inline(always)]
    fn store(self, value: __m512, line: &mut [f32; PANEL_WIDTH]) {
        // SAFETY: `self` proves AVX-512F; the store writes sixteen numbers.
        unsafe { _mm512_storeu_ps(line.as_mut_ptr(), value) };
    }

    #[inline(always)]
    fn splat(self, value: f32) -> __m512 {
        // SAFETY: `self` proves AVX-512F.
        unsafe { _mm512_set1_ps(value) }
    }

    #[inline(always)]
    fn mul(self, factor: __m512, line: __m512) -> __m512 {
        // SAFETY: `self` proves AVX-512F.
        unsafe { _mm512_mul_ps(factor, line) }
    }

    #[inline(always)]
    fn mul_add(self, factor: __m512, line: __m512, sum: __m512) -> __m512 {
        // SAFETY: `self` proves AVX-512F.
        unsafe { _mm512_fmadd_ps(factor, line, sum) }
    }

    #[inline(always)]
    fn mul_add_lines(self, a: __m512, b: __m512, sum: __m512) -> __m512 {
        // SAFETY: `self` proves AVX-512F.
        unsafe { _mm512_fmadd_ps(a, b, sum) }
    }

    #[inline(always)]
    fn transpose(self, lines: [__m512; PANEL_WIDTH]) -> [__m512; PANEL_WIDTH] {
        // SAFETY: `self` proves AVX-512F.
        unsafe { transpose(lines) }
    }

    #[inline(always)]
    fn unpacking(self, unpacking: &'static Unpacking) -> (__m512i, __m512i) {
        // SAFETY: `self` proves AVX-512F; the load reads the 64 bytes of sixteen times four indices.
        let bytes = unsafe { _mm512_loadu_si512(unpacking.bytes.as_ptr().cast()) };
        // SAFETY: the same; the load reads sixteen numbers.
        let shifts = unsafe { _mm512_loadu_si512(unpacking.shifts.as_ptr().cast()) };
        (bytes, shifts)
    }

    #[inline(always)]
    fn unpack(self, (indices, shifts): (__m512i, __m512i), bytes: &[u8; 16]) -> __m512i {
        // SAFETY: SSE2 is part of every x86-64; the load reads the sixteen bytes.
        let bytes: __m128i = unsafe { _mm_loadu_si128(bytes.as_ptr().cast()) };
        // SAFETY: `self` proves AVX-512F.
        let bytes = unsafe { _mm512_broadcast_i32x4(bytes) };
        // SAFETY: `self` proves AVX-512BW.
        let numbers = unsafe { _mm512_shuffle_epi8(bytes, indices) };
        // SAFETY: `self` proves AVX-512F.
        unsafe { _mm512_srlv_epi32(numbers, shifts) }
    }

    #[inline(always)]
    fn permute(self, levels: __m512, codes: __m512i) -> __m512 {
        // SAFETY: `self` proves AVX-512F. The instruction ignores the upper bits.
        unsafe { _mm512_permutexvar_ps(codes, levels) }
    }

    #[inline(always)]
    fn permute_two(self, [low, high]: [__m512; 2], codes: __m512i) -> __m512 {
        // SAFETY: the same.
        unsafe { _mm512_permutex2var_ps(low, codes, high) }
    }

    #[inline(always)]
    fn look_up(self, table: Table<'_>, codes: __m512i) -> __m512 {
        // As long as they fit in registers, permutations are faster than a gather.
        if let (lines, []) = table.levels().as_chunks() {
            if let [a, b, c, d] = lines {
                // SAFETY: `self` proves AVX-512F.
                return unsafe { permute_four([a, b, c, d], codes) };
            }
            if let [a, b, c, d, e, f, g, h] = lines {
                // SAFETY: the same.
                return unsafe { permute_eight([a, b, c, d, e, f, g, h], codes) };
            }
            if let [low @ .., _, _, _, _, _, _, _, _] = lines
                && let ([a, b, c, d, e, f, g, h], [i, j, k, l, m, n, o, p]) = (low, &lines[low.len()..])
            {
                let low = [a, b, c, d, e, f, g, h];
                // SAFETY: the same.
                return unsafe { permute_sixteen([low, [i, j, k, l, m, n, o, p]], codes) };
            }
        }
        // SAFETY: `self` proves AVX-512F.
        let mask = unsafe { _mm512_set1_epi32(table.mask() as i32) };
        // SAFETY: the same.
        let indices = unsafe { _mm512_and_si512(codes, mask) };
        // SAFETY: the same; every index is one of the table, whose length is one more than the mask.
        unsafe { _mm512_i32gather_ps::<4>(indices, table.levels().as_ptr()) }
    }

    #[inline(always)]
    fn mirrored(self, table: &'static Mirrored) -> Self::Mirrored {
        let registers = bytemuck::cast_ref::<_, [[i8; 64]; TABLE_REGISTERS]>(table.half()).each_ref().map(|bytes| {
            // SAFETY: `self` proves AVX-512F; the load reads the 64 bytes of a register.
            unsafe { _mm512_loadu_si512(bytes.as_ptr().cast()) }
        });
        // A number is the highest byte of an integer when it becomes a float.
        (registers, self.splat(table.unit() / (1 << 24) as f32), table.whole())
    }

    #[inline(always)]
    fn look_up_mirrored(self, (half, unit, whole): Self::Mirrored, codes: __m512i) -> __m512 {
        if !VBMI {
            return self.look_up(whole, codes);
        }
        // SAFETY: `self` proves AVX-512F, BW and VBMI.
        unsafe { look_up_mirrored(half, unit, codes) }
    }

    #[inline(always)]
    fn look_up_mirrored_four(self, (half, unit, whole): Self::Mirrored, codes: [__m512i; 4]) -> [__m512; 4] {
        if !VBMI {
            let [a, b, c, d] = codes;
            return [self.look_up(whole, a), self.look_up(whole, b), self.look_up(whole, c), self.look_up(whole, d)];
        }
        // SAFETY: `self` proves AVX-512F, BW and VBMI.
        unsafe { look_up_mirrored_four(half, unit, codes) }
    }

    #[inline(always)]
    fn multiply_block(self, block: &Block<'_>) {
        block.multiply::<Self, 6, 4, 8, 8, 4, 4, 4>(self);
    }

    fn run<K: Kernel>(self, kernel: K) -> K::Output {
        #[target_feature(enable = "avx512f,avx512bw")]
        fn with_features<K: Kernel, const VBMI: bool>(isa: Avx512<VBMI>, kernel: K) -> K::Output {
            kernel.run(isa)
        }
        #[target_feature(enable = "avx512f,avx512bw,avx512vbmi")]
        fn with_vbmi<K: Kernel, const VBMI: bool>(isa: Avx512<VBMI>, kernel: K) -> K::Output {
            kernel.run(isa)
        }
        if VBMI {
            // SAFETY: `self` proves AVX-512F, AVX-512BW and AVX-512VBMI.
            unsafe { with_vbmi(self, kernel) }
        } else {
            // SAFETY: `self` proves AVX-512F and AVX-512BW.
            unsafe { with_features(self, kernel) }
        }
    }
}

/// Numbers c % 64 of the lines.
#[target_feature(enable = "avx512f")]
#[inline]
fn permute_four(lines: [&[f32; PANEL_WIDTH]; 4], codes: __m512i) -> __m512 {
    // SAFETY: the loads read sixteen numbers each.
    let [a, b, c, d] = lines.map(|line| unsafe { _mm512_loadu_ps(line.as_ptr()) });
    let upper = _mm512_test_epi32_mask(codes, _mm512_set1_epi32(1 << 5));
    let (low, high) = (_mm512_permutex2var_ps(a, codes, b), _mm512_permutex2var_ps(c, codes, d));
    _mm512_mask_blend_ps(upper, low, high)
}

/// Numbers c % 128 of the lines.
#[target_feature(enable = "avx512f")]
#[inline]
fn permute_eight([a, b, c, d, e, f, g, h]: [&[f32; PANEL_WIDTH]; 8], codes: __m512i) -> __m512 {
    let upper = _mm512_test_epi32_mask(codes, _mm512_set1_epi32(1 << 6));
    _mm512_mask_blend_ps(upper, permute_four([a, b, c, d], codes), permute_four([e, f, g, h], codes))
}

/// Numbers c % 256 of the lines.
#[target_feature(enable = "avx512f")]
#[inline]
fn permute_sixteen([low, high]: [[&[f32; PANEL_WIDTH]; 8]; 2], codes: __m512i) -> __m512 {
    let upper = _mm512_test_epi32_mask(codes, _mm512_set1_epi32(1 << 7));
    _mm512_mask_blend_ps(upper, permute_eight(low, codes), permute_eight(high, codes))
}

/// Numbers c % 1024 of a mirrored table, of which the first half is given.
///
/// ```text
/// if bit 9 of c is set: −half[!c % 512] else half[c % 512]
/// ```
///
/// Each pair of registers is a table of 128 bytes that is looked up with the lowest seven bits; bits 7 and 8 choose among the
/// four. Only the lowest byte of each number counts, which then becomes the highest.
#[target_feature(enable = "avx512f,avx512bw,avx512vbmi")]
#[inline]
fn look_up_mirrored(half: [__m512i; TABLE_REGISTERS], unit: __m512, codes: __m512i) -> __m512 {
    // Bit 9 becomes the sign.
    let sign = _mm512_slli_epi32::<22>(codes);
    let codes = _mm512_xor_si512(codes, _mm512_srai_epi32::<31>(sign));
    let quarter = |i: usize| _mm512_permutex2var_epi8(half[2 * i], codes, half[2 * i + 1]);
    let odd = _mm512_test_epi32_mask(codes, _mm512_set1_epi32(1 << 7));
    let upper = _mm512_test_epi32_mask(codes, _mm512_set1_epi32(1 << 8));
    let low = _mm512_mask_blend_epi32(odd, quarter(0), quarter(1));
    let high = _mm512_mask_blend_epi32(odd, quarter(2), quarter(3));
    let number = _mm512_slli_epi32::<24>(_mm512_mask_blend_epi32(upper, low, high));
    let value = _mm512_castps_si512(_mm512_mul_ps(_mm512_cvtepi32_ps(number), unit));
    let sign = _mm512_and_si512(sign, _mm512_set1_epi32(i32::MIN));
    _mm512_castsi512_ps(_mm512_xor_si512(value, sign))
}

/// The same of the codes of four rows: 64 bytes are as quickly looked up as sixteen.
///
/// The four bytes of a lane are those of the rows: bits 0 to 7 of their codes in one register, bits 8 and 9 in another.
#[target_feature(enable = "avx512f,avx512bw,avx512vbmi")]
#[inline]
fn look_up_mirrored_four(half: [__m512i; TABLE_REGISTERS], unit: __m512, [a, b, c, d]: [__m512i; 4]) -> [__m512; 4] {
    let below = |bits: i32| _mm512_set1_epi32((1 << bits) - 1);
    // The bits below from the first one, those above from the second.
    let select = |bits, low, high| _mm512_ternarylogic_epi32::<0xca>(below(bits), low, high);
    let low = select(16, select(8, a, _mm512_slli_epi32::<8>(b)), _mm512_slli_epi32::<16>(c));
    let low = select(24, low, _mm512_slli_epi32::<24>(d));
    let high = select(16, select(8, _mm512_srli_epi32::<8>(a), b), _mm512_slli_epi32::<8>(c));
    let high = select(24, high, _mm512_slli_epi32::<16>(d));
    let flips = _mm512_movm_epi8(_mm512_test_epi8_mask(high, _mm512_set1_epi8(1 << 1)));
    let (low, high) = (_mm512_xor_si512(low, flips), _mm512_xor_si512(high, flips));
    let quarter = |i: usize| _mm512_permutex2var_epi8(half[2 * i], low, half[2 * i + 1]);
    let odd = _mm512_movepi8_mask(low);
    let upper = _mm512_test_epi8_mask(high, _mm512_set1_epi8(1));
    let first = _mm512_mask_blend_epi8(odd, quarter(0), quarter(1));
    let second = _mm512_mask_blend_epi8(odd, quarter(2), quarter(3));
    let numbers = _mm512_mask_blend_epi8(upper, first, second);
    let numbers = _mm512_sub_epi8(_mm512_xor_si512(numbers, flips), flips);
    let highest = |numbers| _mm512_andnot_si512(below(24), numbers);
    let value = |highest| _mm512_mul_ps(_mm512_cvtepi32_ps(highest), unit);
    [
        value(_mm512_slli_epi32::<24>(numbers)),
        value(highest(_mm512_slli_epi32::<16>(numbers))),
        value(highest(_mm512_slli_epi32::<8>(numbers))),
        value(highest(numbers)),
    ]
}

/// Four rounds, each of which swaps the off-diagonal quarters of ever larger squares: pairs of lines, pairs of pairs, and
/// then whole quarters of registers.
#[target_feature(enable = "avx512f")]
#[inline]
fn transpose(lines: [__m512; PANEL_WIDTH]) -> [__m512; PANEL_WIDTH] {
    // Columns {0, 1, 2, 3} + 4·quarter of lines 4·q … 4·q + 3, transposed within each quarter of a register.
    let mut quads = lines;
    for q in 0..4 {
        let [a, b, c, d] = [lines[4 * q], lines[4 * q + 1], lines[4 * q + 2], lines[4 * q + 3]];
        let (ab_low, ab_high) = (_mm512_unpacklo_ps(a, b), _mm512_unpackhi_ps(a, b));
        let (cd_low, cd_high) = (_mm512_unpacklo_ps(c, d), _mm512_unpackhi_ps(c, d));
        let pair = |ab: __m512, cd: __m512| {
            let (ab, cd) = (_mm512_castps_pd(ab), _mm512_castps_pd(cd));
            [_mm512_castpd_ps(_mm512_unpacklo_pd(ab, cd)), _mm512_castpd_ps(_mm512_unpackhi_pd(ab, cd))]
        };
        [quads[4 * q], quads[4 * q + 1]] = pair(ab_low, cd_low);
        [quads[4 * q + 2], quads[4 * q + 3]] = pair(ab_high, cd_high);
    }
    let mut columns = lines;
    for j in 0..4 {
        let [a, b, c, d] = [quads[j], quads[4 + j], quads[8 + j], quads[12 + j]];
        // Quarters 0 and 2, and 1 and 3, of lines a, b and of c, d.
        let (ab_even, ab_odd) = (_mm512_shuffle_f32x4::<0x88>(a, b), _mm512_shuffle_f32x4::<0xdd>(a, b));
        let (cd_even, cd_odd) = (_mm512_shuffle_f32x4::<0x88>(c, d), _mm512_shuffle_f32x4::<0xdd>(c, d));
        columns[j] = _mm512_shuffle_f32x4::<0x88>(ab_even, cd_even);
        columns[4 + j] = _mm512_shuffle_f32x4::<0x88>(ab_odd, cd_odd);
        columns[8 + j] = _mm512_shuffle_f32x4::<0xdd>(ab_even, cd_even);
        columns[12 + j] = _mm512_shuffle_f32x4::<0xdd>(ab_odd, cd_odd);
    }
    columns
}
