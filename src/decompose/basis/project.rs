//! The second half of a decomposition: U, and what the factors lost.

use std::{cell::Cell, ops::Range};

use ndarray::{Array2, ArrayView2, ArrayViewMut2, Axis, s};

use super::{BLOCK_ROWS, Basis, PER_THREAD, TOGETHER, too_large};
use crate::{
    Decomposition, Error, Factors, Isa, Result, RowBlocks, RowWeights, Shape,
    decompose::{
        parallel::map_in_order,
        passes::{check_finite, for_each_block},
    },
    kernel::{
        self, PackedProjection,
        scratch::{self, Scratch},
    },
    linalg,
    reconstruction::{RelativeError, RowError},
    rows::Numbers,
};

thread_local! {
    static APPROXIMATIONS: Scratch<Vec<f32>> = const { Cell::new(Vec::new()) };
}

/// What factors lost, measured on the factors as they are stored.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct ProjectionErrors {
    /// ‖E − Ê‖ / ‖E‖, Frobenius norms.
    pub relative_error: f64,
    /// The same in the norm that was minimised, where row weights or a column covariance were given.
    pub weighted_relative_error: Option<f64>,
}

/// Relative errors, plain and in the norm that was minimised.
#[derive(Clone, Copy, Debug, Default)]
struct Errors {
    plain: RelativeError,
    weighted: RelativeError,
}

impl Basis {
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
        for_each_block(rows, 0, weights.as_deref(), |first, block, weights| {
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
