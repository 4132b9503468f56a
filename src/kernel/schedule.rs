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
//!    rank 64, on a machine that was not quiet).
//! 4. **Output.** Where `out` is contiguous, products are written where they belong, in any order of rows; otherwise a block
//!    goes by way of a buffer.
//!
//! The machine code of the inner loops, looked at in a release build for x86-64: a tile of 6 × 4 panels (AVX-512) is 4 loads,
//! 6 broadcasts and 24 multiply-adds a step, one of 6 × 1 (AVX2) is 2 loads, 6 broadcasts and 12 multiply-adds, all in
//! registers, nothing spilled. Two innocent changes lost that and half of the speed: sums initialised or moved through
//! iterators, and stores with bounds checks in the loop over the sums (which then does not unroll, so that the sums are
//! written to memory at every step).

#![allow(unsafe_code)]

use std::{cell::Cell, ops::Range};

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
    /// Which row of a contiguous `out` each product goes to, \[n\]; in order when there are none.
    pub(super) positions: Option<&'a [u32]>,
}

impl<'a> Source<'a> {
    #[inline(always)]
    fn position(&self, i: usize) -> usize {
        self.positions.map_or(i, |positions| positions[i] as usize)
    }

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
    let dim = out.ncols();
    let n = source.positions.map_or(out.nrows(), <[u32]>::len);
    let contiguous = out.as_slice_mut().is_some();
    assert!(contiguous || source.positions.is_none(), "products in any order need a contiguous output");
    let mut buffer = BUFFER.take();
    for start in (0..n).step_by(BLOCK_ROWS) {
        let end = n.min(start + BLOCK_ROWS);
        for i in end..n.min(end + BLOCK_ROWS) {
            prefetch(source.row(i), MAX_PREFETCH);
        }
        // The rows that products go to, and the number of the first of them.
        let (target, first) = match out.as_slice_mut() {
            Some(out) => (out, 0),
            None => {
                buffer.resize(BLOCK_ROWS * dim, 0.0);
                (buffer.as_mut_slice(), start)
            }
        };
        let whole = start + (end - start) / ROWS * ROWS;
        stripe::<S, ROWS, P>(isa, source, start..whole, target, first);
        match end - whole {
            0 => {}
            1 => stripe::<S, 1, P1>(isa, source, whole..end, target, first),
            2 => stripe::<S, 2, P2>(isa, source, whole..end, target, first),
            3 => stripe::<S, 3, P3>(isa, source, whole..end, target, first),
            4 => stripe::<S, 4, P4>(isa, source, whole..end, target, first),
            _ => stripe::<S, 5, P5>(isa, source, whole..end, target, first),
        }
        if !contiguous {
            let mut out = out.slice_mut(s![start..end, ..]);
            for (mut out, row) in out.rows_mut().into_iter().zip(buffer.chunks_exact(dim)) {
                out.iter_mut().zip(row).for_each(|(out, &value)| *out = value);
            }
        }
    }
    BUFFER.set(buffer);
}

/// Rows, a multiple of `ROWS`, through all panels. Row 0 of `target` is row `target_start` of the output.
#[inline(always)]
fn stripe<S: Simd, const ROWS: usize, const P: usize>(
    isa: S,
    source: Source<'_>,
    rows: Range<usize>,
    target: &mut [f32],
    target_start: usize,
) {
    let num_panels = source.projection.num_panels();
    let mut panel = 0;
    while panel + P <= num_panels {
        for row in rows.clone().step_by(ROWS) {
            tile::<S, ROWS, P>(isa, source, row, panel, target, target_start);
        }
        panel += P;
    }
    while panel < num_panels {
        for row in rows.clone().step_by(ROWS) {
            tile::<S, ROWS, 1>(isa, source, row, panel, target, target_start);
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
    target: &mut [f32],
    target_start: usize,
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
    // Products that are indexed in a loop with checks in it would live in memory all along: they leave their registers in
    // loops that unroll, and are checked before or after.
    let columns = first_panel * PANEL_WIDTH..dim.min((first_panel + P) * PANEL_WIDTH);
    let starts: [usize; ROWS] =
        std::array::from_fn(|i| (source.position(first_row + i) - target_start) * dim + columns.start);
    if columns.len() == P * PANEL_WIDTH {
        for start in starts {
            let fits = target.len().checked_sub(start).is_some_and(|rest| rest >= P * PANEL_WIDTH);
            assert!(fits, "a row of the output lies outside it");
        }
        let target = target.as_mut_ptr();
        for i in 0..ROWS {
            for p in 0..P {
                // SAFETY: the P panels from starts[i] on lie within `target`, by the assertion.
                let line = unsafe { target.add(starts[i] + p * PANEL_WIDTH) };
                // SAFETY: the same; `target` is borrowed mutably and no other reference to it is alive.
                isa.store(sums[i][p], unsafe { &mut *line.cast() });
            }
        }
    } else {
        let mut lines = [[[0.0; PANEL_WIDTH]; P]; ROWS];
        for i in 0..ROWS {
            for p in 0..P {
                isa.store(sums[i][p], &mut lines[i][p]);
            }
        }
        for (start, lines) in starts.into_iter().zip(&lines) {
            target[start..start + columns.len()].copy_from_slice(&lines.as_flattened()[..columns.len()]);
        }
    }
}
