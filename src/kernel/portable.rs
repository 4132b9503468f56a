//! Safe code that every target compiles to its own vectors.

use half::{bf16, f16, slice::HalfFloatSliceExt};

use super::{
    codes::{Mirrored, Table, Unpacking, look_up, unpack},
    packed::PANEL_WIDTH,
    simd::{Kernel, Simd},
    tile::Block,
};

/// No more than what the target has been compiled for, and so on every machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Portable;

impl Simd for Portable {
    const NAME: &'static str = "portable";
    type Line = [f32; PANEL_WIDTH];
    type Splat = f32;
    type Unpacking = &'static Unpacking;
    type Codes = [u32; PANEL_WIDTH];
    type Mirrored = Table<'static>;

    #[inline(always)]
    fn zero(self) -> [f32; PANEL_WIDTH] {
        [0.0; PANEL_WIDTH]
    }

    #[inline(always)]
    fn load(self, line: &[f32; PANEL_WIDTH]) -> [f32; PANEL_WIDTH] {
        *line
    }

    #[inline(always)]
    fn load_f16(self, line: &[f16; PANEL_WIDTH]) -> [f32; PANEL_WIDTH] {
        let mut wide = [0.0; PANEL_WIDTH];
        line.convert_to_f32_slice(&mut wide);
        wide
    }

    #[inline(always)]
    fn load_bf16(self, line: &[bf16; PANEL_WIDTH]) -> [f32; PANEL_WIDTH] {
        line.map(|number| f32::from_bits(u32::from(number.to_bits()) << 16))
    }

    #[inline(always)]
    fn load_i8(self, line: &[i8; PANEL_WIDTH]) -> [f32; PANEL_WIDTH] {
        line.map(f32::from)
    }

    #[inline(always)]
    fn store(self, value: [f32; PANEL_WIDTH], line: &mut [f32; PANEL_WIDTH]) {
        *line = value;
    }

    #[inline(always)]
    fn splat(self, value: f32) -> f32 {
        value
    }

    #[inline(always)]
    fn mul(self, factor: f32, line: [f32; PANEL_WIDTH]) -> [f32; PANEL_WIDTH] {
        line.map(|value| factor * value)
    }

    #[inline(always)]
    fn mul_add(self, factor: f32, line: [f32; PANEL_WIDTH], mut sum: [f32; PANEL_WIDTH]) -> [f32; PANEL_WIDTH] {
        for (sum, value) in sum.iter_mut().zip(line) {
            *sum += factor * value;
        }
        sum
    }

    #[inline(always)]
    fn mul_add_lines(
        self,
        a: [f32; PANEL_WIDTH],
        b: [f32; PANEL_WIDTH],
        mut sum: [f32; PANEL_WIDTH],
    ) -> [f32; PANEL_WIDTH] {
        for ((sum, a), b) in sum.iter_mut().zip(a).zip(b) {
            *sum += a * b;
        }
        sum
    }

    #[inline(always)]
    fn transpose(self, lines: [[f32; PANEL_WIDTH]; PANEL_WIDTH]) -> [[f32; PANEL_WIDTH]; PANEL_WIDTH] {
        std::array::from_fn(|column| lines.map(|line| line[column]))
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
    fn permute(self, levels: [f32; PANEL_WIDTH], codes: [u32; PANEL_WIDTH]) -> [f32; PANEL_WIDTH] {
        codes.map(|code| levels[code as usize % PANEL_WIDTH])
    }

    #[inline(always)]
    fn permute_two(self, levels: [[f32; PANEL_WIDTH]; 2], codes: [u32; PANEL_WIDTH]) -> [f32; PANEL_WIDTH] {
        codes.map(|code| levels[code as usize / PANEL_WIDTH % 2][code as usize % PANEL_WIDTH])
    }

    #[inline(always)]
    fn look_up(self, table: Table<'_>, codes: [u32; PANEL_WIDTH]) -> [f32; PANEL_WIDTH] {
        look_up(table, codes)
    }

    #[inline(always)]
    fn mirrored(self, table: &'static Mirrored) -> Table<'static> {
        table.whole()
    }

    #[inline(always)]
    fn look_up_mirrored(self, table: Table<'static>, codes: [u32; PANEL_WIDTH]) -> [f32; PANEL_WIDTH] {
        self.look_up(table, codes)
    }

    #[inline(always)]
    fn multiply_block(self, block: &Block<'_>) {
        block.multiply::<Self, 2, 1, 1, 1, 1, 1, 1>(self);
    }

    fn run<K: Kernel>(self, kernel: K) -> K::Output {
        kernel.run(self)
    }
}
