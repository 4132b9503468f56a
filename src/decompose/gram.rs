//! The sums of a table that its decomposition needs, row by row.

mod bytes;

use std::fmt;

use ndarray::{Array1, Array2, ArrayView2, Axis, s};

use super::{
    Basis, ColumnCovariance, MeanRemoval, Moments, Rank,
    moments::Root,
    objective::Objective,
    parallel::map_in_order,
    passes::{check_finite, for_each_block, with_narrow_rows, with_scaled_rows},
};
use crate::{
    Error, Result, RowBlocks, RowWeights,
    embedding::check,
    linalg::{self, Number},
};

/// Rows whose products are summed together, before they are added to the rest.
const BLOCK_ROWS: usize = 2048;

/// Rows that are widened together, so that they are still in a cache when they are multiplied.
const TOGETHER: usize = 512;

/// The number type of products inside a block of 2,048 rows; blocks are added up in `f64`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case", deny_unknown_fields))]
#[non_exhaustive]
pub enum Products {
    /// `f32`: about twice as fast. Singular values below about 3e-4·σ₁ are noise.
    F32,
    /// `f64`: singular values below about 1e-8·σ₁ are noise.
    #[default]
    F64,
}

/// The sums Σ w, Σ w·e and the Gram matrix Σ w·eᵀ·e \[dim × dim\] of a table: all that its SVD needs to know of its rows, in
/// 8 · dim² bytes for any number of rows.
///
/// Sums of parts can be [merged](Self::merge), in any order but for rounding, so that the work can be spread over processes
/// or machines, and [kept as bytes](Self::to_bytes), so that it can be interrupted. The rows are read once more to compute U
/// from the [`Basis`].
///
/// # Examples
///
/// ```
/// use factorized_embedding::{ArrayRows, GramAccumulator, Rank};
/// use ndarray::{Array2, s};
///
/// # fn main() -> factorized_embedding::Result<()> {
/// let table = Array2::from_shape_fn((1_000, 8), |(i, j)| ((i * j) as f32).sin());
/// let mut gram = GramAccumulator::new(8)?;
/// gram.update(table.slice(s![..600, ..]), None)?;
/// let saved = gram.to_bytes();
///
/// let mut gram = GramAccumulator::from_bytes(&saved)?; // another day
/// let mut rest = GramAccumulator::new(8)?; // elsewhere
/// rest.update(table.slice(s![600.., ..]), None)?;
/// gram.merge(&rest)?;
///
/// let basis = gram.solve(Rank::Fixed(4))?;
/// let decomposition = basis.decompose(&mut ArrayRows::new(table.view()), None)?;
/// assert!((decomposition.relative_error - basis.spectrum().error_at(4)).abs() < 1e-6);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, PartialEq)]
pub struct GramAccumulator {
    products: Products,
    num_rows: u64,
    weight: f64,
    /// \[dim\]
    sum: Array1<f64>,
    /// \[dim × dim\], the lower triangle.
    gram: Array2<f64>,
}

impl GramAccumulator {
    /// No rows yet.
    ///
    /// # Errors
    /// [`Empty`](Error::Empty) for no columns, [`TableTooLarge`](Error::TableTooLarge) for more than a matrix can have.
    pub fn new(dim: usize) -> Result<Self> {
        check::table("row [1, dim]", [1, dim])?;
        let too_large = || Error::TableTooLarge { vocab_size: dim, dim };
        let len = dim.checked_mul(dim).ok_or_else(too_large)?;
        let mut numbers = Vec::new();
        numbers.try_reserve_exact(len).map_err(|_| too_large())?;
        numbers.resize(len, 0.0);
        let (sum, gram) = (Array1::zeros(dim), Array2::from_shape_vec((dim, dim), numbers).map_err(|_| too_large())?);
        Ok(Self { products: Products::default(), num_rows: 0, weight: 0.0, sum, gram })
    }

    /// With products of another type from now on.
    #[must_use]
    pub fn with_products(self, products: Products) -> Self {
        Self { products, ..self }
    }

    /// Columns of the table.
    #[must_use]
    pub fn dim(&self) -> usize {
        self.sum.len()
    }

    /// Rows so far.
    #[must_use]
    pub fn num_rows(&self) -> u64 {
        self.num_rows
    }

    /// Adds rows, each with its weight or with weight 1.
    ///
    /// # Shapes
    /// `block` \[n, dim\], `weights` \[n\]
    ///
    /// # Errors
    /// [`ShapeMismatch`](Error::ShapeMismatch), [`NonFinite`](Error::NonFinite) with the index of the row counted from the first
    /// one that was ever added, [`InvalidWeight`](Error::InvalidWeight) likewise, [`Overflow`](Error::Overflow),
    /// [`TableTooLarge`](Error::TableTooLarge) for more rows than can be counted; nothing is added then.
    pub fn update(&mut self, block: ArrayView2<'_, f32>, weights: Option<&[f64]>) -> Result<()> {
        check::columns("block [n, dim]", block, self.dim())?;
        if let Some(weights) = weights {
            if weights.len() != block.nrows() {
                return Err(Error::ShapeMismatch {
                    what: "weights [n]",
                    expected: vec![block.nrows()],
                    actual: vec![weights.len()],
                });
            }
            let valid = |weight: f64| weight.is_finite() && weight >= 0.0;
            if let Some((row, &weight)) = weights.iter().enumerate().find(|(_, weight)| !valid(**weight)) {
                return Err(Error::InvalidWeight { row: self.next_row().saturating_add(row), weight });
            }
        }
        let mut added = Self { num_rows: block.nrows() as u64, ..Self::new(self.dim())? };
        let work = |range: std::ops::Range<usize>| {
            let rows = block.slice(s![range.clone(), ..]);
            self.sums(rows, weights.map(|weights| &weights[range]))
        };
        map_in_order(block.nrows(), BLOCK_ROWS, 1, work, |(weight, sum, gram)| {
            added.weight += weight;
            added.sum += &sum;
            added.gram += &gram;
            Ok(())
        })?;
        if !added.is_finite() {
            check_finite(block, self.next_row())?;
            return Err(Error::Overflow { what: "Gram matrix of the table" });
        }
        self.merge(&added)
    }

    /// Adds all rows of a source, from the first that is missing on: where the accumulator has rows already, those are taken
    /// to be the first ones of the source. `progress` sees the accumulator after every block, may save it, and ends the work
    /// with an error.
    ///
    /// The row weights are those of all rows of the source, scaled so that their mean is 1. Parts of a table that are to be
    /// [merged](Self::merge) need weights of one scale: give [`update`](Self::update) slices of the
    /// [weights](RowWeights::to_vec) of the whole table.
    ///
    /// # Errors
    /// Those of [`update`](Self::update), of the source and of `progress`; blocks before that are added.
    /// [`ShapeMismatch`](Error::ShapeMismatch) for a source of fewer rows than were added already, and one that does not give
    /// what it promises.
    pub fn update_from(
        &mut self,
        rows: &mut dyn RowBlocks,
        row_weights: Option<&RowWeights>,
        mut progress: impl FnMut(&Self) -> Result<()>,
    ) -> Result<()> {
        let weights = row_weights.map(|weights| weights.for_rows(rows.vocab_size())).transpose()?;
        for_each_block(rows, self.next_row(), weights.as_deref(), |_, block, weights| {
            self.update(block, weights)?;
            progress(self)
        })
    }

    /// How many rows there are, and the number of the next one.
    fn next_row(&self) -> usize {
        usize::try_from(self.num_rows).unwrap_or(usize::MAX)
    }

    /// Adds the sums of other rows.
    ///
    /// # Errors
    /// [`ShapeMismatch`](Error::ShapeMismatch) for sums of another width, [`TableTooLarge`](Error::TableTooLarge) for more rows
    /// than can be counted, [`Overflow`](Error::Overflow); nothing is added then.
    pub fn merge(&mut self, other: &Self) -> Result<()> {
        if other.dim() != self.dim() {
            return Err(Error::ShapeMismatch {
                what: "Gram matrix [dim, dim]",
                expected: vec![self.dim(), self.dim()],
                actual: vec![other.dim(), other.dim()],
            });
        }
        let num_rows = self.num_rows.checked_add(other.num_rows);
        let Some(num_rows) = num_rows else {
            return Err(Error::TableTooLarge { vocab_size: usize::MAX, dim: self.dim() });
        };
        let sums = self.numbers().zip(other.numbers());
        if sums.into_iter().any(|(one, other)| !(one + other).is_finite()) {
            return Err(Error::Overflow { what: "Gram matrix of the table" });
        }
        self.num_rows = num_rows;
        self.weight += other.weight;
        self.sum += &other.sum;
        self.gram += &other.gram;
        Ok(())
    }

    /// The basis of the rows so far.
    ///
    /// # Errors
    /// [`Empty`](Error::Empty) without rows, [`VocabularyTooLarge`](Error::VocabularyTooLarge),
    /// [`RankOutOfRange`](Error::RankOutOfRange), [`InvalidSetting`](Error::InvalidSetting),
    /// [`BudgetTooSmall`](Error::BudgetTooSmall), [`AllWeightsZero`](Error::AllWeightsZero),
    /// [`NoConvergence`](Error::NoConvergence), [`Overflow`](Error::Overflow).
    pub fn solve(&self, rank: Rank) -> Result<Basis> {
        self.solve_with(rank, MeanRemoval::Never, None)
    }

    /// [`solve`](Self::solve) with the mean kept apart, or in the norm of a column covariance.
    ///
    /// # Errors
    /// Those of [`solve`](Self::solve), and [`ShapeMismatch`](Error::ShapeMismatch) for a covariance of another width.
    pub fn solve_with(
        &self,
        rank: Rank,
        mean_removal: MeanRemoval,
        column_covariance: Option<&ColumnCovariance>,
    ) -> Result<Basis> {
        let vocab_size = self.next_row();
        check::table("table [vocab_size, dim]", [vocab_size, self.dim()])?;
        rank.check(vocab_size, self.dim())?;
        let objective = Objective { row_weights: None, column_covariance: column_covariance.cloned(), mean_removal };
        objective.check(self.dim())?;
        if self.weight == 0.0 {
            return Err(Error::AllWeightsZero { len: vocab_size });
        }
        objective.basis(rank, &self.moments(), vocab_size)
    }

    /// The second moment of the rows so far: of hidden states, what the table that they meet needs.
    ///
    /// # Errors
    /// [`Empty`](Error::Empty) without rows, [`AllWeightsZero`](Error::AllWeightsZero), and those of
    /// [`ColumnCovariance::new`].
    pub fn column_covariance(&self) -> Result<ColumnCovariance> {
        if self.num_rows == 0 {
            return Err(Error::Empty { what: "rows [n, dim]", shape: vec![0, self.dim()] });
        }
        if self.weight == 0.0 {
            return Err(Error::AllWeightsZero { len: self.next_row() });
        }
        let mut matrix = self.gram.clone();
        linalg::mirror(&mut matrix);
        ColumnCovariance::of_sums(matrix / self.weight, self.products)
    }

    pub(super) fn moments(&self) -> Moments {
        Moments { weight: self.weight, mean: &self.sum / self.weight, root: Root::Gram(self.gram.clone()) }
    }

    /// Σ w, Σ w·e and the lower triangle of Σ w·eᵀ·e.
    fn sums(&self, rows: ArrayView2<'_, f32>, weights: Option<&[f64]>) -> (f64, Array1<f64>, Array2<f64>) {
        let weight = weights.map_or(rows.nrows() as f64, |weights| weights.iter().sum());
        let (sum, gram) = match (self.products, weights) {
            (Products::F64, _) => {
                let (mut sum, mut gram) = (Array1::zeros(self.dim()), Array2::zeros(self.gram.raw_dim()));
                for (i, rows) in rows.axis_chunks_iter(Axis(0), TOGETHER).enumerate() {
                    let weights = weights.map(|weights| &weights[i * TOGETHER..][..rows.nrows()]);
                    with_scaled_rows(rows, weights, |rows| {
                        sum += &weighted_sum(rows, weights);
                        linalg::add_gram(rows, &mut gram);
                    });
                }
                (sum, gram)
            }
            (Products::F32, _) => with_narrow_rows(rows, weights, |rows, unit| {
                (weighted_sum(rows, weights) * unit, linalg::gram(rows).mapv(|sum| f64::from(sum) * unit * unit))
            }),
        };
        (weight, sum, gram)
    }

    fn is_finite(&self) -> bool {
        self.numbers().all(f64::is_finite)
    }

    /// All sums.
    fn numbers(&self) -> impl Iterator<Item = f64> {
        std::iter::once(self.weight).chain(self.sum.iter().copied()).chain(self.gram.iter().copied())
    }
}

/// Σ √w · (√w·e), in `f64`.
fn weighted_sum<T: Number + Into<f64>>(scaled: ArrayView2<'_, T>, weights: Option<&[f64]>) -> Array1<f64> {
    let mut sum = Array1::<f64>::zeros(scaled.ncols());
    for (i, row) in scaled.rows().into_iter().enumerate() {
        let factor = weights.map_or(1.0, |weights| weights[i].sqrt());
        sum.zip_mut_with(&row, |sum, &value| *sum += factor * value.into());
    }
    sum
}

/// Adds all rows of a table to a new accumulator.
pub(super) fn accumulate(
    rows: &mut dyn RowBlocks,
    weights: Option<&[f64]>,
    products: Products,
) -> Result<GramAccumulator> {
    let mut gram = GramAccumulator::new(rows.dim())?.with_products(products);
    for_each_block(rows, 0, weights, |_, block, weights| gram.update(block, weights))?;
    Ok(gram)
}

impl fmt::Debug for GramAccumulator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "GramAccumulator({} rows, gram [{dim}, {dim}], {:?})", self.num_rows, self.products, dim = self.dim())
    }
}
