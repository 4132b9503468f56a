//! How the gradients of U are spread over its columns.

use std::{fmt, ops::Range};

use ndarray::{Array1, Array2, ArrayView2, s};

use super::RowGradient;
use crate::{Error, Result, decompose::parallel::map_in_order, embedding::check, linalg};

/// Rows whose squares add up as `f32`.
const BLOCK_ROWS: usize = 1024;

/// The running mean of Gᵀ·G \[rank, rank\] over the gradients G of U, whose eigenvectors factors are
/// [turned to](super::FactorOptimizer::rotate_to_eigenbasis): the uncentred covariance of their rows, but for a factor. It is one of
/// the two matrices of Shampoo (Gupta, Koren & Singer 2018, "Shampoo: Preconditioned Stochastic Tensor Optimization",
/// Algorithm 1), as a mean with decay. From [zeros](Self::new) on, after n additions, it is 1 − decayⁿ times a weighted
/// mean, whose eigenvectors are the same.
///
/// It is of the columns as they are: whatever else makes the factors anew, such as
/// [other directions](super::FactorOptimizer::orthonormalize), needs another one. No file of an optimizer holds it: training goes on
/// bit for bit where the [matrix](Self::matrix) is kept, too.
#[derive(Clone, PartialEq)]
pub struct GradientCovariance {
    decay: f64,
    /// Symmetric.
    matrix: Array2<f64>,
}

impl GradientCovariance {
    /// Zeros, of gradients with `rank` columns. Each [addition](Self::add) multiplies what there is with `decay`, such as 0.95.
    ///
    /// # Errors
    /// [`InvalidSetting`](Error::InvalidSetting) for a decay that is not in 0..1.
    pub fn new(rank: usize, decay: f64) -> Result<Self> {
        Self::from_matrix(Array2::zeros((rank, rank)), decay)
    }

    /// One that goes on from a [matrix](Self::matrix) of before, of which the lower triangle is read.
    ///
    /// # Shapes
    /// `matrix` \[rank, rank\]
    ///
    /// # Errors
    /// [`InvalidSetting`](Error::InvalidSetting) for a decay that is not in 0..1, [`ShapeMismatch`](Error::ShapeMismatch) for a matrix
    /// that is not square, [`NonFinite`](Error::NonFinite).
    pub fn from_matrix(mut matrix: Array2<f64>, decay: f64) -> Result<Self> {
        if !(0.0..1.0).contains(&decay) {
            return Err(Error::InvalidSetting { name: "decay", value: decay, expected: "at least 0 and less than 1" });
        }
        let (rows, columns) = matrix.dim();
        if rows != columns {
            let (expected, actual) = (vec![rows, rows], vec![rows, columns]);
            return Err(Error::ShapeMismatch { what: "covariance [rank, rank]", expected, actual });
        }
        linalg::mirror(&mut matrix);
        match matrix.indexed_iter().find(|(_, entry)| !entry.is_finite()) {
            Some(((row, column), &value)) => {
                Err(Error::NonFinite { what: "covariance [rank, rank]", index: vec![row, column], value })
            }
            None => Ok(Self { decay, matrix }),
        }
    }

    /// The gradient of a step: matrix ← decay · matrix + (1 − decay) · Gᵀ·G. Takes rank² operations a row.
    ///
    /// # Shapes
    /// `gradient` of U \[k, rank\]
    ///
    /// # Errors
    /// [`ShapeMismatch`](Error::ShapeMismatch) for another rank, [`NonFinite`](Error::NonFinite), [`Overflow`](Error::Overflow) of
    /// squares as `f32`. Nothing is changed then.
    pub fn add(&mut self, gradient: &RowGradient) -> Result<()> {
        let rows = gradient.values();
        check::columns("gradient of u [k, rank]", rows, self.rank())?;
        let mut gram = Array2::zeros(self.matrix.dim());
        let block = |range: Range<usize>| linalg::gram(rows.slice(s![range, ..]));
        map_in_order(rows.nrows(), BLOCK_ROWS, 1, block, |block: Array2<f32>| {
            gram.zip_mut_with(&block, |sum: &mut f64, &number| *sum += f64::from(number));
            Ok(())
        })?;
        if gram.iter().any(|number| !number.is_finite()) {
            check::finite("gradient of u [k, rank]", &rows)?;
            return Err(Error::Overflow { what: "covariance of gradients" });
        }
        linalg::mirror(&mut gram);
        let decay = self.decay;
        self.matrix.zip_mut_with(&gram, |mean, &new| *mean = decay * *mean + (1.0 - decay) * new);
        Ok(())
    }

    /// \[rank, rank\], symmetric.
    #[must_use]
    pub fn matrix(&self) -> ArrayView2<'_, f64> {
        self.matrix.view()
    }

    /// Bytes of the matrix.
    #[must_use]
    pub fn size_in_bytes(&self) -> usize {
        self.matrix.len() * size_of::<f64>()
    }

    /// What is multiplied with in each addition.
    #[must_use]
    pub fn decay(&self) -> f64 {
        self.decay
    }

    fn rank(&self) -> usize {
        self.matrix.nrows()
    }

    /// # Errors
    /// [`ShapeMismatch`](Error::ShapeMismatch).
    pub(super) fn check_rank(&self, rank: usize) -> Result<()> {
        if self.rank() == rank {
            return Ok(());
        }
        let (expected, actual) = (vec![rank, rank], self.matrix.shape().to_vec());
        Err(Error::ShapeMismatch { what: "covariance [rank, rank]", expected, actual })
    }

    /// Of columns that are turned to its eigenvectors.
    pub(super) fn set_eigenvalues(&mut self, eigenvalues: &Array1<f64>) {
        self.matrix = Array2::from_diag(eigenvalues);
    }
}

impl fmt::Debug for GradientCovariance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "GradientCovariance({:?}, decay {})", self.matrix.shape(), self.decay)
    }
}
