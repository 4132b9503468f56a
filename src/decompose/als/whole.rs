//! Half steps where all entries are known: one Gram matrix for all rows, and one for all columns.

use std::ops::Range;

use ndarray::{Array2, ArrayView2, Axis, Slice, s};

use super::{
    super::parallel::map_in_order,
    blocks::map_blocks,
    problem::{Axes, BLOCK_ROWS, Errors, PART_ROWS, Problem, rows_of, slice_of},
};
use crate::{
    Factors, Result,
    linalg::{product, solve_gram, transposed_product},
    reconstruction::RowError,
};

/// All entries of a table, in rows that may have a weight.
pub(super) struct Whole<'a> {
    pub(super) table: ArrayView2<'a, f32>,
    pub(super) row_weights: Option<Vec<f64>>,
}

impl Whole<'_> {
    fn row_weight(&self, row: usize) -> f64 {
        self.row_weights.as_ref().map_or(1.0, |weights| weights[row])
    }

    fn rows(&self, rows: &Range<usize>) -> ArrayView2<'_, f32> {
        self.table.slice(s![rows.clone(), ..])
    }
}

impl Problem for Whole<'_> {
    fn shape(&self) -> [usize; 2] {
        [self.table.nrows(), self.table.ncols()]
    }

    fn energy(&self) -> f64 {
        let energy = |(row, values): (usize, ndarray::ArrayView1<'_, f32>)| {
            self.row_weight(row) * values.iter().map(|&value| f64::from(value).powi(2)).sum::<f64>()
        };
        self.table.rows().into_iter().enumerate().map(energy).sum()
    }

    fn row_weights(&self) -> Option<&[f64]> {
        self.row_weights.as_deref()
    }

    fn is_weighted(&self) -> bool {
        self.row_weights.is_some()
    }

    /// The axes are orthogonal, so each coordinate of U has an equation of its own.
    fn solve_rows(&self, axes: &Axes, ridge: f64, u: &mut Array2<f64>) -> Result<f64> {
        let Axes { scales, directions } = axes;
        let rank = u.ncols();
        let columns = directions.t().as_standard_layout().into_owned();
        let residuals = map_blocks(
            slice_of(u),
            BLOCK_ROWS * rank,
            || (),
            |(), block, u| {
                let mut u = rows_of(u, rank);
                let first = block * BLOCK_ROWS;
                let table = self.rows(&(first..first + u.nrows())).mapv(f64::from);
                u.assign(&product(table.view(), columns.view()));
                for (row, mut u) in (first..).zip(u.rows_mut()) {
                    let weight = self.row_weight(row);
                    for (coordinate, &scale) in u.iter_mut().zip(scales) {
                        *coordinate *= match weight * scale {
                            // A row of weight 0 is what it would be with a very small one.
                            _ if ridge == 0.0 => scale.recip(),
                            slope => slope / (slope * scale + ridge),
                        };
                    }
                }
                let rest = table - product((&u * scales).view(), directions.view());
                let squares = (first..).zip(rest.rows()).map(|(row, rest)| self.row_weight(row) * rest.dot(&rest));
                Ok(squares.sum::<f64>())
            },
        )?;
        Ok(residuals.into_iter().sum())
    }

    fn solve_columns(&self, u: &Array2<f64>, ridge: f64) -> Result<Array2<f64>> {
        let (n, rank) = u.dim();
        let zero = || (Array2::<f64>::zeros((rank, rank)), Array2::<f64>::zeros((rank, self.table.ncols())));
        let sums = |part: Range<usize>| {
            let (mut gram, mut images) = zero();
            for start in part.clone().step_by(BLOCK_ROWS) {
                let rows = start..part.end.min(start + BLOCK_ROWS);
                let u = u.slice_axis(Axis(0), Slice::from(rows.clone()));
                let mut weighted = u.to_owned();
                for (row, mut u) in rows.clone().zip(weighted.rows_mut()) {
                    u *= self.row_weight(row);
                }
                gram += &transposed_product(weighted.view(), u);
                images += &transposed_product(weighted.view(), self.rows(&rows).mapv(f64::from).view());
            }
            (gram, images)
        };
        let (mut gram, mut images) = zero();
        map_in_order(n, PART_ROWS, 1, sums, |part| {
            gram += &part.0;
            images += &part.1;
            Ok(())
        })?;
        solve_gram(gram.view(), ridge, images.view())
    }

    fn errors(&self, factors: &Factors) -> Result<Errors> {
        let (u, projection) = (factors.u(), factors.projection());
        let mut errors = Errors::default();
        let of_rows = |rows: Range<usize>| {
            let mut errors = Errors::default();
            let approximations = product(u.slice_axis(Axis(0), Slice::from(rows.clone())), projection.view());
            let table = self.rows(&rows);
            for ((row, values), approximation) in rows.zip(table.rows()).zip(approximations.rows()) {
                errors.add_row(RowError::new(values, approximation), self.row_weight(row));
            }
            errors
        };
        map_in_order(self.table.nrows(), BLOCK_ROWS, 1, of_rows, |part| {
            errors.add(part);
            Ok(())
        })?;
        Ok(errors)
    }
}
