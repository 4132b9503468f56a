//! The few calls into `faer`, behind plain functions on arrays. All of it is `f64`.

use faer::{Mat, MatRef, Side};
use ndarray::{Array1, Array2, ArrayView2, Axis};

use crate::{Error, Result};

/// The triangular factor R of the QR decomposition of a tall matrix that arrives in blocks of rows.
///
/// Each block is stacked under the R so far and the stack is factorized again (a sequential TSQR; Demmel, Grigori, Hoemmen,
/// Langou 2012, "Communication-optimal parallel and sequential QR and LU factorizations"), so that no more than a block is
/// held in `f64`. R has the singular values and right singular vectors of the whole matrix, as accurately as a QR of the
/// whole would give them.
pub(crate) struct TriangularFactor {
    r: Mat<f64>,
}

/// The singular values of a matrix \[n × dim\], never increasing, and its right singular vectors.
pub(crate) struct RightSvd {
    /// \[min(n, dim)\]
    pub(crate) singular_values: Array1<f64>,
    /// \[min(n, dim) × dim\], orthonormal rows, the entry of largest magnitude in each one positive.
    pub(crate) v: Array2<f64>,
}

impl TriangularFactor {
    pub(crate) fn new(dim: usize) -> Self {
        Self { r: Mat::zeros(0, dim) }
    }

    /// Rows of the block \[m × dim\] come below all rows so far.
    pub(crate) fn append(&mut self, block: ArrayView2<'_, f64>) {
        let above = self.r.nrows();
        let stacked = Mat::from_fn(above + block.nrows(), block.ncols(), |i, j| {
            if i < above { self.r[(i, j)] } else { block[[i - above, j]] }
        });
        self.r = stacked.qr().thin_R().to_owned();
    }

    /// # Errors
    /// [`NoConvergence`](Error::NoConvergence).
    pub(crate) fn svd(&self) -> Result<RightSvd> {
        let svd = self.r.thin_svd().map_err(|_| Error::NoConvergence { what: "singular value decomposition" })?;
        let singular_values = svd.S().column_vector().iter().copied().collect();
        let mut v = to_array(svd.V().transpose());
        for mut row in v.rows_mut() {
            let largest = row.iter().fold(0.0, |largest: f64, &x| if x.abs() > largest.abs() { x } else { largest });
            if largest < 0.0 {
                row.mapv_inplace(|x| -x);
            }
        }
        Ok(RightSvd { singular_values, v })
    }
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

/// A square root L of a symmetric positive semidefinite matrix C = L·Lᵀ \[n × n\], through its eigenvalues (so that
/// singular matrices have one too); what rounding made negative counts as zero.
///
/// # Errors
/// [`NoConvergence`](Error::NoConvergence).
pub(crate) fn square_root(covariance: ArrayView2<'_, f64>) -> Result<Array2<f64>> {
    let eigen = to_mat(covariance)
        .self_adjoint_eigen(Side::Lower)
        .map_err(|_| Error::NoConvergence { what: "eigenvalue decomposition" })?;
    let roots: Array1<f64> = eigen.S().column_vector().iter().map(|value| value.max(0.0).sqrt()).collect();
    Ok(to_array(eigen.U()) * roots.insert_axis(Axis(0)))
}

fn to_mat(array: ArrayView2<'_, f64>) -> Mat<f64> {
    Mat::from_fn(array.nrows(), array.ncols(), |i, j| array[[i, j]])
}

fn to_array(mat: MatRef<'_, f64>) -> Array2<f64> {
    Array2::from_shape_fn((mat.nrows(), mat.ncols()), |(i, j)| mat[(i, j)])
}

#[cfg(test)]
mod tests;
