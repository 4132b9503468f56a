//! The part of the factors that all rows share.

use std::{cell::Cell, fmt, ops::Range};

use ndarray::{Array1, Array2, ArrayView1, ArrayView2, ArrayViewMut2, Axis, s};

use super::{
    ColumnCovariance, Decomposition, Spectrum,
    parallel::map_in_order,
    passes::{check_finite, for_each_block, with_scaled_rows},
};
use crate::{
    Error, Factors, Isa, Result, RowBlocks, RowWeights, Shape,
    embedding::check,
    kernel::{
        self, PackedProjection,
        scratch::{self, Scratch},
    },
    linalg::{self, RightSvd},
    reconstruction::{RelativeError, RowError},
    rows::Numbers,
};

/// Rows of U that are given on together.
const BLOCK_ROWS: usize = 512;
/// How many such blocks of each thread wait for each other.
const PER_THREAD: usize = 4;
/// Rows that are computed together, while they are in the cache.
const TOGETHER: usize = 128;

/// All factors of a table but U: V, D, the bias, and what makes a row of U from a row of the table.
///
/// The first half of a decomposition, the one that has to see all rows, ends in it. The second half takes the rows one block
/// at a time, in any order, and need not keep them.
///
/// # Examples
///
/// ```
/// use factorized_embedding::{ArrayRows, Rank, TruncatedSvd};
/// use ndarray::{array, s};
///
/// # fn main() -> factorized_embedding::Result<()> {
/// let table = array![[3.0, 0.0], [0.0, 1.0], [3.0, 0.0]];
/// let basis = TruncatedSvd::new(Rank::Fixed(1)).basis(&mut ArrayRows::new(table.view()))?;
/// let u = basis.left_rows(table.slice(s![1.., ..]))?; // of the last two rows
/// assert!((u[[1, 0]] * basis.diagonal()[0] - 3.0).abs() < 1e-6);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, PartialEq)]
pub struct Basis {
    /// What a row of the table is multiplied with to give one of U \[dim × rank\], and what is then taken off \[rank\].
    coordinates: Array2<f64>,
    offset: Array1<f64>,
    diagonal: Array1<f32>,
    v: Array2<f32>,
    bias: Option<Array1<f32>>,
    covariance: Option<ColumnCovariance>,
    spectrum: Spectrum,
}

/// What a basis is made of.
pub(super) struct Parts {
    pub(super) rank: usize,
    /// Of the (weighted) matrix that was decomposed: at least `rank` values and vectors.
    pub(super) svd: RightSvd,
    pub(super) mean: Option<Array1<f64>>,
    pub(super) covariance: Option<ColumnCovariance>,
    pub(super) spectrum: Spectrum,
}

thread_local! {
    static WIDE_U: Scratch<Vec<f64>> = const { Cell::new(Vec::new()) };
    static APPROXIMATIONS: Scratch<Vec<f32>> = const { Cell::new(Vec::new()) };
}

/// Relative errors, plain and in the norm that was minimised.
#[derive(Clone, Copy, Debug, Default)]
struct Errors {
    plain: RelativeError,
    weighted: RelativeError,
}

impl Basis {
    /// # Errors
    /// [`Overflow`](Error::Overflow).
    pub(super) fn new(parts: Parts) -> Result<Self> {
        let Parts { rank, svd, mean, covariance, spectrum } = parts;
        let right = svd.v.slice_move(s![..rank, ..]);
        let diagonal = spectrum.significant().singular_values().slice(s![..rank]).to_owned();
        let (mut v, mut coordinates) = (right.clone(), right.reversed_axes());
        if let Some(covariance) = &covariance {
            v = linalg::product(v.view(), covariance.inverse_root());
            coordinates = linalg::product(covariance.root(), coordinates.view());
        }
        for (mut row, mut column) in v.rows_mut().into_iter().zip(coordinates.columns_mut()) {
            let largest = row.iter().fold(0.0, |largest: f64, &x| if x.abs() > largest.abs() { x } else { largest });
            if largest < 0.0 {
                row.mapv_inplace(|x| -x);
                column.mapv_inplace(|x| -x);
            }
        }
        coordinates *= &diagonal.mapv(|value| if value > 0.0 { value.recip() } else { 0.0 });
        let narrow = |value: &f64| *value as f32;
        let bias: Option<Array1<f32>> = mean.map(|mean| mean.map(narrow));
        let offset = match &bias {
            Some(bias) => bias.mapv(f64::from).dot(&coordinates),
            None => Array1::zeros(rank),
        };
        let coordinates = coordinates.as_standard_layout().into_owned();
        let basis =
            Self { coordinates, offset, diagonal: diagonal.map(narrow), v: v.map(narrow), bias, covariance, spectrum };
        let finite = basis.diagonal.iter().chain(&basis.v).chain(basis.bias.iter().flatten()).all(|x| x.is_finite());
        if finite { Ok(basis) } else { Err(too_large()) }
    }

    /// The sizes of the factors.
    #[must_use]
    pub fn shape(&self) -> Shape {
        Shape { vocab_size: self.spectrum.shape()[0], rank: self.v.nrows(), dim: self.v.ncols() }
    }

    /// D \[rank\].
    #[must_use]
    pub fn diagonal(&self) -> ArrayView1<'_, f32> {
        self.diagonal.view()
    }

    /// V \[rank, dim\].
    #[must_use]
    pub fn v(&self) -> ArrayView2<'_, f32> {
        self.v.view()
    }

    /// The mean of the table \[dim\], where it is kept apart.
    #[must_use]
    pub fn bias(&self) -> Option<ArrayView1<'_, f32>> {
        self.bias.as_ref().map(|bias| bias.view())
    }

    /// The singular values, and what they say about other ranks.
    #[must_use]
    pub fn spectrum(&self) -> &Spectrum {
        &self.spectrum
    }

    /// The rows of U that stand for some rows of the table, or for new rows of the same kind.
    ///
    /// # Shapes
    /// `rows` \[n, dim\] → \[n, rank\]
    ///
    /// # Errors
    /// [`ShapeMismatch`](Error::ShapeMismatch), [`NonFinite`](Error::NonFinite), [`Overflow`](Error::Overflow).
    pub fn left_rows(&self, rows: ArrayView2<'_, f32>) -> Result<Array2<f32>> {
        check::columns("rows [n, dim]", rows, self.v.ncols())?;
        let mut u = Array2::zeros((rows.nrows(), self.v.nrows()));
        self.left_rows_into(rows, u.view_mut())?;
        Ok(u)
    }

    /// [`left_rows`](Self::left_rows) into an array of the caller's.
    ///
    /// # Shapes
    /// `rows` \[n, dim\], `u` \[n, rank\]
    ///
    /// # Errors
    /// [`ShapeMismatch`](Error::ShapeMismatch), [`NonFinite`](Error::NonFinite), [`Overflow`](Error::Overflow); `u` is then as
    /// it was.
    pub fn left_rows_into(&self, rows: ArrayView2<'_, f32>, mut u: ArrayViewMut2<'_, f32>) -> Result<()> {
        check::columns("rows [n, dim]", rows, self.v.ncols())?;
        check::shape("u [n, rank]", &u, (rows.nrows(), self.v.nrows()))?;
        check_finite(rows, 0)?;
        let mut computed = Vec::new();
        let compute = |range| self.compute(rows.slice(s![range, ..]));
        map_in_order(rows.nrows(), BLOCK_ROWS, PER_THREAD, compute, |u| {
            if u.iter().any(|value| !value.is_finite()) {
                return Err(too_large());
            }
            computed.push(u);
            Ok(())
        })?;
        for (mut u, computed) in u.axis_chunks_iter_mut(Axis(0), BLOCK_ROWS).zip(computed) {
            u.assign(&computed);
        }
        Ok(())
    }

    fn compute(&self, rows: ArrayView2<'_, f32>) -> Array2<f32> {
        let mut u = Array2::zeros((rows.nrows(), self.v.nrows()));
        for (rows, mut u) in rows.axis_chunks_iter(Axis(0), TOGETHER).zip(u.axis_chunks_iter_mut(Axis(0), TOGETHER)) {
            scratch::with(&WIDE_U, |wide| {
                wide.resize(u.len(), 0.0);
                let Ok(mut wide) = ArrayViewMut2::from_shape(u.raw_dim(), wide) else {
                    unreachable!("a number for each of U")
                };
                with_scaled_rows(rows, None, |rows| {
                    linalg::product_into(rows, self.coordinates.view(), wide.view_mut());
                });
                if self.bias.is_some() {
                    wide -= &self.offset;
                }
                u.zip_mut_with(&wide, |u, &wide| *u = wide as f32);
            });
        }
        u
    }

    /// The second half of a decomposition, in memory: U and the errors.
    ///
    /// The row weights are for the weighted error only, and best those that the basis was made with.
    ///
    /// # Errors
    /// [`ShapeMismatch`](Error::ShapeMismatch) for rows or weights of another table,
    /// [`AllWeightsZero`](Error::AllWeightsZero), [`NonFinite`](Error::NonFinite), [`Overflow`](Error::Overflow), and those of the
    /// source.
    pub fn decompose(&self, rows: &mut dyn RowBlocks, row_weights: Option<&RowWeights>) -> Result<Decomposition> {
        let Shape { vocab_size, rank, .. } = self.shape();
        let mut u = Array2::zeros((vocab_size, rank));
        let errors = self.project(rows, row_weights, |first, block| {
            u.slice_mut(s![first..first + block.nrows(), ..]).assign(&block);
            Ok(())
        })?;
        let factors = Factors::new(u, self.v.clone())?.with_diagonal(self.diagonal.clone())?;
        let factors = match &self.bias {
            Some(bias) => factors.with_bias(bias.clone())?,
            None => factors,
        };
        Ok(Decomposition {
            factors,
            spectrum: self.spectrum.clone(),
            relative_error: errors.relative_error,
            weighted_relative_error: errors.weighted_relative_error,
            losses: Vec::new(),
        })
    }

    /// The second half of a decomposition: U a block at a time, given to `keep` with the number of its first row, and the errors
    /// of the factors as they are then stored.
    ///
    /// # Errors
    /// Those of [`decompose`](Self::decompose) and of `keep`, which ends the work.
    pub fn project(
        &self,
        rows: &mut dyn RowBlocks,
        row_weights: Option<&RowWeights>,
        mut keep: impl FnMut(usize, ArrayView2<'_, f32>) -> Result<()>,
    ) -> Result<ProjectionErrors> {
        let Shape { vocab_size, dim, .. } = self.shape();
        let actual = (rows.vocab_size(), rows.dim());
        if actual != (vocab_size, dim) {
            return Err(Error::ShapeMismatch {
                what: "rows [vocab_size, dim]",
                expected: vec![vocab_size, dim],
                actual: vec![actual.0, actual.1],
            });
        }
        let weights = row_weights.map(|weights| weights.for_rows(vocab_size)).transpose()?;
        let projection =
            PackedProjection::new((&self.v * &self.diagonal.view().insert_axis(Axis(1))).view(), self.bias());
        let mut errors = Errors::default();
        for_each_block(rows, weights.as_deref(), |first, block, weights| {
            let work = |range: Range<usize>| {
                let rows = block.slice(s![range.clone(), ..]);
                let u = self.compute(rows);
                let errors = self.errors(rows, &u, weights.map(|weights| &weights[range.clone()]), &projection);
                (first + range.start, u, errors)
            };
            map_in_order(block.nrows(), BLOCK_ROWS, PER_THREAD, work, |(first_row, u, more)| {
                if u.iter().any(|value| !value.is_finite()) {
                    check_finite(block, first)?;
                    return Err(too_large());
                }
                errors.plain.add(more.plain);
                errors.weighted.add(more.weighted);
                keep(first_row, u.view())
            })
        })?;
        let weighted = weights.is_some() || self.covariance.is_some();
        Ok(ProjectionErrors {
            relative_error: errors.plain.value(),
            weighted_relative_error: weighted.then(|| errors.weighted.value()),
        })
    }

    /// Of some rows as their factors, `u` among them, give them back.
    fn errors(
        &self,
        rows: ArrayView2<'_, f32>,
        u: &Array2<f32>,
        weights: Option<&[f64]>,
        projection: &PackedProjection,
    ) -> Errors {
        let mut errors = Errors::default();
        let weight = |i: usize| weights.map_or(1.0, |weights| weights[i]);
        let chunks = rows.axis_chunks_iter(Axis(0), TOGETHER).zip(u.axis_chunks_iter(Axis(0), TOGETHER));
        for (first, (rows, u)) in (0..).step_by(TOGETHER).zip(chunks) {
            scratch::with(&APPROXIMATIONS, |approximations| {
                approximations.resize(rows.len(), 0.0);
                let Ok(mut approximations) = ArrayViewMut2::from_shape(rows.raw_dim(), approximations) else {
                    unreachable!("a number for each of the rows")
                };
                let numbers = Numbers::F32(u.to_slice().unwrap_or_default());
                kernel::project(Isa::best(), numbers, None, projection, &mut approximations);
                for (i, (row, approximation)) in rows.rows().into_iter().zip(approximations.rows()).enumerate() {
                    let error = RowError::new(row, approximation);
                    errors.plain.add_row(error, 1.0);
                    if self.covariance.is_none() {
                        errors.weighted.add_row(error, weight(first + i));
                    }
                }
                if let Some(covariance) = &self.covariance {
                    let rows = rows.mapv(f64::from);
                    let residuals = &rows - &approximations.mapv(f64::from);
                    let [rows, residuals] =
                        [rows, residuals].map(|rows| linalg::product(rows.view(), covariance.root()));
                    for (i, (row, residual)) in rows.rows().into_iter().zip(residuals.rows()).enumerate() {
                        let error = RowError { residual: residual.dot(&residual), total: row.dot(&row) };
                        errors.weighted.add_row(error, weight(first + i));
                    }
                }
            });
        }
        errors
    }
}

/// What factors lost, measured on the factors as they are stored.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct ProjectionErrors {
    /// ‖E − Ê‖ / ‖E‖, Frobenius norms.
    pub relative_error: f64,
    /// The same in the norm that was minimised, where row weights or a column covariance were given.
    pub weighted_relative_error: Option<f64>,
}

fn too_large() -> Error {
    // The table is finite: only what is computed from it can be too large for `f32`.
    Error::Overflow { what: "decomposition of the table" }
}

impl fmt::Debug for Basis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Shape { vocab_size, rank, dim } = self.shape();
        write!(f, "Basis(vocab_size {vocab_size}, diagonal [{rank}], v [{rank}, {dim}]")?;
        if self.bias.is_some() {
            write!(f, ", bias [{dim}]")?;
        }
        f.write_str(")")
    }
}
