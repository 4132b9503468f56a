//! How much each direction of a row matters.

#[cfg(feature = "serde")]
mod stored;

use std::fmt;

use ndarray::{Array1, Array2, ArrayView2, Axis};

use super::{GramAccumulator, Products};
use crate::{
    Error, Result,
    embedding::check,
    linalg::{self, Eigen},
};

/// Eigenvalues below this share of the largest are what rounding left of zero.
const NOISE: f64 = 1e-10;
/// The same of sums of products in `f32`.
const NOISE_F32: f64 = 1e-5;

/// The second moment C = 𝔼\[hᵀ·h\] \[dim × dim\] of the vectors h that meet the rows of a table in products, such as the hidden
/// states before a tied output head.
///
/// A decomposition that is given one minimises Σᵢ wᵢ · (eᵢ − êᵢ) · C · (eᵢ − êᵢ)ᵀ, the error of the logits e·hᵀ, instead of the
/// error of the table: the SVD of E·L with C = L·Lᵀ does it (the data-aware low-rank approximation of Chen, Yu, Dhillon and
/// Hsieh 2021, "DRONE"). Where C is singular, directions that no h has are given up; a
/// [ridge](Self::with_ridge) keeps some of them.
///
/// # Examples
///
/// ```
/// use factorized_embedding::{ColumnCovariance, Decompose, Rank, TruncatedSvd};
/// use ndarray::array;
///
/// # fn main() -> factorized_embedding::Result<()> {
/// let table = array![[3.0, 0.0], [0.0, 1.0], [1.0, 1.0]];
/// let hidden = array![[0.1, 5.0], [-0.1, 4.0]]; // the second column is what counts
/// let covariance = ColumnCovariance::of(hidden.view())?;
/// let decomposition = TruncatedSvd::new(Rank::Fixed(1)).with_column_covariance(covariance).decompose(table.view())?;
/// let (logits, approximation) = (table.dot(&hidden.t()), decomposition.factors.to_dense().dot(&hidden.t()));
/// assert!((logits - approximation).iter().all(|error| error.abs() < 0.5));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize), serde(try_from = "stored::ColumnCovariance"))]
pub struct ColumnCovariance {
    matrix: Array2<f64>,
    /// What its sums were added up in: how much of it is rounding.
    products: Products,
    /// L \[dim × dim\], L·Lᵀ = C.
    root: Array2<f64>,
    /// L⁺ \[dim × dim\].
    inverse_root: Array2<f64>,
}

impl ColumnCovariance {
    /// A matrix that is known already. Only its proportions count, not its scale.
    ///
    /// # Shapes
    /// `matrix` \[dim, dim\], symmetric and positive semidefinite but for rounding.
    ///
    /// # Errors
    /// [`ShapeMismatch`](Error::ShapeMismatch) for a matrix that is not square, [`Empty`](Error::Empty),
    /// [`NonFinite`](Error::NonFinite), [`InvalidSetting`](Error::InvalidSetting) for one that is not symmetric, has a negative
    /// eigenvalue or is zero, [`NoConvergence`](Error::NoConvergence).
    pub fn new(matrix: Array2<f64>) -> Result<Self> {
        Self::of_sums(matrix, Products::F64)
    }

    /// The second moment that was summed with such products.
    pub(super) fn of_sums(matrix: Array2<f64>, products: Products) -> Result<Self> {
        let noise = if products == Products::F32 { NOISE_F32 } else { NOISE };
        let dim = matrix.ncols();
        if matrix.is_empty() {
            return Err(Error::Empty { what: "column covariance [dim, dim]", shape: matrix.shape().to_vec() });
        }
        if matrix.nrows() != dim {
            return Err(Error::ShapeMismatch {
                what: "column covariance [dim, dim]",
                expected: vec![dim, dim],
                actual: matrix.shape().to_vec(),
            });
        }
        if let Some((index, &value)) = matrix.indexed_iter().find(|(_, value)| !value.is_finite()) {
            let index = vec![index.0, index.1];
            return Err(Error::NonFinite { what: "column covariance [dim, dim]", index, value });
        }
        let largest = matrix.iter().fold(0.0, |largest: f64, value| largest.max(value.abs()));
        let asymmetry = (&matrix - &matrix.t()).iter().fold(0.0, |largest: f64, value| largest.max(value.abs()));
        if asymmetry > noise * largest {
            let name = "the asymmetry of the column covariance";
            return Err(Error::InvalidSetting { name, value: asymmetry, expected: "none but rounding" });
        }
        let Eigen { values, vectors } = linalg::symmetric_eigen(matrix.view())?;
        let (largest, least) = (values[0], values[dim - 1]);
        if !(largest > 0.0 && least >= -noise * largest) {
            let name = "an eigenvalue of the column covariance";
            let value = if largest > 0.0 { least } else { largest };
            return Err(Error::InvalidSetting {
                name,
                value,
                expected: "a positive semidefinite matrix that is not zero",
            });
        }
        // The largest eigenvalue becomes 1: a scale would only change that of D.
        let roots = values.mapv(|value| if value > noise * largest { (value / largest).sqrt() } else { 0.0 });
        let inverses = roots.mapv(|root: f64| if root > 0.0 { root.recip() } else { 0.0 });
        let scaled = |scales: Array1<f64>| &vectors * &scales.insert_axis(Axis(1));
        let root = scaled(roots).reversed_axes().as_standard_layout().into_owned();
        Ok(Self { root, inverse_root: scaled(inverses), matrix, products })
    }

    /// The second moment of a sample.
    ///
    /// # Shapes
    /// `hidden` \[n, dim\]
    ///
    /// # Errors
    /// [`Empty`](Error::Empty), [`NonFinite`](Error::NonFinite), [`InvalidSetting`](Error::InvalidSetting) when all are zero.
    pub fn of(hidden: ArrayView2<'_, f32>) -> Result<Self> {
        if hidden.is_empty() {
            return Err(Error::Empty { what: "hidden [n, dim]", shape: hidden.shape().to_vec() });
        }
        check::finite("hidden [n, dim]", &hidden)?;
        let mut sums = GramAccumulator::new(hidden.ncols())?;
        sums.update(hidden, None)?;
        sums.column_covariance()
    }

    /// The same with `share` times the mean of the diagonal added to it, so that no direction is free.
    ///
    /// # Errors
    /// [`InvalidSetting`](Error::InvalidSetting) when it is negative or not finite.
    pub fn with_ridge(self, share: f64) -> Result<Self> {
        if !(share.is_finite() && share >= 0.0) {
            return Err(Error::InvalidSetting {
                name: "ridge",
                value: share,
                expected: "a finite number that is not negative",
            });
        }
        let ridge = share * self.matrix.diag().mean().unwrap_or(0.0);
        Self::new(self.matrix + Array2::from_diag_elem(self.root.nrows(), ridge))
    }

    /// Columns of the tables that it fits.
    #[must_use]
    pub fn dim(&self) -> usize {
        self.matrix.nrows()
    }

    /// C \[dim, dim\].
    #[must_use]
    pub fn matrix(&self) -> ArrayView2<'_, f64> {
        self.matrix.view()
    }

    /// L, up to a scale.
    pub(super) fn root(&self) -> ArrayView2<'_, f64> {
        self.root.view()
    }

    /// L⁺ for that L.
    pub(super) fn inverse_root(&self) -> ArrayView2<'_, f64> {
        self.inverse_root.view()
    }

    /// # Errors
    /// [`ShapeMismatch`](Error::ShapeMismatch) for a table of another width.
    pub(super) fn check(&self, dim: usize) -> Result<()> {
        if self.dim() == dim {
            return Ok(());
        }
        Err(Error::ShapeMismatch {
            what: "column covariance [dim, dim]",
            expected: vec![dim, dim],
            actual: vec![self.dim(), self.dim()],
        })
    }
}

impl fmt::Debug for ColumnCovariance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ColumnCovariance([{dim}, {dim}])", dim = self.dim())
    }
}
