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

/// Rows that are added up before they are added to the sum, so that a long sum does not swallow single rows.
pub(crate) const POOLED_TOGETHER: usize = 64;

/// Σ weightᵢ · row `ids[i]` of `rows` \[n, width\] into `out` \[width\], in the order of the ids, in sums of
/// [`POOLED_TOGETHER`] rows.
pub(crate) fn pool_rows(rows: &[f32], weighted_ids: impl Iterator<Item = (TokenId, f32)>, out: &mut [f32]) {
    let width = out.len();
    let mut partial = Vec::new();
    out.fill(0.0);
    for (i, (id, weight)) in weighted_ids.enumerate() {
        if i > 0 && i.is_multiple_of(POOLED_TOGETHER) {
            add(&partial, out);
            partial.clear();
            partial.resize(width, 0.0);
        }
        // The first sum is the whole of a short bag: it needs no place of its own.
        let sum: &mut [f32] = if i < POOLED_TOGETHER { out } else { &mut partial };
        let row = &rows[id as usize * width..][..width];
        for (sum, &number) in sum.iter_mut().zip(row) {
            *sum += weight * number;
        }
    }
    add(&partial, out);
}

fn add(numbers: &[f32], out: &mut [f32]) {
    for (sum, &number) in out.iter_mut().zip(numbers) {
        *sum += number;
    }
}
