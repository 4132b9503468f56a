//! Half steps where only some entries are known: a least squares problem of its own for each row and each column.

use std::ops::Range;

use ndarray::{Array2, ArrayView1, ArrayView2, ArrayViewMut1};

use super::{
    super::parallel::map_in_order,
    Observations,
    blocks::map_blocks,
    problem::{Axes, BLOCK_ROWS, Errors, Problem, rows_of, slice_of},
    sparse::{List, Lists},
};
use crate::{
    Error, Factors, Result,
    linalg::{NormalEquations, solve_wide},
    reconstruction::RowError,
};

/// Rows of the fixed factor that are gathered at a time.
const GATHERED: usize = 256;
/// Lists that a thread takes at a time: they may be of very different lengths.
const LISTS: usize = 16;

/// Entries of a table, in rows that may have a weight, too.
pub(super) struct Known<'a> {
    observations: &'a Observations,
    row_weights: Option<Vec<f64>>,
}

impl<'a> Known<'a> {
    /// # Errors
    /// [`NoKnownEntries`](Error::NoKnownEntries) where no row of weight has any.
    pub(super) fn new(observations: &'a Observations, row_weights: Option<Vec<f64>>) -> Result<Self> {
        let (vocab_size, dim) = (observations.vocab_size(), observations.dim());
        let counts = |row| row_weights.as_ref().is_none_or(|weights| weights[row] > 0.0);
        if !(0..vocab_size).any(|row| counts(row) && observations.by_row().list(row).len() > 0) {
            return Err(Error::NoKnownEntries { vocab_size, dim });
        }
        Ok(Self { observations, row_weights })
    }

    fn row_weight(&self, row: usize) -> f64 {
        self.row_weights.as_ref().map_or(1.0, |weights| weights[row])
    }

    /// Σ w·(e − ê)² of a row.
    fn residual(&self, row: usize, u: ArrayView1<'_, f64>, columns: ArrayView2<'_, f64>) -> f64 {
        let weight = self.row_weight(row);
        let list = self.observations.by_row().list(row);
        let squares = list.iter().map(|(j, value, own)| weight * own * (value - u.dot(&columns.row(j))).powi(2));
        squares.sum()
    }
}

impl Problem for Known<'_> {
    fn shape(&self) -> [usize; 2] {
        [self.observations.vocab_size(), self.observations.dim()]
    }

    fn energy(&self) -> f64 {
        let row = |row| {
            let squares = self.observations.by_row().list(row).iter().map(|(_, value, weight)| weight * value * value);
            self.row_weight(row) * squares.sum::<f64>()
        };
        (0..self.observations.vocab_size()).map(row).sum()
    }

    fn row_weights(&self) -> Option<&[f64]> {
        self.row_weights.as_deref()
    }

    fn is_weighted(&self) -> bool {
        self.row_weights.is_some() || self.observations.has_weights()
    }

    fn solve_rows(&self, axes: &Axes, ridge: f64, u: &mut Array2<f64>) -> Result<f64> {
        // Columns of V, each contiguous.
        let columns = (&axes.directions.t() * &axes.scales).as_standard_layout().into_owned();
        let rank = u.ncols();
        // A row of weight 0 is what it would be with a very small one.
        let own = |row| match self.row_weight(row) {
            0.0 if ridge == 0.0 => 1.0,
            weight => weight,
        };
        let side = Side { lists: self.observations.by_row(), fixed: columns.view(), ridge };
        let residuals = map_blocks(
            slice_of(u),
            LISTS * rank,
            || Scratch::new(rank),
            |scratch, block, u| {
                let mut residual = 0.0;
                for (row, mut u) in (block * LISTS..).zip(rows_of(u, rank).rows_mut()) {
                    let own = own(row);
                    side.solve(row, |_| own, scratch, u.view_mut())?;
                    residual += self.residual(row, u.view(), columns.view());
                }
                Ok(residual)
            },
        )?;
        Ok(residuals.into_iter().sum())
    }

    fn solve_columns(&self, u: &Array2<f64>, ridge: f64) -> Result<Array2<f64>> {
        let rank = u.ncols();
        let mut columns = Array2::zeros((self.observations.dim(), rank));
        let side = Side { lists: self.observations.by_column(), fixed: u.view(), ridge };
        map_blocks(
            slice_of(&mut columns),
            rank,
            || Scratch::new(rank),
            |scratch, column, out| side.solve(column, |row| self.row_weight(row), scratch, ArrayViewMut1::from(out)),
        )?;
        Ok(columns.reversed_axes())
    }

    fn errors(&self, factors: &Factors) -> Result<Errors> {
        let columns = factors.projection().mapv(f64::from).reversed_axes().as_standard_layout().into_owned();
        let u = factors.u();
        let mut errors = Errors::default();
        let of_rows = |rows: Range<usize>| {
            let mut errors = Errors::default();
            for row in rows {
                let u = u.row(row).mapv(f64::from);
                for (j, value, weight) in self.observations.by_row().list(row).iter() {
                    let residual = (value - u.dot(&columns.row(j))).powi(2);
                    errors.add_row(RowError { residual, total: value * value }, weight * self.row_weight(row));
                }
            }
            errors
        };
        map_in_order(u.nrows(), BLOCK_ROWS, 1, of_rows, |part| {
            errors.add(part);
            Ok(())
        })?;
        Ok(errors)
    }
}

/// One factor to be solved for, list by list, the other one fixed.
struct Side<'a> {
    lists: &'a Lists,
    /// A row for each index of the lists.
    fixed: ArrayView2<'a, f64>,
    ridge: f64,
}

impl Side<'_> {
    /// Σ over the list of w·(e − x·fixed)² + ridge·‖x‖² at its least; `weight` times its own is the weight of an entry.
    fn solve(
        &self,
        list: usize,
        weight: impl Fn(usize) -> f64,
        scratch: &mut Scratch,
        mut out: ArrayViewMut1<'_, f64>,
    ) -> Result<()> {
        let list = self.lists.list(list);
        if list.len() < out.len() {
            scratch.gather(list, &weight, self.fixed);
            if scratch.values.is_empty() {
                out.fill(0.0);
                return Ok(());
            }
            return solve_wide(&scratch.rows, &scratch.values, self.ridge, out);
        }
        scratch.equations.clear();
        for start in (0..list.len()).step_by(GATHERED) {
            scratch.gather(list.part(start..list.len().min(start + GATHERED)), &weight, self.fixed);
            scratch.equations.add(&scratch.rows, &scratch.values);
        }
        scratch.equations.solve(self.ridge, out)
    }
}

/// What a thread keeps from one list to the next.
struct Scratch {
    /// √w · rows of the fixed factor, row-major.
    rows: Vec<f64>,
    /// √w · e.
    values: Vec<f64>,
    equations: NormalEquations,
}

impl Scratch {
    fn new(rank: usize) -> Self {
        Self { rows: Vec::new(), values: Vec::new(), equations: NormalEquations::new(rank) }
    }

    fn gather(&mut self, list: List<'_>, weight: impl Fn(usize) -> f64, fixed: ArrayView2<'_, f64>) {
        self.rows.clear();
        self.values.clear();
        for (index, value, own) in list.iter() {
            let root = (own * weight(index)).sqrt();
            if root > 0.0 {
                self.rows.extend(fixed.row(index).iter().map(|x| root * x));
                self.values.push(root * value);
            }
        }
    }
}
