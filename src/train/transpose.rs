//! Transposed copies, tile by tile, so that neither side is read or written a number at a time from far apart.

use ndarray::{ArrayView2, ArrayViewMut2, s};

/// Rows and columns of a tile: one cache line of `f32`.
const TILE: usize = 16;

/// `out[j, i] = array[i, j]`
pub(super) fn transpose_into(array: ArrayView2<'_, f32>, mut out: ArrayViewMut2<'_, f32>) {
    let (rows, columns) = array.dim();
    for first in (0..rows).step_by(TILE) {
        for column in (0..columns).step_by(TILE) {
            let tile = s![first..rows.min(first + TILE), column..columns.min(column + TILE)];
            let target = s![column..columns.min(column + TILE), first..rows.min(first + TILE)];
            out.slice_mut(target).assign(&array.slice(tile).t());
        }
    }
}
