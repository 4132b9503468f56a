//! From a table to its factors.

mod als;
mod basis;
mod blockwise;
mod column_covariance;
mod effective_rank;
mod gram;
mod hard_threshold;
mod knee;
mod marchenko_pastur;
mod mean;
mod moments;
mod objective;
pub(crate) mod parallel;
pub(crate) mod passes;
mod randomized_svd;
mod rank;
mod spectrum;
mod triangular;
mod truncated_svd;

use std::fmt;

use ndarray::ArrayView2;

pub use als::{AlternatingLeastSquares, Observations};
pub use basis::{Basis, ProjectionErrors};
pub use blockwise::{BlockwiseSvd, RowGroups};
pub use column_covariance::ColumnCovariance;
pub use gram::{GramAccumulator, Products};
pub use mean::MeanRemoval;
use moments::Moments;
pub use randomized_svd::RandomizedSvd;
pub use rank::Rank;
pub use spectrum::Spectrum;
pub use truncated_svd::{SvdRoute, TruncatedSvd};

use crate::{Factors, Result};

/// A way to factorize a table.
///
/// `dyn Decompose` is any method whose factors are [`Factors`]; those that make others say which.
///
/// # Examples
///
/// ```
/// use factorized_embedding::{Decompose, Rank, TruncatedSvd};
/// use ndarray::array;
///
/// # fn main() -> factorized_embedding::Result<()> {
/// let methods: Vec<Box<dyn Decompose>> = vec![Box::new(TruncatedSvd::new(Rank::Fixed(1)))];
/// let table = array![[3.0, 0.0], [0.0, 1.0], [3.0, 0.0]];
/// for method in methods {
///     println!("{method:?}: {:?}", method.decompose(table.view())?);
/// }
/// # Ok(())
/// # }
/// ```
pub trait Decompose<F = Factors>: fmt::Debug {
    /// Decomposes a table.
    ///
    /// # Shapes
    /// `table` \[`vocab_size`, dim\]
    ///
    /// # Errors
    /// [`Empty`](crate::Error::Empty), [`VocabularyTooLarge`](crate::Error::VocabularyTooLarge),
    /// [`NonFinite`](crate::Error::NonFinite), [`RankOutOfRange`](crate::Error::RankOutOfRange),
    /// [`InvalidSetting`](crate::Error::InvalidSetting), [`BudgetTooSmall`](crate::Error::BudgetTooSmall),
    /// [`ShapeMismatch`](crate::Error::ShapeMismatch) for weights of another length than the table,
    /// [`AllWeightsZero`](crate::Error::AllWeightsZero), [`NoConvergence`](crate::Error::NoConvergence),
    /// [`Overflow`](crate::Error::Overflow), and what a method adds.
    fn decompose(&self, table: ArrayView2<'_, f32>) -> Result<Decomposition<F>>;
}

/// Factors of a table, and what they lost.
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub struct Decomposition<F = Factors> {
    /// The factors, of the chosen rank.
    pub factors: F,
    /// The singular values of the (weighted) table, and what they say about other ranks.
    pub spectrum: Spectrum,
    /// ‖E − Ê‖ / ‖E‖, Frobenius norms, measured on the factors as they are stored.
    pub relative_error: f64,
    /// The same in the norm that was minimised, where row weights or a column covariance were given.
    pub weighted_relative_error: Option<f64>,
    /// The loss after each iteration, of methods that iterate.
    pub losses: Vec<f64>,
}

impl<F: fmt::Debug> fmt::Debug for Decomposition<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { factors, spectrum, relative_error, weighted_relative_error, losses } = self;
        let values = spectrum.singular_values().len();
        write!(f, "Decomposition({factors:?}, {values} singular values, relative error {relative_error:.6}")?;
        if let Some(weighted) = weighted_relative_error {
            write!(f, ", weighted {weighted:.6}")?;
        }
        if !losses.is_empty() {
            write!(f, ", {} iterations", losses.len())?;
        }
        f.write_str(")")
    }
}
