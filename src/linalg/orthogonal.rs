//! QR and singular value decompositions.

use faer::{
    Mat, MatMut, Par, Spec,
    dyn_stack::{MemBuffer, MemStack},
    linalg::qr::no_pivoting::factor,
};
use ndarray::{Array1, Array2, ArrayView2, ArrayViewMut1};

use super::{RightSvd, to_array, to_mat};
use crate::{Error, Result};

/// Turns a direction so that its entry of largest magnitude is positive; whether it had to be turned.
pub(crate) fn orient(mut direction: ArrayViewMut1<'_, f64>) -> bool {
    let largest = direction.iter().fold(0.0, |largest: f64, &x| if x.abs() > largest.abs() { x } else { largest });
    if largest < 0.0 {
        direction.mapv_inplace(|x| -x);
    }
    largest < 0.0
}

/// The triangular factor R \[min(m, n) × n\] of the QR decomposition of a matrix \[m × n\].
pub(crate) fn triangular_factor(matrix: ArrayView2<'_, f64>) -> Array2<f64> {
    triangular_factor_of_columns(matrix.t().as_standard_layout().into_owned())
}

/// The same of a matrix that is given by its columns \[n × m\], in whose place it is computed.
pub(crate) fn triangular_factor_of_columns(columns: Array2<f64>) -> Array2<f64> {
    let (n, m) = columns.dim();
    let (size, block_size) = (m.min(n), factor::recommended_block_size::<f64>(m, n));
    if size == 0 {
        return Array2::zeros((size, n));
    }
    let mut columns = columns.as_standard_layout().into_owned();
    if let Some(numbers) = columns.as_slice_mut() {
        let matrix = MatMut::from_column_major_slice_mut(numbers, m, n);
        let mut coefficients = Mat::zeros(block_size, size);
        let (parallelism, parameters) = (Par::Seq, Spec::default());
        let scratch = factor::qr_in_place_scratch::<f64>(m, n, block_size, parallelism, parameters);
        let mut memory = MemBuffer::new(scratch);
        factor::qr_in_place(matrix, coefficients.as_mut(), parallelism, MemStack::new(&mut memory), parameters);
    }
    Array2::from_shape_fn((size, n), |(i, j)| if i <= j { columns[[j, i]] } else { 0.0 })
}

/// Orthonormal columns \[m × min(m, n)\] whose span holds the columns of a matrix \[m × n\].
pub(crate) fn orthonormal_columns(matrix: ArrayView2<'_, f64>) -> Array2<f64> {
    to_array(to_mat(matrix).qr().compute_thin_Q().as_ref())
}

/// The singular values and right singular vectors of a matrix \[m × n\], min(m, n) of them.
///
/// # Errors
/// [`NoConvergence`](Error::NoConvergence).
pub(crate) fn right_svd(matrix: ArrayView2<'_, f64>) -> Result<RightSvd> {
    let svd = to_mat(matrix).thin_svd().map_err(|_| Error::NoConvergence { what: "singular value decomposition" })?;
    let singular_values = svd.S().column_vector().iter().copied().collect();
    Ok(RightSvd { singular_values, v: to_array(svd.V().transpose()) })
}

/// The pseudo-inverse \[dim × rank\] of a wide matrix \[rank × dim\]; singular values up to `tolerance` times the largest
/// count as zero.
///
/// # Errors
/// [`NoConvergence`](Error::NoConvergence).
pub(crate) fn pseudo_inverse(matrix: ArrayView2<'_, f64>, tolerance: f64) -> Result<Array2<f64>> {
    let svd = to_mat(matrix).thin_svd().map_err(|_| Error::NoConvergence { what: "singular value decomposition" })?;
    let singular_values: Array1<f64> = svd.S().column_vector().iter().copied().collect();
    let threshold = tolerance * singular_values.iter().fold(0.0, |largest: f64, &value| largest.max(value));
    let inverses = singular_values.mapv(|value| if value > threshold { value.recip() } else { 0.0 });
    Ok((to_array(svd.V()) * inverses).dot(&to_array(svd.U().transpose())))
}
