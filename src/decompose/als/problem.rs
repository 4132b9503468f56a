//! What is to be fitted, and the two halves of an iteration.

use ndarray::{Array1, Array2, ArrayViewMut2};

use crate::{
    Factors, Result,
    reconstruction::{RelativeError, RowError},
};

/// Rows of U that are worked on together.
pub(super) const BLOCK_ROWS: usize = 256;

/// Rows whose sums are made by one thread, and added up in order.
pub(super) const PART_ROWS: usize = 2048;

/// V = diag(`scales`) · `directions`, with orthonormal directions.
///
/// Any V has this form once its basis is rotated, which changes neither the product (U is solved for anew) nor the
/// ridge term.
pub(super) struct Axes {
    /// \[rank\], all 1 without a ridge term.
    pub(super) scales: Array1<f64>,
    /// \[rank, dim\]
    pub(super) directions: Array2<f64>,
}

/// Entries of a table that are to be approximated, each with its weight w.
pub(super) trait Problem: Sync {
    /// Rows and columns of the table.
    fn shape(&self) -> [usize; 2];

    /// Σ w·e².
    fn energy(&self) -> f64;

    /// The weights of the rows, where there are any.
    fn row_weights(&self) -> Option<&[f64]>;

    /// Whether there are weights of any kind.
    fn is_weighted(&self) -> bool;

    /// The best U \[`vocab_size`, rank\] for this V, into `u`; returns Σ w·(e − ê)².
    fn solve_rows(&self, axes: &Axes, ridge: f64, u: &mut Array2<f64>) -> Result<f64>;

    /// The best V \[rank, dim\] for this U.
    fn solve_columns(&self, u: &Array2<f64>, ridge: f64) -> Result<Array2<f64>>;

    /// Plain and weighted errors of factors as they are stored.
    fn errors(&self, factors: &Factors) -> Result<Errors>;
}

/// Over the entries that are to be approximated.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Errors {
    pub(super) plain: RelativeError,
    pub(super) weighted: RelativeError,
}

impl Errors {
    /// Adds a row, or a part of one.
    pub(super) fn add_row(&mut self, row: RowError, weight: f64) {
        self.plain.add_row(row, 1.0);
        self.weighted.add_row(row, weight);
    }

    pub(super) fn add(&mut self, other: Self) {
        self.plain.add(other.plain);
        self.weighted.add(other.weighted);
    }
}

/// The numbers of an array that was made row-major.
pub(super) fn slice_of(array: &mut Array2<f64>) -> &mut [f64] {
    let Some(slice) = array.as_slice_mut() else { unreachable!("the array is row-major") };
    slice
}

/// Rows of `columns` numbers.
pub(super) fn rows_of(values: &mut [f64], columns: usize) -> ArrayViewMut2<'_, f64> {
    let len = values.len() / columns;
    let Ok(rows) = ArrayViewMut2::from_shape((len, columns), values) else { unreachable!("whole rows") };
    rows
}
