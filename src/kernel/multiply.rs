//! Rows, gathered or in order, times panels: the loop over blocks that every product shares.
//!
//! ```text
//! for i in 0..n: for j in 0..width:
//!     out[i, j] = start[i, j] + Σₖ row(i)[k] · panels[k, j]        k = 0, 1, …, depth − 1
//! ```
//!
//! The real loops depart from this as follows. None of it changes a bit of the result: every sum begins with what the rows
//! start from (nothing, a bias, a constant, what stands in the output) and runs over k in order, whatever the number of rows
//! and the position of a row among them.
//!
//! 1. **Tiles** (`tile.rs`). A few rows by one panel (16 columns) or a few are computed together, so that all sums stay in
//!    registers, a line of the panel is loaded once for all rows, and enough independent sums are under way to hide the
//!    latency of a multiply-add. The fewer the rows, the more panels.
//! 2. **Blocks.** 24 rows go through all panels before the next 24 begin, so that they stay in the first-level cache while
//!    the panels stream through it from the second.
//! 3. **Prefetch.** Before a block is computed, the rows of the next block are asked for in a burst: whole while they are
//!    short, their first and last cache line when they are long. Before a tile is computed, the lines of the output that the
//!    next panels will write are asked for, which saves 6 % where the output is larger than the caches.
//! 4. **Narrow numbers.** Rows of `f16`, `bf16` or 8-bit integers are widened into a tile of `f32` when their block begins;
//!    rows of codes are decoded into one (`codes/rows.rs`).
//! 5. **Output.** Products are written where they belong, in any order of rows, if the numbers of a row of the output lie
//!    side by side; otherwise a block goes by way of a buffer.
//!
//! The machine code of the inner loops, looked at in a release build for x86-64: a tile of 6 × 4 panels (AVX-512) is 4 loads,
//! 6 broadcasts and 24 multiply-adds a step, one of 6 × 1 (AVX2) is 2 loads, 6 broadcasts and 12 multiply-adds, all in
//! registers, nothing spilled. With AVX2, tiles of 2 × 3 and 3 × 2 panels would be spilled (twice the time); smaller ones are
//! not. Two innocent changes lost that and half of the speed: sums initialised or moved through
//! iterators, and stores with bounds checks in the loop over the sums (which then does not unroll, so that the sums are
//! written to memory at every step).

#![allow(unsafe_code)]

use std::{cell::Cell, ops::Range};

use super::{
    Isa,
    codes::{MultiplyCodes, StoredRows},
    output::OutRows,
    packed::Panels,
    parallel::for_each_range,
    prefetch::prefetch,
    scratch::{self, Scratch},
    simd::{Kernel, Number, Simd, widen, with_numbers},
    tile::{BLOCK_ROWS, Block, Start},
};
use crate::{TokenId, rows::Numbers};

/// Bytes of a row that are asked for line by line: of longer rows only the ends, so that a block of them leaves room for
/// the block that is being computed.
const MAX_PREFETCH: usize = 512;

/// Multiplications a nanosecond, about.
pub(super) const MULTIPLICATIONS_PER_NANOSECOND: f64 = 50.0;

/// What is to be multiplied.
#[derive(Clone, Copy)]
pub(super) struct Source<'a> {
    /// Rows of `stride` numbers each.
    pub(super) rows: StoredRows<'a>,
    pub(super) stride: usize,
    /// Where in a row the numbers that are multiplied begin; there are as many as the panels are deep.
    pub(super) offset: usize,
    /// Which of the rows, \[n\]; all of them in order when there are none.
    pub(super) ids: Option<&'a [TokenId]>,
    pub(super) panels: Panels<'a>,
    pub(super) start: Start<'a>,
    /// The weight of the bias, or the constant, of each row \[n\]; ones when there are none.
    pub(super) factors: Option<&'a [f32]>,
    /// Which row of the output each product goes to, \[n\], no two to the same; in order when there are none.
    pub(super) positions: Option<&'a [u32]>,
}

/// Multiplies n rows, on several threads where it pays.
///
/// # Safety
/// Until it returns, nobody else touches the rows of `out` that products go to. No two `positions` of the source are equal.
pub(super) unsafe fn multiply(isa: Isa, source: Source<'_>, n: usize, out: OutRows<'_>) {
    let multiplications = source.panels.depth() * source.panels.width();
    for_each_range(n, BLOCK_ROWS, multiplications as f64 / MULTIPLICATIONS_PER_NANOSECOND, |range| {
        // SAFETY: what this function demands; every product is in one range, and no two go to the same row.
        unsafe { multiply_range(isa, source, range, out) };
    });
}

/// Multiplies some of the rows, on this thread.
///
/// # Safety
/// Until it returns, nobody else touches the rows of `out` that their products go to.
pub(super) unsafe fn multiply_range(isa: Isa, source: Source<'_>, range: Range<usize>, out: OutRows<'_>) {
    assert_eq!(out.columns(), source.panels.width());
    match source.rows {
        StoredRows::Numbers(rows) => isa.run(Multiply { source, rows, range, out }),
        StoredRows::Codes(coded) => isa.run_codes(MultiplyCodes { source, coded, range, out }),
    }
}

/// Some of the rows of a product. Only [`multiply_range`] makes one, whose contract it relies on.
struct Multiply<'a> {
    source: Source<'a>,
    rows: Numbers<'a>,
    range: Range<usize>,
    out: OutRows<'a>,
}

#[derive(Default)]
struct Buffers {
    /// A block of widened rows.
    widened: Vec<f32>,
    /// A block of products whose rows are not side by side where they belong.
    products: Vec<f32>,
}

thread_local! {
    static BUFFERS: Scratch<Buffers> = const { Cell::new(Buffers { widened: Vec::new(), products: Vec::new() }) };
}

impl Kernel for Multiply<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, isa: S) {
        // No closure: the compiler might not use the instruction set in one.
        let mut buffers = BUFFERS.take();
        for start in self.range.clone().step_by(BLOCK_ROWS) {
            let end = self.range.end.min(start + BLOCK_ROWS);
            for i in end..self.range.end.min(end + BLOCK_ROWS) {
                with_numbers!(self.rows, |rows| prefetch(self.source.row(rows, i), MAX_PREFETCH));
            }
            self.block(isa, start..end, &mut buffers);
        }
        BUFFERS.set(buffers);
    }
}

impl Multiply<'_> {
    #[inline(always)]
    fn block<S: Simd>(&self, isa: S, range: Range<usize>, buffers: &mut Buffers) {
        let (source, out) = (&self.source, self.out);
        let (depth, width) = (source.panels.depth(), source.panels.width());
        let rows: &[f32] = match self.rows {
            Numbers::F32(rows) => rows,
            Numbers::F16(rows) => source.widen(isa, rows, range.clone(), &mut buffers.widened),
            Numbers::Bf16(rows) => source.widen(isa, rows, range.clone(), &mut buffers.widened),
            Numbers::Int8(rows) => source.widen(isa, rows, range.clone(), &mut buffers.widened),
        };
        let is_widened = !matches!(self.rows, Numbers::F32(_));
        let products = if out.has_slices() {
            None
        } else {
            Some(scratch::at_least(&mut buffers.products, BLOCK_ROWS * width).as_mut_ptr())
        };
        let mut block = Block::new(source.panels, source.start);
        for (slot, i) in range.clone().enumerate() {
            let row = if is_widened { &rows[slot * depth..][..depth] } else { source.row(rows, i) };
            let target = match products {
                // SAFETY: the buffer holds BLOCK_ROWS rows of `width`, and a block has no more rows.
                Some(products) => unsafe { products.add(slot * width) },
                None => out.row(source.position(i)),
            };
            let factor = source.factors.map_or(1.0, |factors| factors[i]);
            // SAFETY: `width` numbers, of the buffer or of the row of `out`, as many as its columns, which are as many as
            // the panels' (`multiply_range` has compared them); the buffer is ours, and nobody else touches the row by the
            // contract of `multiply_range`.
            unsafe { block.push(row, factor, target) };
        }
        isa.multiply_block(&block);
        if products.is_some() {
            for (product, i) in buffers.products.chunks_exact(width).zip(range) {
                // SAFETY: nobody else touches the row, by the contract of `multiply_range`.
                unsafe { out.write(source.position(i), product) };
            }
        }
    }
}

impl<'a> Source<'a> {
    #[inline(always)]
    pub(super) fn position(&self, i: usize) -> usize {
        self.positions.map_or(i, |positions| positions[i] as usize)
    }

    #[inline(always)]
    fn row<T>(&self, rows: &'a [T], i: usize) -> &'a [T] {
        let row = self.ids.map_or(i, |ids| ids[i] as usize);
        &rows[row * self.stride + self.offset..][..self.panels.depth()]
    }

    /// Some of the rows as `f32`, \[len of the range, depth\].
    #[inline(always)]
    fn widen<'b, S: Simd, T: Number>(
        &self,
        isa: S,
        rows: &'a [T],
        range: Range<usize>,
        widened: &'b mut Vec<f32>,
    ) -> &'b [f32] {
        let depth = self.panels.depth();
        let widened = scratch::at_least(widened, range.len() * depth);
        for (i, out) in range.zip(widened.chunks_exact_mut(depth)) {
            widen(isa, self.row(rows, i), out);
        }
        widened
    }
}
