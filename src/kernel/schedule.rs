//! Gathered rows times the packed projection: the loops that every instruction set shares.
//!
//! ```text
//! for i in 0..n: for j in 0..dim:
//!     out[i, j] = bias_weight[i] · bias[j] + Σₖ row(i)[k] · projection[k, j]        k = 0, 1, …, rank − 1
//! ```
//!
//! The real loops depart from this as follows. None of it changes a bit of the result: every sum starts from the bias and
//! runs over k in order, whatever the number of rows and the position of a row among them.
//!
//! 1. **Tiles.** A few rows by one panel (16 columns) or a few are computed together, so that all sums stay in registers, a
//!    line of the panel is loaded once for all rows, and enough independent sums are under way to hide the latency of a
//!    multiply-add. The fewer the rows, the more panels.
//! 2. **Blocks.** 24 rows go through all panels before the next 24 begin, so that they stay in the first-level cache while
//!    the projection streams through it from the second.
//! 3. **Prefetch.** Before a block is computed, the rows of the next block are asked for in a burst: whole while they are
//!    short, their first and last cache line when they are long. Only the ends of short rows too was slower (by a tenth at
//!    rank 64), and so is asking row by row between the tiles.
//! 4. **Output.** A block whose rows are contiguous is written where it belongs; another goes by way of a buffer.

#![allow(unsafe_code)]

use std::cell::Cell;

use ndarray::{ArrayViewMut2, s};

use super::{
    packed::{PANEL_WIDTH, PackedProjection, PanelRow},
    prefetch::prefetch,
};
use crate::TokenId;

/// Rows that go through all panels together.
const BLOCK_ROWS: usize = 24;

/// Numbers of a row that are asked for line by line: of longer rows only the ends, so that a block of them leaves room for
/// the block that is being computed.
const MAX_PREFETCH: usize = 128;

/// An instruction set, by what a multiplication of sixteen columns needs. A value of the type proves that the machine has it.
pub(super) trait Simd: Copy {
    /// What the instruction set is called.
    const NAME: &'static str;
    /// Sixteen numbers in registers.
    type Line: Copy;
    /// One number, ready to be multiplied with a line.
    type Splat: Copy;

    fn zero(self) -> Self::Line;
    fn load(self, line: &[f32; PANEL_WIDTH]) -> Self::Line;
    fn store(self, value: Self::Line, line: &mut [f32; PANEL_WIDTH]);
    fn splat(self, value: f32) -> Self::Splat;
    /// factor · line
    fn mul(self, factor: Self::Splat, line: Self::Line) -> Self::Line;
    /// factor · line + sum
    fn mul_add(self, factor: Self::Splat, line: Self::Line, sum: Self::Line) -> Self::Line;
    /// Calls [`run`] where the compiler may use the instruction set.
    fn run(self, source: Source<'_>, out: &mut ArrayViewMut2<'_, f32>);
}

/// What is to be multiplied.
#[derive(Clone, Copy)]
pub(super) struct Source<'a> {
    /// \[m, rank\], row-major.
    pub(super) rows: &'a [f32],
    /// Which of the rows, \[n\]; all of them in order when there are none.
    pub(super) ids: Option<&'a [TokenId]>,
    /// \[n\]; ones when there are none.
    pub(super) bias_weights: Option<&'a [f32]>,
    pub(super) projection: &'a PackedProjection,
}

impl<'a> Source<'a> {
    #[inline(always)]
    fn row(&self, i: usize) -> &'a [f32] {
        let rank = self.projection.rank();
        let row = self.ids.map_or(i, |ids| ids[i] as usize);
        &self.rows[row * rank..][..rank]
    }

    #[inline(always)]
    fn bias_weight(&self, i: usize) -> f32 {
        self.bias_weights.map_or(1.0, |weights| weights[i])
    }
}

thread_local! {
    /// A block of output rows that are not contiguous where they belong.
    static BUFFER: Cell<Vec<f32>> = const { Cell::new(Vec::new()) };
}

/// Multiplies, with tiles of `ROWS` rows by `P` panels, and of 1 to 5 rows by `P1` to `P5` panels for what remains of a block.
#[inline(always)]
pub(super) fn run<
    S: Simd,
    const ROWS: usize,
    const P: usize,
    const P1: usize,
    const P2: usize,
    const P3: usize,
    const P4: usize,
    const P5: usize,
>(
    isa: S,
    source: Source<'_>,
    out: &mut ArrayViewMut2<'_, f32>,
) {
    const { assert!(ROWS <= 6 && BLOCK_ROWS.is_multiple_of(ROWS)) };
    let (n, dim) = out.dim();
    let mut buffer = BUFFER.take();
    for start in (0..n).step_by(BLOCK_ROWS) {
        let end = n.min(start + BLOCK_ROWS);
        for i in end..n.min(end + BLOCK_ROWS) {
            prefetch(source.row(i), MAX_PREFETCH);
        }
        let mut out = out.slice_mut(s![start..end, ..]);
        let contiguous = out.as_slice_mut().is_some();
        let block = match out.as_slice_mut() {
            Some(out) => out,
            None => {
                buffer.resize(BLOCK_ROWS * dim, 0.0);
                &mut buffer[..(end - start) * dim]
            }
        };
        let whole = (end - start) / ROWS * ROWS;
        let (rows, rest) = block.split_at_mut(whole * dim);
        stripe::<S, ROWS, P>(isa, source, start, rows);
        match end - start - whole {
            0 => {}
            1 => stripe::<S, 1, P1>(isa, source, start + whole, rest),
            2 => stripe::<S, 2, P2>(isa, source, start + whole, rest),
            3 => stripe::<S, 3, P3>(isa, source, start + whole, rest),
            4 => stripe::<S, 4, P4>(isa, source, start + whole, rest),
            _ => stripe::<S, 5, P5>(isa, source, start + whole, rest),
        }
        if !contiguous {
            for (mut out, row) in out.rows_mut().into_iter().zip(buffer.chunks_exact(dim)) {
                out.iter_mut().zip(row).for_each(|(out, &value)| *out = value);
            }
        }
    }
    BUFFER.set(buffer);
}

/// As many rows as `out` has, a multiple of `ROWS`, through all panels.
#[inline(always)]
fn stripe<S: Simd, const ROWS: usize, const P: usize>(isa: S, source: Source<'_>, first: usize, out: &mut [f32]) {
    let dim = source.projection.dim();
    let num_panels = source.projection.num_panels();
    let mut panel = 0;
    while panel + P <= num_panels {
        for (i, out) in out.chunks_exact_mut(ROWS * dim).enumerate() {
            tile::<S, ROWS, P>(isa, source, first + i * ROWS, panel, out);
        }
        panel += P;
    }
    while panel < num_panels {
        for (i, out) in out.chunks_exact_mut(ROWS * dim).enumerate() {
            tile::<S, ROWS, 1>(isa, source, first + i * ROWS, panel, out);
        }
        panel += 1;
    }
}

/// `ROWS` rows by `P` panels.
#[expect(
    clippy::needless_range_loop,
    reason = "sums that are indexed stay in registers; iterated, they go by way of memory"
)]
#[inline(always)]
fn tile<S: Simd, const ROWS: usize, const P: usize>(
    isa: S,
    source: Source<'_>,
    first_row: usize,
    first_panel: usize,
    out: &mut [f32],
) {
    let (rank, dim) = (source.projection.rank(), source.projection.dim());
    let rows: [&[f32]; ROWS] = std::array::from_fn(|i| source.row(first_row + i));
    let panels: [&[PanelRow]; P] = std::array::from_fn(|p| source.projection.panel(first_panel + p));
    let mut sums = [[isa.zero(); P]; ROWS];
    if source.projection.has_bias() {
        for i in 0..ROWS {
            let weight = isa.splat(source.bias_weight(first_row + i));
            for p in 0..P {
                sums[i][p] = isa.mul(weight, isa.load(&source.projection.bias(first_panel + p).0));
            }
        }
    }
    for k in 0..rank {
        let mut lines = [isa.zero(); P];
        for p in 0..P {
            // SAFETY: `panel` returns `rank` lines, and k < rank.
            lines[p] = isa.load(unsafe { &panels[p].get_unchecked(k).0 });
        }
        for i in 0..ROWS {
            // SAFETY: `Source::row` returns `rank` numbers, and k < rank.
            let factor = isa.splat(unsafe { *rows[i].get_unchecked(k) });
            for p in 0..P {
                sums[i][p] = isa.mul_add(factor, lines[p], sums[i][p]);
            }
        }
    }
    for i in 0..ROWS {
        let out = &mut out[i * dim..][..dim];
        for p in 0..P {
            let out = &mut out[(first_panel + p) * PANEL_WIDTH..];
            match out.first_chunk_mut() {
                Some(out) => isa.store(sums[i][p], out),
                None => {
                    let mut line = [0.0; PANEL_WIDTH];
                    isa.store(sums[i][p], &mut line);
                    out.copy_from_slice(&line[..out.len()]);
                }
            }
        }
    }
}
