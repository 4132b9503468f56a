//! Norms of rows, for cosines.

use std::sync::OnceLock;

use ndarray::{Array2, ArrayView1, ArrayView2, ArrayViewMut2, Axis};

use crate::TokenId;

/// Rows whose norms are computed together.
const BLOCK_ROWS: usize = 256;

/// 1 / ‖e‖ of every row of a table, 0 for a zero row, finite for the smallest row; `fill` writes the rows of the given ids.
pub(super) fn inverse_norms(
    vocab_size: usize,
    dim: usize,
    mut fill: impl FnMut(&[TokenId], &mut ArrayViewMut2<'_, f32>),
) -> Vec<f32> {
    let mut block = Array2::zeros((BLOCK_ROWS.min(vocab_size), dim));
    let ids: Vec<TokenId> = (0..vocab_size as TokenId).collect();
    let mut norms = Vec::with_capacity(vocab_size);
    for ids in ids.chunks(BLOCK_ROWS) {
        let (mut rows, _) = block.view_mut().split_at(Axis(0), ids.len());
        fill(ids, &mut rows);
        norms.extend(rows.rows().into_iter().map(|row| inverse_norm(row).min(f64::from(f32::MAX)) as f32));
    }
    norms
}

/// What is known, or else what `compute` gives. Not computed while the cell is being set: where that takes several threads,
/// one that waits for the others may come here again, and would wait for itself.
pub(super) fn known_or_computed(cell: &OnceLock<Vec<f32>>, compute: impl FnOnce() -> Vec<f32>) -> &[f32] {
    if cell.get().is_none() {
        // Whoever comes second has computed the same numbers.
        let _ = cell.set(compute());
    }
    cell.get().map_or(&[], Vec::as_slice)
}

/// Each row divided by its norm; a zero row stays zero.
pub(super) fn normalized(rows: ArrayView2<'_, f32>) -> Array2<f32> {
    let mut rows = rows.to_owned();
    for mut row in rows.rows_mut() {
        let scale = inverse_norm(row.view());
        row.mapv_inplace(|value| (f64::from(value) * scale) as f32);
    }
    rows
}

fn inverse_norm(row: ArrayView1<'_, f32>) -> f64 {
    let squares: f64 = row.iter().map(|&value| f64::from(value) * f64::from(value)).sum();
    if squares == 0.0 { 0.0 } else { squares.sqrt().recip() }
}
