//! Eigenvalues of symmetric matrices.

use faer::{MatRef, Side};
use ndarray::{Array1, Array2, ArrayView2, Axis};

use super::{RightSvd, to_array};
use crate::{Error, Result};

/// Eigenvalues, never increasing, and as many orthonormal eigenvectors.
pub(crate) struct Eigen {
    /// \[n\]
    pub(crate) values: Array1<f64>,
    /// \[n × n\], an eigenvector a row.
    pub(crate) vectors: Array2<f64>,
}

/// Of a symmetric matrix \[n × n\] of which only the lower triangle is read.
///
/// # Errors
/// [`NoConvergence`](Error::NoConvergence).
pub(crate) fn symmetric_eigen(matrix: ArrayView2<'_, f64>) -> Result<Eigen> {
    let matrix = matrix.as_standard_layout();
    let (rows, columns) = matrix.dim();
    let eigen = MatRef::from_row_major_slice(matrix.as_slice().unwrap_or_default(), rows, columns)
        .self_adjoint_eigen(Side::Lower)
        .map_err(|_| Error::NoConvergence { what: "eigenvalue decomposition" })?;
    let values = eigen.S().column_vector();
    // The smallest one comes first.
    let values = (0..rows).rev().map(|i| values[i]).collect();
    let mut vectors = to_array(eigen.U().transpose());
    vectors.invert_axis(Axis(0));
    Ok(Eigen { values, vectors: vectors.as_standard_layout().into_owned() })
}

/// The singular values and right singular vectors of A from Aᵀ·A \[dim × dim\], of which only the lower triangle is read:
/// those below about √ε·σ₁ are noise.
///
/// # Errors
/// [`NoConvergence`](Error::NoConvergence).
pub(crate) fn right_svd_of_gram(gram: ArrayView2<'_, f64>) -> Result<RightSvd> {
    let Eigen { values, vectors } = symmetric_eigen(gram)?;
    Ok(RightSvd { singular_values: values.mapv(|value| value.max(0.0).sqrt()), v: vectors })
}

/// A square root L of a symmetric positive semidefinite matrix C = L·Lᵀ \[n × n\], through its eigenvalues (so that
/// singular matrices have one too); what rounding made negative counts as zero.
///
/// # Errors
/// [`NoConvergence`](Error::NoConvergence).
pub(crate) fn square_root(covariance: ArrayView2<'_, f64>) -> Result<Array2<f64>> {
    let Eigen { values, vectors } = symmetric_eigen(covariance)?;
    let roots = values.mapv(|value| value.max(0.0).sqrt());
    Ok((vectors * roots.insert_axis(Axis(1))).reversed_axes().as_standard_layout().into_owned())
}
