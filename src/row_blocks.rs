//! Tables that are read in blocks of rows, whatever their size.

mod array;
mod chained;
mod iterator;

use ndarray::ArrayView2;

pub use array::ArrayRows;
pub use chained::ChainedRows;
pub use iterator::IteratorRows;

use crate::Result;

/// A table \[`vocab_size`, dim\] that is read from its first row to its last, block by block, as often as it takes.
///
/// A decomposition that reads a table so holds a block of it at a time, and numbers in proportion to dim² beside it. Rows come
/// in order; how they are cut into blocks is up to the source, and changes results by rounding only.
///
/// After an error, [`seek`](Self::seek) before reading on: which row would be next is not said. Numbers are not looked at by
/// a source: a table that holds NaN gives NaN.
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

/// A source that is lent, so that it can be read and kept.
impl<R: RowBlocks + ?Sized> RowBlocks for &mut R {
    fn vocab_size(&self) -> usize {
        (**self).vocab_size()
    }

    fn dim(&self) -> usize {
        (**self).dim()
    }

    fn next_block(&mut self) -> Result<Option<ArrayView2<'_, f32>>> {
        (**self).next_block()
    }

    fn seek(&mut self, row: usize) -> Result<()> {
        (**self).seek(row)
    }
}

/// A source of any kind.
impl<R: RowBlocks + ?Sized> RowBlocks for Box<R> {
    fn vocab_size(&self) -> usize {
        (**self).vocab_size()
    }

    fn dim(&self) -> usize {
        (**self).dim()
    }

    fn next_block(&mut self) -> Result<Option<ArrayView2<'_, f32>>> {
        (**self).next_block()
    }

    fn seek(&mut self, row: usize) -> Result<()> {
        (**self).seek(row)
    }
}

/// # Errors
/// [`InvalidSetting`](crate::Error::InvalidSetting) for a row beyond the end.
pub(crate) fn check_row(row: usize, vocab_size: usize) -> Result<()> {
    if row <= vocab_size {
        return Ok(());
    }
    Err(crate::Error::InvalidSetting { name: "row", value: row as f64, expected: "a row of the table, or its end" })
}
