//! Dense products over the vocabulary, by way of the matrix product that `ndarray` uses (`matrixmultiply`).

use ndarray::{ArrayView2, ArrayViewMut2, linalg::general_mat_mul};

/// `queries` \[n, width\] · `rows`ᵀ \[width, m\] into `out` \[n, m\].
pub(crate) fn scores(queries: ArrayView2<'_, f32>, rows: ArrayView2<'_, f32>, out: &mut ArrayViewMut2<'_, f32>) {
    general_mat_mul(1.0, &queries, &rows.t(), 0.0, out);
}

/// `weights` \[n, m\] · `rows` \[m, width\] added to `out` \[n, width\].
pub(crate) fn add_product(weights: ArrayView2<'_, f32>, rows: ArrayView2<'_, f32>, out: &mut ArrayViewMut2<'_, f32>) {
    general_mat_mul(1.0, &weights, &rows, 1.0, out);
}
