//! Rows times the packed projection, in safe code that every target compiles to its own vectors.
//!
//! ```text
//! for i in rows: for j in columns:
//!     out[i, j] = bias_weight[i] · bias[j] + Σₖ row(i)[k] · projection[k, j]        k = 0, 1, …, rank − 1
//! ```
//!
//! The loops depart from this in two ways, neither of which changes a bit of the result:
//! 1. Four rows by sixteen columns are computed together, so that a line of the panel is loaded once for four rows and the
//!    sums stay in registers.
//! 2. Blocks of rows go through all panels before the next block begins, so that the rows stay in the first-level cache.
//!
//! Every sum runs over k in the same order, whatever the position of the row and the number of rows.

use ndarray::ArrayViewMut2;

use super::packed::{PANEL_WIDTH, PackedProjection, Panel, PanelRow};
use crate::TokenId;

/// Rows that are computed together.
const TILE_ROWS: usize = 4;
/// Rows that go through all panels together: a multiple of the tile's.
const BLOCK_ROWS: usize = 24;

/// Row `ids[i]` of `rows` \[n, rank\], times the projection, plus the bias, into row i of `out`.
pub(crate) fn project_rows(
    rows: &[f32],
    ids: &[TokenId],
    projection: &PackedProjection,
    out: &mut ArrayViewMut2<'_, f32>,
) {
    let rank = projection.rank();
    let row = |i: usize| &rows[ids[i] as usize * rank..][..rank];
    blocks(ids.len(), row, |_| 1.0, projection, out);
}

/// Each row of `rows` \[n, rank\], times the projection, plus the bias times `bias_weights` \[n\] (1 when there are none),
/// into the same row of `out`.
pub(crate) fn project(
    rows: &[f32],
    bias_weights: Option<&[f32]>,
    projection: &PackedProjection,
    out: &mut ArrayViewMut2<'_, f32>,
) {
    let rank = projection.rank();
    let row = |i: usize| &rows[i * rank..][..rank];
    let bias_weight = |i: usize| bias_weights.map_or(1.0, |weights| weights[i]);
    blocks(rows.len() / rank, row, bias_weight, projection, out);
}

fn blocks<'a>(
    num_rows: usize,
    row: impl Fn(usize) -> &'a [f32],
    bias_weight: impl Fn(usize) -> f32,
    projection: &PackedProjection,
    out: &mut ArrayViewMut2<'_, f32>,
) {
    for start in (0..num_rows).step_by(BLOCK_ROWS) {
        let end = num_rows.min(start + BLOCK_ROWS);
        for panel in projection.panels() {
            for i in (start..end).step_by(TILE_ROWS) {
                match end - i {
                    1 => tile::<1>(i, &row, &bias_weight, &panel, out),
                    2 => tile::<2>(i, &row, &bias_weight, &panel, out),
                    3 => tile::<3>(i, &row, &bias_weight, &panel, out),
                    _ => tile::<TILE_ROWS>(i, &row, &bias_weight, &panel, out),
                }
            }
        }
    }
}

fn tile<'a, const N: usize>(
    first: usize,
    row: &impl Fn(usize) -> &'a [f32],
    bias_weight: &impl Fn(usize) -> f32,
    panel: &Panel<'_>,
    out: &mut ArrayViewMut2<'_, f32>,
) {
    let rows: [&[f32]; N] = std::array::from_fn(|i| row(first + i));
    let bias_weights: [f32; N] = std::array::from_fn(|i| bias_weight(first + i));
    let sums = multiply(rows, bias_weights, panel);
    for (i, sums) in sums.iter().enumerate() {
        let mut out = out.row_mut(first + i);
        match out.as_slice_mut() {
            Some(out) => {
                let out = &mut out[panel.columns.clone()];
                match out.first_chunk_mut::<PANEL_WIDTH>() {
                    Some(out) => *out = *sums,
                    None => out.copy_from_slice(&sums[..out.len()]),
                }
            }
            None => {
                for (j, &sum) in panel.columns.clone().zip(sums) {
                    out[j] = sum;
                }
            }
        }
    }
}

#[inline(always)]
fn multiply<const N: usize>(rows: [&[f32]; N], bias_weights: [f32; N], panel: &Panel<'_>) -> [[f32; PANEL_WIDTH]; N] {
    let mut sums = bias_weights.map(|weight| panel.bias.0.map(|bias| weight * bias));
    let rank = panel.rows.len();
    let rows = rows.map(|row| &row[..rank]);
    for (k, PanelRow(line)) in panel.rows.iter().enumerate() {
        for (row, sums) in rows.iter().zip(&mut sums) {
            let coefficient = row[k];
            for (sum, &number) in sums.iter_mut().zip(line) {
                *sum += coefficient * number;
            }
        }
    }
    sums
}
