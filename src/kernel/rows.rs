//! Rows that are copied or added up as they are.

use ndarray::ArrayViewMut2;

use super::prefetch::prefetch;
use crate::{TokenId, rows::Rows};

/// How many rows ahead of the copy the next ones are asked for: far enough to hide the way to memory, near enough to
/// stay in the first-level cache.
const AHEAD: usize = 8;

/// Row `ids[i]` of the table into row i of `out`.
pub(crate) fn copy_rows(table: &Rows<'_>, ids: &[TokenId], out: &mut ArrayViewMut2<'_, f32>) {
    let dim = table.shape()[1];
    let contiguous = table.as_view().and_then(|view| view.to_slice()).zip(out.as_slice_mut());
    let Some((table, out)) = contiguous else {
        return table.copy_rows_into(ids.iter().map(|&id| id as usize), out.rows_mut().into_iter());
    };
    let row = |id: TokenId| &table[id as usize * dim..][..dim];
    for (i, (&id, out)) in ids.iter().zip(out.chunks_exact_mut(dim)).enumerate() {
        if let Some(&next) = ids.get(i + AHEAD) {
            prefetch(row(next), usize::MAX);
        }
        out.copy_from_slice(row(id));
    }
}

/// Σ weightᵢ · row `ids[i]` of `rows` \[n, width\] into `out` \[width\], in the order of the ids.
pub(crate) fn pool_rows(rows: &[f32], weighted_ids: impl Iterator<Item = (TokenId, f32)>, out: &mut [f32]) {
    out.fill(0.0);
    for (id, weight) in weighted_ids {
        let row = &rows[id as usize * out.len()..][..out.len()];
        for (sum, &number) in out.iter_mut().zip(row) {
            *sum += weight * number;
        }
    }
}
