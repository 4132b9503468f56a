//! NEON: sixteen numbers are four registers of four.
//!
//! The machine code of the inner loops, looked at in a release build: a tile of 6 × 1 panel is 2 loads of a pair of registers,
//! 6 loads of a factor and 24 multiply-adds a step, which take the factor from one element of a register; 24 sums, a line and
//! two factors are 30 of the 32 registers. Tiles of 3 × 2 and 1 × 4 panels no longer fit: sums are spilled, or moved around.
#![allow(unsafe_code)]

use std::arch::{
    aarch64::{
        float32x4_t, vcvt_f32_f16, vcvtq_f32_s32, vdupq_n_f32, vfmaq_f32, vfmaq_n_f32, vget_low_s8, vget_low_s16,
        vld1_u16, vld1q_f32, vld1q_s8, vmovl_high_s8, vmovl_high_s16, vmovl_s8, vmovl_s16, vmulq_n_f32,
        vreinterpret_f16_u16, vreinterpretq_f32_f64, vreinterpretq_f32_u32, vreinterpretq_f64_f32, vshll_n_u16,
        vst1q_f32, vtrn1q_f32, vtrn1q_f64, vtrn2q_f32, vtrn2q_f64,
    },
    is_aarch64_feature_detected,
};

use half::{bf16, f16};

use super::{
    codes::{Mirrored, Table, Unpacking, look_up, unpack},
    packed::PANEL_WIDTH,
    simd::{Kernel, Simd},
    tile::Block,
};

/// The proof that the machine has NEON: made by [`detect`](Self::detect) only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Neon(());

impl Neon {
    pub(super) fn detect() -> Option<Self> {
        is_aarch64_feature_detected!("neon").then_some(Self(()))
    }
}

/// Numbers of a register.
const QUARTER: usize = PANEL_WIDTH / 4;

impl Simd for Neon {
    const NAME: &'static str = "neon";
    type Line = [float32x4_t; 4];
    /// The multiplications take their factor from one element of a register.
    type Splat = f32;
    type Unpacking = &'static Unpacking;
    type Codes = [u32; PANEL_WIDTH];
    type Mirrored = Table<'static>;

    #[inline(always)]
    fn zero(self) -> [float32x4_t; 4] {
        // SAFETY: `self` proves NEON.
        [unsafe { vdupq_n_f32(0.0) }; 4]
    }

    #[inline(always)]
    fn load(self, line: &[f32; PANEL_WIDTH]) -> [float32x4_t; 4] {
        let quarters = bytemuck::cast_ref::<_, [[f32; QUARTER]; 4]>(line).each_ref();
        // SAFETY: `self` proves NEON; the load reads the four numbers of a quarter.
        quarters.map(|quarter| unsafe { vld1q_f32(quarter.as_ptr()) })
    }

    #[inline(always)]
    fn load_f16(self, line: &[f16; PANEL_WIDTH]) -> [float32x4_t; 4] {
        bytemuck::cast_ref::<_, [[u16; QUARTER]; 4]>(line).each_ref().map(|quarter| {
            // SAFETY: `self` proves NEON; the load reads the four numbers of a quarter.
            let bits = unsafe { vld1_u16(quarter.as_ptr()) };
            // SAFETY: `self` proves NEON.
            let quarter = unsafe { vreinterpret_f16_u16(bits) };
            // SAFETY: the same; this conversion is in every NEON, though arithmetic with `f16` is not.
            unsafe { vcvt_f32_f16(quarter) }
        })
    }

    #[inline(always)]
    fn load_bf16(self, line: &[bf16; PANEL_WIDTH]) -> [float32x4_t; 4] {
        bytemuck::cast_ref::<_, [[u16; QUARTER]; 4]>(line).each_ref().map(|quarter| {
            // SAFETY: `self` proves NEON; the load reads the four numbers of a quarter.
            let bits = unsafe { vld1_u16(quarter.as_ptr()) };
            // SAFETY: `self` proves NEON.
            let upper = unsafe { vshll_n_u16::<16>(bits) };
            // SAFETY: the same.
            unsafe { vreinterpretq_f32_u32(upper) }
        })
    }

    #[inline(always)]
    fn load_i8(self, line: &[i8; PANEL_WIDTH]) -> [float32x4_t; 4] {
        // SAFETY: `self` proves NEON.
        unsafe { load_i8(line) }
    }

    #[inline(always)]
    fn store(self, value: [float32x4_t; 4], line: &mut [f32; PANEL_WIDTH]) {
        for (quarter, value) in bytemuck::cast_mut::<_, [[f32; QUARTER]; 4]>(line).iter_mut().zip(value) {
            // SAFETY: `self` proves NEON; the store writes the four numbers of a quarter.
            unsafe { vst1q_f32(quarter.as_mut_ptr(), value) };
        }
    }

    #[inline(always)]
    fn splat(self, value: f32) -> f32 {
        value
    }

    #[inline(always)]
    fn mul(self, factor: f32, line: [float32x4_t; 4]) -> [float32x4_t; 4] {
        // SAFETY: `self` proves NEON.
        line.map(|quarter| unsafe { vmulq_n_f32(quarter, factor) })
    }

    #[inline(always)]
    fn mul_add(self, factor: f32, line: [float32x4_t; 4], sum: [float32x4_t; 4]) -> [float32x4_t; 4] {
        // SAFETY: `self` proves NEON.
        std::array::from_fn(|quarter| unsafe { vfmaq_n_f32(sum[quarter], line[quarter], factor) })
    }

    #[inline(always)]
    fn mul_add_lines(self, a: [float32x4_t; 4], b: [float32x4_t; 4], sum: [float32x4_t; 4]) -> [float32x4_t; 4] {
        // SAFETY: `self` proves NEON.
        std::array::from_fn(|quarter| unsafe { vfmaq_f32(sum[quarter], a[quarter], b[quarter]) })
    }

    #[inline(always)]
    fn transpose(self, lines: [[float32x4_t; 4]; PANEL_WIDTH]) -> [[float32x4_t; 4]; PANEL_WIDTH] {
        // SAFETY: `self` proves NEON.
        unsafe { transpose(lines) }
    }

    #[inline(always)]
    fn unpacking(self, unpacking: &'static Unpacking) -> &'static Unpacking {
        unpacking
    }

    #[inline(always)]
    fn unpack(self, unpacking: &'static Unpacking, bytes: &[u8; 16]) -> [u32; PANEL_WIDTH] {
        unpack(unpacking, bytes)
    }

    #[inline(always)]
    fn permute(self, levels: [float32x4_t; 4], codes: [u32; PANEL_WIDTH]) -> [float32x4_t; 4] {
        let mut numbers = [0.0; PANEL_WIDTH];
        self.store(levels, &mut numbers);
        self.load(&codes.map(|code| numbers[code as usize % PANEL_WIDTH]))
    }

    #[inline(always)]
    fn permute_two(self, levels: [[float32x4_t; 4]; 2], codes: [u32; PANEL_WIDTH]) -> [float32x4_t; 4] {
        let mut numbers = [[0.0; PANEL_WIDTH]; 2];
        for (levels, numbers) in levels.into_iter().zip(&mut numbers) {
            self.store(levels, numbers);
        }
        self.load(&codes.map(|code| numbers[code as usize / PANEL_WIDTH % 2][code as usize % PANEL_WIDTH]))
    }

    #[inline(always)]
    fn look_up(self, table: Table<'_>, codes: [u32; PANEL_WIDTH]) -> [float32x4_t; 4] {
        self.load(&look_up(table, codes))
    }

    #[inline(always)]
    fn mirrored(self, table: &'static Mirrored) -> Table<'static> {
        table.whole()
    }

    #[inline(always)]
    fn look_up_mirrored(self, table: Table<'static>, codes: [u32; PANEL_WIDTH]) -> [float32x4_t; 4] {
        self.look_up(table, codes)
    }

    #[inline(always)]
    fn multiply_block(self, block: &Block<'_>) {
        block.multiply::<Self, 6, 1, 3, 2, 1, 1, 1>(self);
    }

    fn run<K: Kernel>(self, kernel: K) -> K::Output {
        #[target_feature(enable = "neon")]
        fn with_features<K: Kernel>(isa: Neon, kernel: K) -> K::Output {
            kernel.run(isa)
        }
        // SAFETY: `self` proves NEON.
        unsafe { with_features(self, kernel) }
    }
}

#[target_feature(enable = "neon")]
#[inline]
fn load_i8(line: &[i8; PANEL_WIDTH]) -> [float32x4_t; 4] {
    // SAFETY: the load reads the sixteen numbers of the line.
    let line = unsafe { vld1q_s8(line.as_ptr()) };
    let (low, high) = (vmovl_s8(vget_low_s8(line)), vmovl_high_s8(line));
    [vmovl_s16(vget_low_s16(low)), vmovl_high_s16(low), vmovl_s16(vget_low_s16(high)), vmovl_high_s16(high)]
        .map(|quarter| vcvtq_f32_s32(quarter))
}

/// The sixteen squares of 4 × 4, each transposed, the two of a pair across the diagonal swapped.
#[target_feature(enable = "neon")]
#[inline]
fn transpose(lines: [[float32x4_t; 4]; PANEL_WIDTH]) -> [[float32x4_t; 4]; PANEL_WIDTH] {
    let mut columns = lines;
    for row in 0..4 {
        for column in 0..4 {
            let square = transposed_square(std::array::from_fn(|i| lines[QUARTER * row + i][column]));
            for i in 0..QUARTER {
                columns[QUARTER * column + i][row] = square[i];
            }
        }
    }
    columns
}

#[target_feature(enable = "neon")]
#[inline]
fn transposed_square([a, b, c, d]: [float32x4_t; QUARTER]) -> [float32x4_t; QUARTER] {
    let (ab_even, ab_odd) = (vtrn1q_f32(a, b), vtrn2q_f32(a, b));
    let (cd_even, cd_odd) = (vtrn1q_f32(c, d), vtrn2q_f32(c, d));
    let pair = |ab: float32x4_t, cd: float32x4_t| {
        let (ab, cd) = (vreinterpretq_f64_f32(ab), vreinterpretq_f64_f32(cd));
        [vreinterpretq_f32_f64(vtrn1q_f64(ab, cd)), vreinterpretq_f32_f64(vtrn2q_f64(ab, cd))]
    };
    let ([first, third], [second, fourth]) = (pair(ab_even, cd_even), pair(ab_odd, cd_odd));
    [first, second, third, fourth]
}
