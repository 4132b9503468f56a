//! Small least squares problems, one after the other: min ‖A·x − b‖² + shift·‖x‖².
//!
//! They are solved through the normal equations (Aᵀ·A + shift·I)·x = Aᵀb, whose matrix is small whatever the number of
//! rows of A; and where A has fewer rows than columns through the still smaller A·Aᵀ. A positive definite matrix is
//! factorized by Cholesky; one that is singular to rounding has the solution of least norm, through its eigenvalues.

use faer::{
    Accum, Mat, MatMut, MatRef, Par, Side,
    linalg::{
        matmul::{
            matmul,
            triangular::{self, BlockStructure},
        },
        solvers::{Llt, Solve},
    },
};
use ndarray::{Array2, ArrayView2, ArrayViewMut1};

use super::{to_array, to_mat};
use crate::{Error, Result};

/// Pivots and eigenvalues up to this, relative to the largest, may be nothing but rounding: the matrices are sums of up
/// to millions of products.
const SINGULAR: f64 = 1e-12;

/// The normal equations of one right-hand side, whose rows arrive in blocks.
#[derive(Debug)]
pub(crate) struct NormalEquations {
    /// Aᵀ·A \[n × n\], the lower triangle.
    gram: Mat<f64>,
    /// Aᵀb \[n × 1\].
    image: Mat<f64>,
}

impl NormalEquations {
    pub(crate) fn new(unknowns: usize) -> Self {
        Self { gram: Mat::zeros(unknowns, unknowns), image: Mat::zeros(unknowns, 1) }
    }

    pub(crate) fn clear(&mut self) {
        self.gram.fill(0.0);
        self.image.fill(0.0);
    }

    /// Adds rows of A, row-major \[m × n\], and of b \[m\].
    pub(crate) fn add(&mut self, rows: &[f64], values: &[f64]) {
        let rows = MatRef::from_row_major_slice(rows, values.len(), self.gram.ncols());
        let values = MatRef::from_column_major_slice(values, values.len(), 1);
        add_gram(self.gram.as_mut(), rows.transpose());
        matmul(&mut self.image, Accum::Add, rows.transpose(), values, 1.0, Par::Seq);
    }

    /// The solution into `out` \[n\].
    ///
    /// # Errors
    /// [`NoConvergence`](Error::NoConvergence).
    pub(crate) fn solve(&self, shift: f64, mut out: ArrayViewMut1<'_, f64>) -> Result<()> {
        let solution = solve(self.gram.clone(), shift, self.image.clone())?;
        out.iter_mut().zip(solution.col(0).iter()).for_each(|(out, &value)| *out = value);
        Ok(())
    }
}

/// The solution for a matrix A of few rows, row-major \[m × n\], into `out` \[n\]: x = Aᵀ·(A·Aᵀ + shift·I)⁻¹·b.
///
/// # Errors
/// [`NoConvergence`](Error::NoConvergence).
pub(crate) fn solve_wide(rows: &[f64], values: &[f64], shift: f64, mut out: ArrayViewMut1<'_, f64>) -> Result<()> {
    let (m, n) = (values.len(), out.len());
    let rows = MatRef::from_row_major_slice(rows, m, n);
    let mut gram = Mat::zeros(m, m);
    add_gram(gram.as_mut(), rows);
    let dual = solve(gram, shift, MatRef::from_column_major_slice(values, m, 1).to_owned())?;
    let mut solution = Mat::<f64>::zeros(n, 1);
    matmul(&mut solution, Accum::Replace, rows.transpose(), &dual, 1.0, Par::Seq);
    out.iter_mut().zip(solution.col(0).iter()).for_each(|(out, &value)| *out = value);
    Ok(())
}

/// The X \[n × k\] with (`gram` + shift·I)·X = `images`, for a symmetric positive semidefinite `gram` \[n × n\].
///
/// # Errors
/// [`NoConvergence`](Error::NoConvergence).
pub(crate) fn solve_gram(gram: ArrayView2<'_, f64>, shift: f64, images: ArrayView2<'_, f64>) -> Result<Array2<f64>> {
    Ok(to_array(solve(to_mat(gram), shift, to_mat(images))?.as_ref()))
}

/// Adds A·Aᵀ to the lower triangle.
fn add_gram(gram: MatMut<'_, f64>, a: MatRef<'_, f64>) {
    let (lower, whole) = (BlockStructure::TriangularLower, BlockStructure::Rectangular);
    triangular::matmul(gram, lower, Accum::Add, a, whole, a.transpose(), whole, 1.0, Par::Seq);
}

/// Reads the lower triangle of `gram`.
fn solve(mut gram: Mat<f64>, shift: f64, mut images: Mat<f64>) -> Result<Mat<f64>> {
    let n = gram.nrows();
    (0..n).for_each(|i| gram[(i, i)] += shift);
    let largest = (0..n).map(|i| gram[(i, i)]).fold(0.0, f64::max);
    let regular = |llt: &Llt<f64>| (0..n).all(|i| llt.L()[(i, i)].powi(2) > SINGULAR * largest);
    if let Some(llt) = gram.llt(Side::Lower).ok().filter(regular) {
        llt.solve_in_place(&mut images);
        return Ok(images);
    }
    let eigen =
        gram.self_adjoint_eigen(Side::Lower).map_err(|_| Error::NoConvergence { what: "eigenvalue decomposition" })?;
    let largest = eigen.S().column_vector().iter().fold(0.0, |largest: f64, &value| largest.max(value));
    let mut coordinates = eigen.U().transpose() * images;
    for (k, &value) in eigen.S().column_vector().iter().enumerate() {
        let inverse = if value > SINGULAR * largest { value.recip() } else { 0.0 };
        coordinates.row_mut(k).iter_mut().for_each(|coordinate| *coordinate *= inverse);
    }
    Ok(eigen.U() * coordinates)
}

#[cfg(test)]
mod tests;
