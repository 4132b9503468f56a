//! Passes over the rows of a table.

use ndarray::{Array2, ArrayView2};

use crate::{Error, Result, RowBlocks, embedding::check};

/// Calls `work` with every block of a table, the number of its first row and the weights of its rows.
///
/// # Errors
/// Those of `work` and of the source; [`ShapeMismatch`](Error::ShapeMismatch) for a source that does not give what it promises.
pub(super) fn for_each_block(
    rows: &mut dyn RowBlocks,
    weights: Option<&[f64]>,
    mut work: impl FnMut(usize, ArrayView2<'_, f32>, Option<&[f64]>) -> Result<()>,
) -> Result<()> {
    let (vocab_size, dim) = (rows.vocab_size(), rows.dim());
    let mismatch = |rows: usize, columns: usize| Error::ShapeMismatch {
        what: "rows of the source [vocab_size, dim]",
        expected: vec![vocab_size, dim],
        actual: vec![rows, columns],
    };
    rows.seek(0)?;
    let mut first = 0;
    while let Some(block) = rows.next_block()? {
        let end = first + block.nrows();
        if block.ncols() != dim || end > vocab_size {
            return Err(mismatch(end, block.ncols()));
        }
        work(first, block, weights.map(|weights| &weights[first..end]))?;
        first = end;
    }
    if first == vocab_size { Ok(()) } else { Err(mismatch(first, dim)) }
}

/// Rows in `f64`, each times the square root of its weight.
pub(super) fn scaled_rows(rows: ArrayView2<'_, f32>, weights: Option<&[f64]>) -> Array2<f64> {
    let mut scaled = rows.mapv(f64::from);
    if let Some(weights) = weights {
        for (mut row, weight) in scaled.rows_mut().into_iter().zip(weights) {
            row *= weight.sqrt();
        }
    }
    scaled
}

/// # Errors
/// [`NonFinite`](Error::NonFinite), with the index in the whole table of the first number of the block that is not finite.
pub(super) fn check_finite(block: ArrayView2<'_, f32>, first_row: usize) -> Result<()> {
    check::finite("table [vocab_size, dim]", &block).map_err(|error| match error {
        Error::NonFinite { what, mut index, value } => {
            index[0] += first_row;
            Error::NonFinite { what, index, value }
        }
        other => other,
    })
}
