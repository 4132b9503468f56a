//! The truncated SVD of a table that is too wide for all of its singular values.

mod krylov;
#[cfg(feature = "serde")]
mod stored;

use ndarray::ArrayView2;
use rand::{Rng, SeedableRng, rngs::ChaCha8Rng};

use self::krylov::Krylov;
use super::{
    Basis, ColumnCovariance, Decompose, Decomposition, MeanRemoval, Products, Rank, Spectrum,
    basis::Parts,
    objective::{Objective, objective_settings},
};
use crate::{ArrayRows, Error, Result, RowBlocks, embedding::check};

/// The truncated SVD from random directions (Halko, Martinsson & Tropp 2011, "Finding structure with randomness"): much less
/// work than an [exact](super::TruncatedSvd) one where the rank is a small part of both sides of the table.
///
/// The table meets rank + oversampling random directions and then, in each power iteration, what it made of them, all of them
/// orthonormal to each other. No direction that was met is thrown away: the factors are the best in the span of all (randomized
/// block Krylov iteration; Musco & Musco 2015), read off as a Nyström approximation of the Gram matrix (Tropp, Yurtsever,
/// Udell & Cevher 2017), so that every product with the table serves twice. With q power iterations the table is read q + 1
/// times (twice as often where it needs products in [`f64`](Self::with_products)), and once more for U; time
/// O(`vocab_size` · dim · rank · q), never more than dim numbers for each of (q + 1) · (rank + oversampling) directions beside
/// a block.
///
/// The [spectrum](Basis::spectrum) lists the singular values of the directions that were found, none of them above the exact
/// one but for rounding, and counts what rounding may hide as lost. So [`error_at`](Spectrum::error_at) is an upper bound,
/// known before U is computed, of the error that remains.
///
/// For [`Rank::Energy`] and [`Rank::RelativeError`] the basis grows block by block until it has what is asked for, and then for
/// the power iterations, which bring the rank down to nearly the smallest one. Other rules of [`Rank`] need all singular
/// values, which this method does not compute.
///
/// # Examples
///
/// ```
/// use factorized_embedding::{RandomizedSvd, Rank};
/// use ndarray::Array2;
/// use rand::{SeedableRng, rngs::ChaCha8Rng};
///
/// # fn main() -> factorized_embedding::Result<()> {
/// let table = Array2::from_shape_fn((1_000, 200), |(i, j)| 1.0 / (1.0 + i as f32 + j as f32));
/// let mut rng = ChaCha8Rng::seed_from_u64(1);
/// let decomposition = RandomizedSvd::new(Rank::RelativeError(1e-3)).decompose_with(table.view(), &mut rng)?;
/// assert!(decomposition.relative_error <= 1e-3);
/// assert!(decomposition.factors.rank() <= 6);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(try_from = "stored::RandomizedSvd"))]
pub struct RandomizedSvd {
    rank: Rank,
    oversampling: usize,
    power_iterations: usize,
    block: usize,
    products: Option<Products>,
    seed: u64,
    #[cfg_attr(feature = "serde", serde(flatten))]
    objective: Objective,
}

objective_settings!(RandomizedSvd);

/// The share of the lost energy that rounding may hide.
const HIDDEN: f64 = 1e-3;

/// What is to be approximated, once it is checked.
struct Target<'a> {
    known_rank: Option<usize>,
    centred: bool,
    shape: [usize; 2],
    weights: Option<&'a [f64]>,
    covariance: Option<&'a ColumnCovariance>,
}

impl RandomizedSvd {
    /// With the rank chosen this way: 10 directions more than the rank, 2 power iterations, blocks of 64 directions.
    #[must_use]
    pub fn new(rank: Rank) -> Self {
        let objective = Objective::default();
        Self { rank, oversampling: 10, power_iterations: 2, block: 64, products: None, seed: 0, objective }
    }

    /// With so many directions more than the rank, where the rank is known.
    #[must_use]
    pub fn with_oversampling(self, oversampling: usize) -> Self {
        Self { oversampling, ..self }
    }

    /// With so many power iterations.
    #[must_use]
    pub fn with_power_iterations(self, power_iterations: usize) -> Self {
        Self { power_iterations, ..self }
    }

    /// Growing by so many directions, where the rank follows from an error or an energy; at least by one, even for 0.
    #[must_use]
    pub fn with_block(self, block: usize) -> Self {
        Self { block: block.max(1), ..self }
    }

    /// With products of this type, whatever comes out: in `f32`, directions of singular values below about 3e-3·σ₁ are noise,
    /// and smaller relative errors cannot be promised (asked for one, all directions are taken).
    ///
    /// Without this call products are in `f32` where their rounding hides less than a thousandth of the energy that the factors
    /// lose, as it does of real tables at most ranks. Where it would hide more, all is done again in `f64`.
    #[must_use]
    pub fn with_products(self, products: Products) -> Self {
        Self { products: Some(products), ..self }
    }

    /// With random directions from this seed (of `ChaCha8`), where no generator is given.
    #[must_use]
    pub fn with_seed(self, seed: u64) -> Self {
        Self { seed, ..self }
    }

    /// Decomposes a table, with random numbers of the caller's.
    ///
    /// # Shapes
    /// `table` \[`vocab_size`, dim\]
    ///
    /// # Errors
    /// Those of [`decompose`](super::Decompose::decompose), and those of [`basis_with`](Self::basis_with).
    pub fn decompose_with<R: Rng + ?Sized>(&self, table: ArrayView2<'_, f32>, rng: &mut R) -> Result<Decomposition> {
        let mut rows = ArrayRows::new(table);
        self.basis_with(&mut rows, rng)?.decompose(&mut rows, self.objective.row_weights.as_ref())
    }

    /// [`basis_with`](Self::basis_with) random directions from the [seed](Self::with_seed).
    ///
    /// # Errors
    /// The same.
    pub fn basis(&self, rows: &mut dyn RowBlocks) -> Result<Basis> {
        self.basis_with(rows, &mut ChaCha8Rng::seed_from_u64(self.seed))
    }

    /// The first half of the decomposition, of a table of any size: reads all rows several times.
    ///
    /// # Errors
    /// Those of [`decompose`](super::Decompose::decompose) and of the source;
    /// [`NeedsAllSingularValues`](Error::NeedsAllSingularValues) for a [`Rank`] of that kind;
    /// also for [`MeanRemoval::IfBetter`], which needs both spectra.
    pub fn basis_with<R: Rng + ?Sized>(&self, rows: &mut dyn RowBlocks, rng: &mut R) -> Result<Basis> {
        let (vocab_size, dim) = (rows.vocab_size(), rows.dim());
        let shape = [vocab_size, dim];
        check::table("table [vocab_size, dim]", shape)?;
        self.rank.check(vocab_size, dim)?;
        let centred = match self.objective.mean_removal {
            MeanRemoval::Never => false,
            MeanRemoval::Always => true,
            MeanRemoval::IfBetter => return Err(Error::NeedsAllSingularValues { what: "mean removal if better" }),
        };
        let known_rank = self.rank.before_the_spectrum(shape, centred)?;
        let weights = self.objective.weights(vocab_size, dim)?;
        let covariance = self.objective.column_covariance.as_ref();

        let target = Target { known_rank, centred, shape, weights: weights.as_deref(), covariance };
        if let Some(products) = self.products.or_else(|| self.needs_wide_products().then_some(Products::F64)) {
            return Ok(self.approximate(rows, &target, products, rng)?.0);
        }
        let (basis, hidden) = self.approximate(rows, &target, Products::F32, rng)?;
        let lost = basis.spectrum().error_at(basis.shape().rank).powi(2) * basis.spectrum().total_energy();
        if hidden <= HIDDEN * lost { Ok(basis) } else { Ok(self.approximate(rows, &target, Products::F64, rng)?.0) }
    }

    /// Whether so little may be lost that products in `f32` are not worth a try.
    fn needs_wide_products(&self) -> bool {
        let lost = match self.rank {
            Rank::RelativeError(error) => error * error,
            Rank::Energy(share) => 1.0 - share,
            _ => 1.0,
        };
        self.block as f64 * f64::from(f32::EPSILON) > HIDDEN * lost
    }

    /// The basis, and the energy that rounding may hide from it.
    fn approximate<R: Rng + ?Sized>(
        &self,
        rows: &mut dyn RowBlocks,
        target: &Target<'_>,
        products: Products,
        rng: &mut R,
    ) -> Result<(Basis, f64)> {
        let Target { known_rank, centred, shape, weights, covariance } = *target;
        let [vocab_size, dim] = shape;
        let mut krylov = Krylov::new(rows, weights, covariance, centred, products);
        let block = known_rank.map_or(self.block, |rank| rank.saturating_add(self.oversampling));
        krylov.start(block.min(vocab_size.min(dim)), rng)?;
        while known_rank.is_none() && !self.is_reached(&krylov)? && krylov.iterate()? {}
        for _ in 0..self.power_iterations {
            if !krylov.iterate()? {
                break;
            }
        }
        let svd = krylov.right_svd()?;
        let (energy, total) = (krylov.energy(), krylov.total_energy());
        let spectrum = Spectrum::of_parts(svd.singular_values.clone(), energy, total, shape, centred);
        let spectrum = spectrum.with_noise(krylov.noise());
        let rank = self.rank.select(&spectrum.significant())?;
        let mean = centred.then(|| krylov.mean());
        let basis = Basis::new(Parts { rank, svd, mean, covariance: covariance.cloned(), spectrum })?;
        Ok((basis, krylov.noise()))
    }

    /// Whether the span holds enough of the energy for the rank to be chosen.
    fn is_reached(&self, krylov: &Krylov<'_>) -> Result<bool> {
        let lost = (krylov.energy() - krylov.held_energy()?).max(0.0) + krylov.noise();
        let total = krylov.total_energy();
        Ok(match self.rank {
            Rank::Energy(share) => total - lost >= share * total,
            Rank::RelativeError(error) => lost <= error * error * total,
            _ => true,
        })
    }
}

impl Decompose for RandomizedSvd {
    /// With random directions from the [seed](RandomizedSvd::with_seed).
    fn decompose(&self, table: ArrayView2<'_, f32>) -> Result<Decomposition> {
        self.decompose_with(table, &mut ChaCha8Rng::seed_from_u64(self.seed))
    }
}
