//! What the kernels need of an instruction set.

use half::{bf16, f16};

use super::{
    codes::{Mirrored, Table, Unpacking},
    packed::PANEL_WIDTH,
    tile::Block,
};

/// An instruction set, by what the kernels do with sixteen numbers. A value of the type proves that the machine has it.
pub(super) trait Simd: Copy + Send + Sync {
    /// What the instruction set is called.
    const NAME: &'static str;
    /// Sixteen numbers in registers.
    type Line: Copy;
    /// One number, ready to be multiplied with a line.
    type Splat: Copy;
    /// Where sixteen codes are, in registers.
    type Unpacking: Copy;
    /// A mirrored table, in registers where they suffice.
    type Mirrored: Copy;
    /// Sixteen codes, with whatever stood behind the bits of each above them.
    type Codes: Copy;

    fn zero(self) -> Self::Line;
    fn load(self, line: &[f32; PANEL_WIDTH]) -> Self::Line;
    fn load_f16(self, line: &[f16; PANEL_WIDTH]) -> Self::Line;
    fn load_bf16(self, line: &[bf16; PANEL_WIDTH]) -> Self::Line;
    fn load_i8(self, line: &[i8; PANEL_WIDTH]) -> Self::Line;
    fn store(self, value: Self::Line, line: &mut [f32; PANEL_WIDTH]);
    fn splat(self, value: f32) -> Self::Splat;
    /// factor · line
    fn mul(self, factor: Self::Splat, line: Self::Line) -> Self::Line;
    /// factor · line + sum
    fn mul_add(self, factor: Self::Splat, line: Self::Line, sum: Self::Line) -> Self::Line;
    /// a · b + sum, number by number
    fn mul_add_lines(self, a: Self::Line, b: Self::Line, sum: Self::Line) -> Self::Line;
    /// Number j of line i becomes number i of line j.
    fn transpose(self, lines: [Self::Line; PANEL_WIDTH]) -> [Self::Line; PANEL_WIDTH];
    fn unpacking(self, unpacking: &'static Unpacking) -> Self::Unpacking;
    /// The codes in sixteen bytes.
    fn unpack(self, unpacking: Self::Unpacking, bytes: &[u8; 16]) -> Self::Codes;
    /// Number c % 16 of the levels, for each code c.
    fn permute(self, levels: Self::Line, codes: Self::Codes) -> Self::Line;
    /// Number c % 32 of the levels.
    fn permute_two(self, levels: [Self::Line; 2], codes: Self::Codes) -> Self::Line;
    /// Number c % (length of the table) of the table.
    fn look_up(self, table: Table<'_>, codes: Self::Codes) -> Self::Line;
    fn mirrored(self, table: &'static Mirrored) -> Self::Mirrored;
    /// Number c % 1024 of the table.
    fn look_up_mirrored(self, table: Self::Mirrored, codes: Self::Codes) -> Self::Line;
    /// The same for the codes of four rows.
    #[inline(always)]
    fn look_up_mirrored_four(self, table: Self::Mirrored, codes: [Self::Codes; 4]) -> [Self::Line; 4] {
        let [a, b, c, d] = codes;
        let one = |codes| self.look_up_mirrored(table, codes);
        [one(a), one(b), one(c), one(d)]
    }
    /// Calls [`Block::multiply`] with the shapes of tiles that suit the registers.
    fn multiply_block(self, block: &Block<'_>);
    /// Runs a kernel where the compiler may use the instruction set.
    fn run<K: Kernel>(self, kernel: K) -> K::Output;
}

/// A computation that is written once for all instruction sets.
pub(super) trait Kernel {
    type Output;

    /// To be inlined into [`Simd::run`]: outside it, the compiler may not use the instruction set.
    fn run<S: Simd>(self, isa: S) -> Self::Output;
}

/// A number as a table stores it.
pub(super) trait Number: Copy + Send + Sync {
    const ZERO: Self;

    /// Sixteen of them as `f32`.
    fn load<S: Simd>(isa: S, line: &[Self; PANEL_WIDTH]) -> S::Line;
}

impl Number for f32 {
    const ZERO: Self = 0.0;

    #[inline(always)]
    fn load<S: Simd>(isa: S, line: &[Self; PANEL_WIDTH]) -> S::Line {
        isa.load(line)
    }
}

impl Number for f16 {
    const ZERO: Self = Self::ZERO;

    #[inline(always)]
    fn load<S: Simd>(isa: S, line: &[Self; PANEL_WIDTH]) -> S::Line {
        isa.load_f16(line)
    }
}

impl Number for bf16 {
    const ZERO: Self = Self::ZERO;

    #[inline(always)]
    fn load<S: Simd>(isa: S, line: &[Self; PANEL_WIDTH]) -> S::Line {
        isa.load_bf16(line)
    }
}

impl Number for i8 {
    const ZERO: Self = 0;

    #[inline(always)]
    fn load<S: Simd>(isa: S, line: &[Self; PANEL_WIDTH]) -> S::Line {
        isa.load_i8(line)
    }
}

/// Up to sixteen numbers as a line, zeros after them.
#[inline(always)]
pub(super) fn load_part<S: Simd, T: Number>(isa: S, numbers: &[T]) -> S::Line {
    let mut line = [T::ZERO; PANEL_WIDTH];
    line[..numbers.len()].copy_from_slice(numbers);
    T::load(isa, &line)
}

/// The first numbers of a line into up to sixteen.
#[inline(always)]
pub(super) fn store_part<S: Simd>(isa: S, value: S::Line, numbers: &mut [f32]) {
    let mut line = [0.0; PANEL_WIDTH];
    isa.store(value, &mut line);
    numbers.copy_from_slice(&line[..numbers.len()]);
}

/// Widens numbers, as many as `out` takes.
#[inline(always)]
pub(super) fn widen<S: Simd, T: Number>(isa: S, numbers: &[T], out: &mut [f32]) {
    let (lines, rest) = numbers.as_chunks();
    let (out_lines, out_rest) = out.as_chunks_mut();
    for (line, out) in lines.iter().zip(out_lines) {
        isa.store(T::load(isa, line), out);
    }
    if !rest.is_empty() {
        assert_eq!(rest.len(), out_rest.len());
        store_part(isa, load_part(isa, rest), out_rest);
    }
}

/// Calls a generic function with the slice of numbers that a [`Numbers`](crate::rows::Numbers) holds.
macro_rules! with_numbers {
    ($numbers:expr, |$slice:ident| $body:expr) => {
        match $numbers {
            $crate::rows::Numbers::F32($slice) => $body,
            $crate::rows::Numbers::F16($slice) => $body,
            $crate::rows::Numbers::Bf16($slice) => $body,
            $crate::rows::Numbers::Int8($slice) => $body,
        }
    };
}
pub(super) use with_numbers;
