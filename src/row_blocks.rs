//! Tables that are read in blocks of rows, whatever their size.

mod array;
mod iterator;

use ndarray::ArrayView2;

pub use array::ArrayRows;
pub use iterator::IteratorRows;

use crate::Result;

/// A table \[`vocab_size`, dim\] that is read from its first row to its last, block by block, as often as it takes.
///
/// A decomposition that reads a table so holds a block of it at a time, and numbers in proportion to dim² beside it. Rows come
/// in order; how they are cut into blocks is up to the source, and changes results by rounding only.
///
/// # Examples
///
/// ```
/// use factorized_embedding::{ArrayRows, RowBlocks};
/// use ndarray::array;
///
/// # fn main() -> factorized_embedding::Result<()> {
/// let table = array![[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]];
/// let mut rows = ArrayRows::new(table.view()).with_block_rows(2);
/// assert_eq!(rows.next_block()?, Some(table.slice(ndarray::s![..2, ..])));
/// rows.seek(2)?;
/// assert_eq!(rows.next_block()?, Some(table.slice(ndarray::s![2.., ..])));
/// assert_eq!(rows.next_block()?, None);
/// # Ok(())
/// # }
/// ```
pub trait RowBlocks {
    /// Rows of the table.
    fn vocab_size(&self) -> usize;

    /// Columns of the table.
    fn dim(&self) -> usize;

    /// The next rows, at least one; `None` after the last row.
    ///
    /// # Shapes
    /// \[rows of the block, dim\]
    ///
    /// # Errors
    /// Those of the source, such as [`Io`](crate::Error::Io).
    fn next_block(&mut self) -> Result<Option<ArrayView2<'_, f32>>>;

    /// Makes this row the first of the next block; [`vocab_size`](Self::vocab_size) is the end.
    ///
    /// # Errors
    /// [`InvalidSetting`](crate::Error::InvalidSetting) for a row beyond the end, and those of the source.
    fn seek(&mut self, row: usize) -> Result<()>;
}

/// # Errors
/// [`InvalidSetting`](crate::Error::InvalidSetting) for a row beyond the end.
pub(crate) fn check_row(row: usize, vocab_size: usize) -> Result<()> {
    if row <= vocab_size {
        return Ok(());
    }
    Err(crate::Error::InvalidSetting { name: "row", value: row as f64, expected: "a row of the table, or its end" })
}
