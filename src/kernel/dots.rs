//! Scores of a few queries: each row of the table times each query, as it stands.
//!
//! ```text
//! for each row v: for each query i:
//!     out[i, v] = constant[i] + Σⱼ Σₖ queries[i, 16·k + j] · rows[v, 16·k + j]        j = 0, 1, …, 15
//! ```
//!
//! A row is read once, from front to back, while it comes from memory, which is what a few queries wait for: to turn the table
//! into panels first, as for many queries (`products.rs`), would take longer than all else. The sums run over every
//! sixteenth number; those of sixteen rows are transposed and added up together. So the last bits of a score are others
//! than with many queries.

use std::ops::Range;

use super::{
    packed::PANEL_WIDTH,
    simd::{Number, Simd, load_part},
};

/// So many queries or fewer are scored this way: with more, transposing sums costs more than transposing the table. One query
/// took 0.4 of the time with integers of 8 bits, 0.7 with `f16`, 0.9 with a dense table of `f32`.
pub(super) const FEW_QUERIES: usize = 2;

/// Σ query · row of some rows \[len of the range, width\] with each query \[n, width\], given to `write` by query, first row and
/// scores of up to sixteen rows.
#[inline(always)]
pub(super) fn dots<S: Simd, T: Number>(
    isa: S,
    queries: &[f32],
    constants: Option<&[f32]>,
    rows: &[T],
    width: usize,
    range: Range<usize>,
    mut write: impl FnMut(usize, usize, &[f32]),
) {
    for first in range.clone().step_by(PANEL_WIDTH) {
        let num_rows = PANEL_WIDTH.min(range.end - first);
        let block = &rows[first * width..][..num_rows * width];
        for (i, query) in queries.chunks_exact(width).enumerate() {
            let mut sums = [isa.zero(); PANEL_WIDTH];
            for (sum, row) in sums.iter_mut().zip(block.chunks_exact(width)) {
                *sum = dot(isa, query, row);
            }
            let mut score = isa.mul(isa.splat(constants.map_or(0.0, |constants| constants[i])), isa.load(&ONES));
            let one = isa.splat(1.0);
            for column in isa.transpose(sums) {
                score = isa.mul_add(one, column, score);
            }
            let mut scores = [0.0; PANEL_WIDTH];
            isa.store(score, &mut scores);
            write(i, first, &scores[..num_rows]);
        }
    }
}

const ONES: [f32; PANEL_WIDTH] = [1.0; PANEL_WIDTH];

/// Sixteen sums of products of every sixteenth number.
#[inline(always)]
fn dot<S: Simd, T: Number>(isa: S, query: &[f32], row: &[T]) -> S::Line {
    let (query_lines, query_rest) = query.as_chunks();
    let (row_lines, row_rest) = row.as_chunks();
    let mut sum = isa.zero();
    for (query, row) in query_lines.iter().zip(row_lines) {
        sum = isa.mul_add_lines(isa.load(query), T::load(isa, row), sum);
    }
    if !row_rest.is_empty() {
        sum = isa.mul_add_lines(load_part(isa, query_rest), load_part(isa, row_rest), sum);
    }
    sum
}
