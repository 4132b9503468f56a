//! Products with a whole table: scores of queries with its rows, and sums of its rows weighted by distributions.
//!
//! ```text
//! scores:     out[i, v] = constant[i] + Σₖ queries[i, k] · rows[v, k]
//! soft rows:  out[i, j] += Σᵥ weights[i, v] · rows[v, j]
//! ```
//!
//! Scores of a few queries are those of `dots.rs`. All else is the product of `multiply.rs`, with the table in the place of
//! the projection: a piece of it is turned into panels, whose depth is a part of k (of v), all queries (weights) run through
//! it while it is in the cache (the first-level one for scores, the second-level one for sums of rows), and the next piece
//! adds to what stands in the output. Every sum still runs over k (over v) in order: its bits depend neither on the other
//! queries nor on the number of threads.

#![allow(unsafe_code)]

use std::{cell::Cell, ops::Range};

use ndarray::{Array2, ArrayView2, ArrayViewMut2};

use super::{
    Isa,
    dots::{FEW_QUERIES, dots},
    multiply::{MULTIPLICATIONS_PER_NANOSECOND, Source, multiply_range},
    output::OutRows,
    pack::Piece,
    packed::{PANEL_WIDTH, PanelRow, Panels},
    parallel::for_each_range,
    rows::NANOSECONDS_PER_NUMBER,
    scratch::{self, Scratch},
    simd::{Kernel, Number, Simd, with_numbers},
    tile::Start,
};
use crate::rows::Numbers;

/// Rows of a piece whose scores are computed together.
pub(super) const SCORED_ROWS: usize = 4 * PANEL_WIDTH;
/// Columns of such a piece, which takes 32 KB as panels. Twice as many rows, or half as many columns, were slower by up to a
/// third for few queries.
const SCORED_COLUMNS: usize = 128;
/// Rows of a piece whose weighted sum is computed together, at most: the more, the less often sums are loaded and stored. With
/// pieces of 64 rows, 128 sums of 320 rows took 1.13 of the time.
const SUMMED_ROWS: usize = 320;
/// The same for few sums, which a piece is read once or a few times for: it is in a nearer cache then. One sum took 0.87 of the time.
const SUMMED_ROWS_OF_FEW: usize = 128;
/// So many sums or fewer are few.
const FEW_SUMS: usize = 15;
/// Columns of such a piece, which takes 160 KB as panels. From 64 to 192 columns took the same time; with 32 it was 1.03 of it.
const SUMMED_COLUMNS: usize = 8 * PANEL_WIDTH;

thread_local! {
    static PANELS: Scratch<Vec<PanelRow>> = const { Cell::new(Vec::new()) };
}

/// Some consecutive rows of a table.
#[derive(Clone, Copy)]
pub(crate) struct TableRows<'a> {
    /// \[m, width\]
    pub(crate) rows: Numbers<'a>,
    pub(crate) width: usize,
    pub(crate) first: usize,
    pub(crate) len: usize,
}

/// What reading a row takes, and multiplying it with n others, about.
pub(crate) fn nanoseconds_per_row(n: usize, width: usize) -> f64 {
    width as f64 * (NANOSECONDS_PER_NUMBER + n as f64 / MULTIPLICATIONS_PER_NANOSECOND)
}

/// `queries` \[n, width\] · rowsᵀ \[width, len\], plus a constant for each query \[n\], into `out` \[n, len\].
pub(crate) fn scores(
    isa: Isa,
    queries: ArrayView2<'_, f32>,
    constants: Option<&[f32]>,
    rows: TableRows<'_>,
    out: &mut ArrayViewMut2<'_, f32>,
) {
    let (n, width) = queries.dim();
    assert_eq!((n, rows.len, width), (out.nrows(), out.ncols(), rows.width));
    if n == 0 {
        return;
    }
    let queries = queries.as_standard_layout();
    let Some(queries) = queries.as_slice() else { unreachable!("the standard layout is contiguous") };
    if OutRows::new(out).has_slices() {
        return scores_into_rows(isa, queries, constants, rows, OutRows::new(out));
    }
    // Pieces add to what stands in the output, in whole lines.
    let mut contiguous = Array2::zeros(out.dim());
    scores_into_rows(isa, queries, constants, rows, OutRows::new(&mut contiguous.view_mut()));
    out.assign(&contiguous);
}

fn scores_into_rows(isa: Isa, queries: &[f32], constants: Option<&[f32]>, rows: TableRows<'_>, out: OutRows<'_>) {
    for_each_range(rows.len, SCORED_ROWS, nanoseconds_per_row(out.num_rows(), rows.width), |range| {
        // SAFETY: `out` is borrowed mutably by `scores`; every column is in one range.
        unsafe { scores_of_range(isa, queries, constants, rows, range, out) };
    });
}

/// Some of the scores, on this thread.
///
/// # Safety
/// Until it returns, nobody else touches the columns of `out` in the range.
pub(super) unsafe fn scores_of_range(
    isa: Isa,
    queries: &[f32],
    constants: Option<&[f32]>,
    rows: TableRows<'_>,
    range: Range<usize>,
    out: OutRows<'_>,
) {
    let few = out.num_rows() <= FEW_QUERIES;
    assert!(few || out.has_slices(), "pieces add to lines of the output");
    with_numbers!(rows.rows, |numbers| {
        let scores = Scores { isa, queries, constants, numbers, rows, range, out };
        if few { isa.run(FewScores(scores)) } else { isa.run(scores) }
    });
}

struct Scores<'a, T> {
    isa: Isa,
    queries: &'a [f32],
    constants: Option<&'a [f32]>,
    numbers: &'a [T],
    rows: TableRows<'a>,
    range: Range<usize>,
    /// The columns of the range are this thread's: see [`scores_of_range`].
    out: OutRows<'a>,
}

impl<T: Number> Kernel for Scores<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, isa: S) {
        let width = self.rows.width;
        // No closure: the compiler might not use the instruction set in one.
        let mut kept = PANELS.take();
        for first in self.range.clone().step_by(SCORED_ROWS) {
            let block = first..self.range.end.min(first + SCORED_ROWS);
            let out = self.out.columns_of(block.clone());
            for column in (0..width).step_by(SCORED_COLUMNS) {
                let piece = Piece {
                    rows: &self.numbers[(self.rows.first + first) * width..],
                    num_rows: block.len(),
                    stride: width,
                    first_column: column,
                    num_columns: SCORED_COLUMNS.min(width - column),
                };
                let depth = piece.num_columns;
                let panels = scratch::at_least(&mut kept, block.len().div_ceil(PANEL_WIDTH) * depth);
                piece.pack_transposed(isa, panels);
                let source = Source {
                    rows: Numbers::F32(self.queries).into(),
                    stride: width,
                    offset: column,
                    ids: None,
                    panels: Panels::new(panels, depth, block.len()),
                    start: match self.constants {
                        _ if column > 0 => Start::Output,
                        Some(_) => Start::Constant,
                        None => Start::Zero,
                    },
                    factors: self.constants,
                    positions: None,
                };
                // SAFETY: the columns are this thread's: see the field.
                unsafe { multiply_range(self.isa, source, 0..out.num_rows(), out) };
            }
        }
        PANELS.set(kept);
    }
}

/// The same for a few queries.
struct FewScores<'a, T>(Scores<'a, T>);

impl<T: Number> Kernel for FewScores<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, isa: S) {
        let Scores { queries, constants, numbers, rows, range, out, .. } = self.0;
        let numbers = &numbers[rows.first * rows.width..];
        dots(isa, queries, constants, numbers, rows.width, range, |query, first, scores| {
            let out = out.columns_of(first..first + scores.len());
            // SAFETY: the columns are this thread's: see the field.
            unsafe { out.write(query, scores) };
        });
    }
}

/// Σᵥ weights\[i, `first_weight` + v\] · rows\[v\] added to row i of `out` \[n, width\], whose rows are contiguous.
pub(crate) fn add_weighted_rows(
    isa: Isa,
    weights: ArrayView2<'_, f32>,
    first_weight: usize,
    rows: TableRows<'_>,
    out: &mut ArrayViewMut2<'_, f32>,
) {
    let (n, stride) = weights.dim();
    assert_eq!((n, rows.width), out.dim());
    if n == 0 {
        return;
    }
    let weights = weights.as_standard_layout();
    let Some(weights) = weights.as_slice() else { unreachable!("the standard layout is contiguous") };
    let nanoseconds = nanoseconds_per_row(n, rows.len);
    let out = OutRows::new(out);
    assert!(out.has_slices());
    for_each_range(rows.width, SUMMED_COLUMNS / 2, nanoseconds, |range| {
        with_numbers!(rows.rows, |numbers| {
            isa.run(WeightedRows { isa, weights, stride, first_weight, numbers, rows, range, out });
        });
    });
}

struct WeightedRows<'a, T> {
    isa: Isa,
    weights: &'a [f32],
    stride: usize,
    first_weight: usize,
    numbers: &'a [T],
    rows: TableRows<'a>,
    range: Range<usize>,
    /// Borrowed mutably by [`add_weighted_rows`], which gives every column to one thread.
    out: OutRows<'a>,
}

impl<T: Number> Kernel for WeightedRows<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, isa: S) {
        let rows = self.rows;
        let most = if self.out.num_rows() <= FEW_SUMS { SUMMED_ROWS_OF_FEW } else { SUMMED_ROWS };
        // Pieces of about the same height.
        let height = rows.len.div_ceil(rows.len.div_ceil(most).max(1)).max(1);
        // No closure: the compiler might not use the instruction set in one.
        let mut kept = PANELS.take();
        for first in (0..rows.len).step_by(height) {
            for column in self.range.clone().step_by(SUMMED_COLUMNS) {
                let columns = column..self.range.end.min(column + SUMMED_COLUMNS);
                let piece = Piece {
                    rows: &self.numbers[(rows.first + first) * rows.width..],
                    num_rows: height.min(rows.len - first),
                    stride: rows.width,
                    first_column: column,
                    num_columns: columns.len(),
                };
                let depth = piece.num_rows;
                let panels = scratch::at_least(&mut kept, columns.len().div_ceil(PANEL_WIDTH) * depth);
                piece.pack(isa, panels);
                let source = Source {
                    rows: Numbers::F32(self.weights).into(),
                    stride: self.stride,
                    offset: self.first_weight + first,
                    ids: None,
                    panels: Panels::new(panels, depth, columns.len()),
                    start: Start::Output,
                    factors: None,
                    positions: None,
                };
                let out = self.out.columns_of(columns);
                // SAFETY: the columns are this thread's: see the field.
                unsafe { multiply_range(self.isa, source, 0..out.num_rows(), out) };
            }
        }
        PANELS.set(kept);
    }
}
