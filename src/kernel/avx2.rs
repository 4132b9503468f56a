//! AVX2, FMA and F16C: sixteen numbers are two registers of eight.
#![allow(unsafe_code)]

use std::arch::x86_64::{
    __m128i, __m256, __m256i, _mm_loadl_epi64, _mm_loadu_si128, _mm256_and_si256, _mm256_blendv_ps,
    _mm256_broadcastsi128_si256, _mm256_castpd_ps, _mm256_castps_pd, _mm256_castsi256_ps, _mm256_cvtepi8_epi32,
    _mm256_cvtepi32_ps, _mm256_cvtepu16_epi32, _mm256_cvtph_ps, _mm256_fmadd_ps, _mm256_i32gather_ps, _mm256_loadu_ps,
    _mm256_loadu_si256, _mm256_mul_ps, _mm256_permute2f128_ps, _mm256_permutevar8x32_ps, _mm256_set1_epi32,
    _mm256_set1_ps, _mm256_shuffle_epi8, _mm256_slli_epi32, _mm256_srlv_epi32, _mm256_storeu_ps, _mm256_unpackhi_pd,
    _mm256_unpackhi_ps, _mm256_unpacklo_pd, _mm256_unpacklo_ps,
};

use half::{bf16, f16};

use super::{
    codes::{Mirrored, Table, Unpacking},
    packed::PANEL_WIDTH,
    simd::{Kernel, Simd},
    tile::Block,
};

/// The proof that the machine has AVX2, FMA and F16C: made by [`detect`](Self::detect) only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Avx2(());

impl Avx2 {
    pub(super) fn detect() -> Option<Self> {
        let detected =
            is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") && is_x86_feature_detected!("f16c");
        detected.then_some(Self(()))
    }
}

/// Numbers of a register.
const HALF: usize = PANEL_WIDTH / 2;

impl Simd for Avx2 {
    const NAME: &'static str = "avx2";
    type Line = [__m256; 2];
    type Splat = __m256;
    type Unpacking = [(__m256i, __m256i); 2];
    type Codes = [__m256i; 2];
    type Mirrored = Table<'static>;

    #[inline(always)]
    fn zero(self) -> [__m256; 2] {
        // SAFETY: `self` proves AVX.
        [unsafe { _mm256_set1_ps(0.0) }; 2]
    }

    #[inline(always)]
    fn load(self, line: &[f32; PANEL_WIDTH]) -> [__m256; 2] {
        // SAFETY: `self` proves AVX; the load reads the eight numbers of a half.
        bytemuck::cast_ref::<_, [[f32; HALF]; 2]>(line).each_ref().map(|half| unsafe { _mm256_loadu_ps(half.as_ptr()) })
    }

    #[inline(always)]
    fn load_f16(self, line: &[f16; PANEL_WIDTH]) -> [__m256; 2] {
        bytemuck::cast_ref::<_, [[f16; HALF]; 2]>(line).each_ref().map(|half| {
            // SAFETY: SSE2 is part of every x86-64; the load reads the sixteen bytes of a half.
            let half: __m128i = unsafe { _mm_loadu_si128(half.as_ptr().cast()) };
            // SAFETY: `self` proves F16C.
            unsafe { _mm256_cvtph_ps(half) }
        })
    }

    #[inline(always)]
    fn load_bf16(self, line: &[bf16; PANEL_WIDTH]) -> [__m256; 2] {
        bytemuck::cast_ref::<_, [[bf16; HALF]; 2]>(line).each_ref().map(|half| {
            // SAFETY: SSE2 is part of every x86-64; the load reads the sixteen bytes of a half.
            let half: __m128i = unsafe { _mm_loadu_si128(half.as_ptr().cast()) };
            // SAFETY: `self` proves AVX2.
            let wide = unsafe { _mm256_cvtepu16_epi32(half) };
            // SAFETY: the same.
            let upper = unsafe { _mm256_slli_epi32(wide, 16) };
            // SAFETY: the same.
            unsafe { _mm256_castsi256_ps(upper) }
        })
    }

    #[inline(always)]
    fn load_i8(self, line: &[i8; PANEL_WIDTH]) -> [__m256; 2] {
        bytemuck::cast_ref::<_, [[i8; HALF]; 2]>(line).each_ref().map(|half| {
            // SAFETY: SSE2 is part of every x86-64; the load reads the eight bytes of a half.
            let half: __m128i = unsafe { _mm_loadl_epi64(half.as_ptr().cast()) };
            // SAFETY: `self` proves AVX2.
            let wide = unsafe { _mm256_cvtepi8_epi32(half) };
            // SAFETY: the same.
            unsafe { _mm256_cvtepi32_ps(wide) }
        })
    }

    #[inline(always)]
    fn store(self, value: [__m256; 2], line: &mut [f32; PANEL_WIDTH]) {
        for (half, value) in bytemuck::cast_mut::<_, [[f32; HALF]; 2]>(line).iter_mut().zip(value) {
            // SAFETY: `self` proves AVX; the store writes the eight numbers of a half.
            unsafe { _mm256_storeu_ps(half.as_mut_ptr(), value) };
        }
    }

    #[inline(always)]
    fn splat(self, value: f32) -> __m256 {
        // SAFETY: `self` proves AVX.
        unsafe { _mm256_set1_ps(value) }
    }

    #[inline(always)]
    fn mul(self, factor: __m256, line: [__m256; 2]) -> [__m256; 2] {
        // SAFETY: `self` proves AVX.
        line.map(|half| unsafe { _mm256_mul_ps(factor, half) })
    }

    #[inline(always)]
    fn mul_add(self, factor: __m256, line: [__m256; 2], sum: [__m256; 2]) -> [__m256; 2] {
        // SAFETY: `self` proves FMA.
        std::array::from_fn(|half| unsafe { _mm256_fmadd_ps(factor, line[half], sum[half]) })
    }

    #[inline(always)]
    fn mul_add_lines(self, a: [__m256; 2], b: [__m256; 2], sum: [__m256; 2]) -> [__m256; 2] {
        // SAFETY: `self` proves FMA.
        std::array::from_fn(|half| unsafe { _mm256_fmadd_ps(a[half], b[half], sum[half]) })
    }

    #[inline(always)]
    fn transpose(self, lines: [[__m256; 2]; PANEL_WIDTH]) -> [[__m256; 2]; PANEL_WIDTH] {
        // SAFETY: `self` proves AVX2.
        unsafe { transpose(lines) }
    }

    #[inline(always)]
    fn unpacking(self, unpacking: &'static Unpacking) -> [(__m256i, __m256i); 2] {
        std::array::from_fn(|half| {
            // SAFETY: `self` proves AVX; the load reads the 32 bytes of eight times four indices.
            let bytes = unsafe { _mm256_loadu_si256(unpacking.bytes[half * HALF..][..HALF].as_ptr().cast()) };
            // SAFETY: the same; the load reads eight numbers.
            let shifts = unsafe { _mm256_loadu_si256(unpacking.shifts[half * HALF..][..HALF].as_ptr().cast()) };
            (bytes, shifts)
        })
    }

    #[inline(always)]
    fn unpack(self, unpacking: [(__m256i, __m256i); 2], bytes: &[u8; 16]) -> [__m256i; 2] {
        // SAFETY: SSE2 is part of every x86-64; the load reads the sixteen bytes.
        let bytes: __m128i = unsafe { _mm_loadu_si128(bytes.as_ptr().cast()) };
        // SAFETY: `self` proves AVX2.
        let bytes = unsafe { _mm256_broadcastsi128_si256(bytes) };
        unpacking.map(|(indices, shifts)| {
            // SAFETY: `self` proves AVX2.
            let numbers = unsafe { _mm256_shuffle_epi8(bytes, indices) };
            // SAFETY: the same.
            unsafe { _mm256_srlv_epi32(numbers, shifts) }
        })
    }

    #[inline(always)]
    fn permute(self, levels: [__m256; 2], codes: [__m256i; 2]) -> [__m256; 2] {
        // SAFETY: `self` proves AVX2.
        codes.map(|codes| unsafe { permute(levels, codes) })
    }

    #[inline(always)]
    fn permute_two(self, [low, high]: [[__m256; 2]; 2], codes: [__m256i; 2]) -> [__m256; 2] {
        codes.map(|codes| {
            // SAFETY: `self` proves AVX2.
            let low = unsafe { permute(low, codes) };
            // SAFETY: the same.
            let high = unsafe { permute(high, codes) };
            // SAFETY: the same.
            unsafe { blend::<27>(low, high, codes) }
        })
    }

    #[inline(always)]
    fn look_up(self, table: Table<'_>, codes: [__m256i; 2]) -> [__m256; 2] {
        // SAFETY: `self` proves AVX2.
        let mask = unsafe { _mm256_set1_epi32(table.mask() as i32) };
        codes.map(|codes| {
            // SAFETY: the same.
            let indices = unsafe { _mm256_and_si256(codes, mask) };
            // SAFETY: the same; every index is one of the table, whose length is one more than the mask.
            unsafe { _mm256_i32gather_ps::<4>(table.levels().as_ptr(), indices) }
        })
    }

    #[inline(always)]
    fn mirrored(self, table: &'static Mirrored) -> Table<'static> {
        table.whole()
    }

    #[inline(always)]
    fn look_up_mirrored(self, table: Table<'static>, codes: [__m256i; 2]) -> [__m256; 2] {
        self.look_up(table, codes)
    }

    #[inline(always)]
    fn multiply_block(self, block: &Block<'_>) {
        block.multiply::<Self, 6, 1, 4, 2, 1, 1, 1>(self);
    }

    fn run<K: Kernel>(self, kernel: K) -> K::Output {
        #[target_feature(enable = "avx2,fma,f16c")]
        fn with_features<K: Kernel>(isa: Avx2, kernel: K) -> K::Output {
            kernel.run(isa)
        }
        // SAFETY: `self` proves AVX2, FMA and F16C.
        unsafe { with_features(self, kernel) }
    }
}

/// Number c % 16 of the levels: that of c % 8 in one of the halves.
#[target_feature(enable = "avx2")]
#[inline]
fn permute([low, high]: [__m256; 2], codes: __m256i) -> __m256 {
    blend::<28>(_mm256_permutevar8x32_ps(low, codes), _mm256_permutevar8x32_ps(high, codes), codes)
}

/// `high` where the bit of the code is set that a shift to the left by so many makes the sign.
#[target_feature(enable = "avx2")]
#[inline]
fn blend<const SHIFT: i32>(low: __m256, high: __m256, codes: __m256i) -> __m256 {
    _mm256_blendv_ps(low, high, _mm256_castsi256_ps(_mm256_slli_epi32::<SHIFT>(codes)))
}

/// The four 8 × 8 quarters, each transposed, the two off the diagonal swapped.
#[target_feature(enable = "avx2")]
#[inline]
fn transpose(lines: [[__m256; 2]; PANEL_WIDTH]) -> [[__m256; 2]; PANEL_WIDTH] {
    let quarter = |row: usize, half: usize| transposed_quarter(std::array::from_fn(|i| lines[row + i][half]));
    let (top_left, top_right) = (quarter(0, 0), quarter(0, 1));
    let (bottom_left, bottom_right) = (quarter(HALF, 0), quarter(HALF, 1));
    std::array::from_fn(|i| match i.checked_sub(HALF) {
        None => [top_left[i], bottom_left[i]],
        Some(i) => [top_right[i], bottom_right[i]],
    })
}

#[target_feature(enable = "avx2")]
#[inline]
fn transposed_quarter(r: [__m256; HALF]) -> [__m256; HALF] {
    let mut quads = r;
    for q in 0..2 {
        let [a, b, c, d] = [r[4 * q], r[4 * q + 1], r[4 * q + 2], r[4 * q + 3]];
        let (ab_low, ab_high) = (_mm256_unpacklo_ps(a, b), _mm256_unpackhi_ps(a, b));
        let (cd_low, cd_high) = (_mm256_unpacklo_ps(c, d), _mm256_unpackhi_ps(c, d));
        let pair = |ab: __m256, cd: __m256| {
            let (ab, cd) = (_mm256_castps_pd(ab), _mm256_castps_pd(cd));
            [_mm256_castpd_ps(_mm256_unpacklo_pd(ab, cd)), _mm256_castpd_ps(_mm256_unpackhi_pd(ab, cd))]
        };
        [quads[4 * q], quads[4 * q + 1]] = pair(ab_low, cd_low);
        [quads[4 * q + 2], quads[4 * q + 3]] = pair(ab_high, cd_high);
    }
    std::array::from_fn(|i| {
        let (upper, lower) = (quads[i % 4], quads[4 + i % 4]);
        if i < 4 { _mm256_permute2f128_ps::<0x20>(upper, lower) } else { _mm256_permute2f128_ps::<0x31>(upper, lower) }
    })
}
