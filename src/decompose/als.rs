//! Alternating least squares: factors of a table of which some entries are missing, or weigh less than others.

mod blocks;
mod iterate;
mod known;
mod observations;
mod problem;
mod sparse;
#[cfg(feature = "serde")]
mod stored;
mod whole;

use ndarray::ArrayView2;
use rand::{Rng, SeedableRng, rngs::ChaCha8Rng};

pub use observations::Observations;

use self::{
    iterate::Iteration,
    known::Known,
    problem::{Errors, Problem},
    whole::Whole,
};
use super::{Decompose, Decomposition, Spectrum};
use crate::{Error, Factors, Result, RowWeights, Shape, embedding::check};

/// Alternating least squares: the best U for V, then the best V for that U, and so on, each a least squares problem
/// that is solved exactly (Hu, Koren & Volinsky 2008, "Collaborative filtering for implicit feedback datasets"; Zhou,
/// Wilkinson, Schreiber & Pan 2008, "Large-scale parallel collaborative filtering for the Netflix prize"). It is the
/// method for tables of which entries are [missing or weighted one by one](Observations), where no SVD applies (Srebro
/// & Jaakkola 2003, "Weighted low-rank approximations", §3).
///
/// The loss is
///
/// > Σᵢⱼ rᵢ · wᵢⱼ · (eᵢⱼ − uᵢ·vⱼ)² + ridge · (‖U‖² + ‖V‖²)
///
/// over the known entries eᵢⱼ of weights wᵢⱼ, in rows of weights rᵢ; all of it is computed in `f64`. It never
/// increases, but for rounding. It may end in a local minimum; a [warm start](Self::with_warm_start) says where to
/// begin, otherwise it is at random directions.
///
/// # Ridge term
/// It keeps factors small that few entries determine. A row or a column without any known entry (or of weight 0) is
/// zero under it. Between iterations the factors are balanced, which keeps their product and makes ‖U‖² + ‖V‖² as small
/// as it allows: 2·Σσ, twice the sum of the product's singular values. With many entries missing it should not be 0:
/// factors would fit the known entries and say little of others. (Zhou et al. multiply it by the number of entries of
/// each row and column. Here it is the same for all.)
///
/// It shrinks whatever the factors hold, the mean of the rows too: where the mean is large, fit what is left of it.
///
/// Without it, a row or column that is not determined by its known entries has the solution of least norm (eigenvalues
/// of normal equations up to 1e-12 of the largest count as zero): again zero where nothing is known. A row of weight 0
/// has the U that it would have with a very small weight.
///
/// # Result
/// U, D and V of the [`Decomposition`] are in the form of [`TruncatedSvd`](crate::TruncatedSvd): V has orthonormal
/// rows, the entry of largest magnitude in each one positive; D holds the singular values of the product (with row
/// weights, of diag(√r)·U·V), never increasing; those up to ε·σ₁ (ε of `f32`) count as zero. For a whole table without
/// ridge term this is the truncated SVD itself, once it has converged.
///
/// - `losses` has the loss after each iteration, with U and V as they were then.
/// - `relative_error` is over the known entries, all of one weight; `weighted_relative_error` is there if there are
///   weights of rows or of entries.
/// - `spectrum` lists the singular values D. Its total energy is that of the known entries, and its error at the rank
///   that was asked for is that of the factors. At smaller ranks it adds the energy of the singular values that are
///   dropped: for a whole table without ridge term, that is what would be lost. For others it is no more than a hint,
///   since singular values tell of all entries, known or not, and errors only of those that are known; it may be above
///   1.
///
/// # Cost
/// For each iteration, with n known entries: time O(n · rank² + (`vocab_size` + dim) · rank³), of which a row or column
/// of m < rank known entries takes m² · rank + m³ only. For a whole table O(`vocab_size` · dim · rank), as there is one
/// normal matrix for all rows and one for all columns. U and V are held in `f64`. With the feature `rayon` rows and
/// columns are shared among threads; the numbers do not depend on how many there are.
///
/// # Examples
///
/// ```
/// use factorized_embedding::{AlternatingLeastSquares, Observations};
/// use ndarray::Array2;
///
/// # fn main() -> factorized_embedding::Result<()> {
/// // A table of rank 1, of which some entries are missing.
/// let table = Array2::from_shape_fn((6, 4), |(i, j)| if i == j { f32::NAN } else { (1 + i) as f32 * (1 + j) as f32 });
/// let known = Observations::from_mask(table.view(), table.mapv(f32::is_finite).view())?;
/// let decomposition = AlternatingLeastSquares::new(1).with_tolerance(1e-12).fit(&known)?;
/// let completed = decomposition.factors.to_dense();
/// for i in 0..4 {
///     assert!((completed[[i, i]] - ((1 + i) * (1 + i)) as f32).abs() < 1e-3);
/// }
/// # Ok(())
/// # }
/// ```
///
/// A whole table, as [any method](Decompose) takes it:
///
/// ```
/// use factorized_embedding::{AlternatingLeastSquares, Decompose};
/// use ndarray::array;
///
/// # fn main() -> factorized_embedding::Result<()> {
/// let table = array![[3.0, 0.0], [0.0, 1.0], [3.0, 0.0]];
/// let decomposition = AlternatingLeastSquares::new(1).decompose(table.view())?;
/// assert!((decomposition.relative_error - (1.0_f64 / 19.0).sqrt()).abs() < 1e-3);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(try_from = "stored::AlternatingLeastSquares")
)]
pub struct AlternatingLeastSquares {
    rank: usize,
    ridge: f64,
    max_iterations: usize,
    tolerance: f64,
    seed: u64,
    row_weights: Option<RowWeights>,
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none", serialize_with = "stored::refuse"))]
    warm_start: Option<Factors>,
}

impl AlternatingLeastSquares {
    /// With this rank: no ridge term, at most 100 iterations, a tolerance of 1e-6, all rows weighing the same.
    #[must_use]
    pub fn new(rank: usize) -> Self {
        Self { rank, ridge: 0.0, max_iterations: 100, tolerance: 1e-6, seed: 0, row_weights: None, warm_start: None }
    }

    /// With ridge · (‖U‖² + ‖V‖²) in the loss; a finite number that is not negative.
    #[must_use]
    pub fn with_ridge(self, ridge: f64) -> Self {
        Self { ridge, ..self }
    }

    /// With at most so many iterations, at least 1.
    #[must_use]
    pub fn with_max_iterations(self, max_iterations: usize) -> Self {
        Self { max_iterations, ..self }
    }

    /// Stops after an iteration that lowers the loss by no more than this share of it, from 0 to below 1.
    #[must_use]
    pub fn with_tolerance(self, tolerance: f64) -> Self {
        Self { tolerance, ..self }
    }

    /// With other random directions to begin with; they come from `ChaCha8`.
    #[must_use]
    pub fn with_seed(self, seed: u64) -> Self {
        Self { seed, ..self }
    }

    /// With a weight for each row.
    #[must_use]
    pub fn with_row_weights(self, row_weights: RowWeights) -> Self {
        Self { row_weights: Some(row_weights), ..self }
    }

    /// Begins with the directions of these factors, as far as they are not zero; where the rank is larger than theirs,
    /// with random directions beside them. Their U does not matter: the first step is to solve for it.
    #[must_use]
    pub fn with_warm_start(self, factors: Factors) -> Self {
        Self { warm_start: Some(factors), ..self }
    }

    /// Factors of a table that is known in part.
    ///
    /// # Errors
    /// [`RankOutOfRange`](Error::RankOutOfRange), [`InvalidSetting`](Error::InvalidSetting) for a ridge, a tolerance or
    /// a number of iterations that makes no sense, [`ShapeMismatch`](Error::ShapeMismatch) for weights or a warm start
    /// of another table (a warm start of a larger rank is an [`InvalidSetting`](Error::InvalidSetting)),
    /// [`UnusableBias`](Error::UnusableBias) for one with a bias, [`AllWeightsZero`](Error::AllWeightsZero),
    /// [`NoKnownEntries`](Error::NoKnownEntries) where only rows of weight 0 have any,
    /// [`NoConvergence`](Error::NoConvergence), [`Overflow`](Error::Overflow), [`TableTooLarge`](Error::TableTooLarge).
    pub fn fit(&self, observations: &Observations) -> Result<Decomposition> {
        self.fit_with(observations, &mut ChaCha8Rng::seed_from_u64(self.seed))
    }

    /// Factors of a table that is known in part, from random directions of the caller's generator.
    ///
    /// # Errors
    /// Those of [`fit`](Self::fit).
    pub fn fit_with<R: Rng + ?Sized>(&self, observations: &Observations, rng: &mut R) -> Result<Decomposition> {
        let row_weights = self.check([observations.vocab_size(), observations.dim()])?;
        self.run(&Known::new(observations, row_weights)?, rng)
    }

    /// Factors of a whole table, from random directions of the caller's generator.
    ///
    /// # Shapes
    /// `table` \[`vocab_size`, dim\]
    ///
    /// # Errors
    /// Those of [`decompose`](Decompose::decompose).
    pub fn decompose_with<R: Rng + ?Sized>(&self, table: ArrayView2<'_, f32>, rng: &mut R) -> Result<Decomposition> {
        check::table("table [vocab_size, dim]", [table.nrows(), table.ncols()])?;
        let row_weights = self.check([table.nrows(), table.ncols()])?;
        check::finite("table [vocab_size, dim]", &table)?;
        self.run(&Whole { table, row_weights }, rng)
    }

    /// What can be said of the settings before there is a table.
    ///
    /// # Errors
    /// [`InvalidSetting`](Error::InvalidSetting).
    fn check_settings(&self) -> Result<()> {
        let invalid = |name, value, expected| Err(Error::InvalidSetting { name, value, expected });
        if !(self.ridge.is_finite() && self.ridge >= 0.0) {
            return invalid("ridge", self.ridge, "a finite number that is not negative");
        }
        if !(0.0..1.0).contains(&self.tolerance) {
            return invalid("tolerance", self.tolerance, "a number from 0 to below 1");
        }
        if self.max_iterations == 0 {
            return invalid("the number of iterations", 0.0, "at least 1");
        }
        Ok(())
    }

    /// The row weights of a table of this shape, once all settings are found to fit it.
    fn check(&self, [vocab_size, dim]: [usize; 2]) -> Result<Option<Vec<f64>>> {
        Shape { vocab_size, rank: self.rank, dim }.check()?;
        self.check_settings()?;
        let invalid = |name, value, expected| Err(Error::InvalidSetting { name, value, expected });
        if let Some(warm) = &self.warm_start {
            let Shape { rank, .. } = warm.shape();
            if (warm.vocab_size(), warm.dim()) != (vocab_size, dim) {
                return Err(Error::ShapeMismatch {
                    what: "table of the warm start [vocab_size, dim]",
                    expected: vec![vocab_size, dim],
                    actual: vec![warm.vocab_size(), warm.dim()],
                });
            }
            if rank > self.rank {
                return invalid("the rank of the warm start", rank as f64, "no more than the rank that is asked for");
            }
            if warm.bias().is_some() {
                return Err(Error::UnusableBias { what: "warm start" });
            }
        }
        self.row_weights.as_ref().map(|weights| weights.for_rows(vocab_size)).transpose()
    }

    fn run<R: Rng + ?Sized>(&self, problem: &impl Problem, rng: &mut R) -> Result<Decomposition> {
        let Self { ridge, max_iterations, tolerance, .. } = *self;
        let iteration = Iteration { ridge, max_iterations, tolerance };
        let start = iteration.start(problem, self.rank, self.warm_start.as_ref(), rng)?;
        let mut fit = iteration.run(problem, start)?;
        let losses = std::mem::take(&mut fit.losses);
        let (factors, singular_values) = fit.into_factors(problem.row_weights())?;
        let Errors { plain, weighted } = problem.errors(&factors)?;
        Ok(Decomposition {
            factors,
            spectrum: Spectrum::of_product(singular_values, weighted.residual(), problem.energy(), problem.shape()),
            relative_error: plain.value(),
            weighted_relative_error: problem.is_weighted().then(|| weighted.value()),
            losses,
        })
    }
}

impl Decompose for AlternatingLeastSquares {
    fn decompose(&self, table: ArrayView2<'_, f32>) -> Result<Decomposition> {
        self.decompose_with(table, &mut ChaCha8Rng::seed_from_u64(self.seed))
    }
}
