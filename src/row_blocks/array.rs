//! A table in memory as a source of row blocks.

use std::fmt;

use ndarray::{ArrayView2, s};

use super::{RowBlocks, check_row};
use crate::Result;

/// The rows of an array, or of a memory-mapped table of `f32`.
///
/// # Examples
///
/// ```
/// use factorized_embedding::{ArrayRows, RowBlocks};
/// use ndarray::Array2;
///
/// # fn main() -> factorized_embedding::Result<()> {
/// let table = Array2::<f32>::ones((5, 3));
/// let mut rows = ArrayRows::new(table.view()).with_block_rows(4);
/// assert_eq!(rows.next_block()?.map(|block| block.nrows()), Some(4));
/// assert_eq!(rows.next_block()?.map(|block| block.nrows()), Some(1));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, PartialEq)]
pub struct ArrayRows<'a> {
    table: ArrayView2<'a, f32>,
    block_rows: usize,
    next: usize,
}

impl<'a> ArrayRows<'a> {
    /// All rows in one block: nothing is copied, so there is no reason for smaller ones.
    ///
    /// # Shapes
    /// `table` \[`vocab_size`, dim\]
    #[must_use]
    pub fn new(table: ArrayView2<'a, f32>) -> Self {
        Self { table, block_rows: usize::MAX, next: 0 }
    }

    /// At most so many rows in a block; at least one, even for 0.
    #[must_use]
    pub fn with_block_rows(self, block_rows: usize) -> Self {
        Self { block_rows: block_rows.max(1), ..self }
    }
}

impl RowBlocks for ArrayRows<'_> {
    fn vocab_size(&self) -> usize {
        self.table.nrows()
    }

    fn dim(&self) -> usize {
        self.table.ncols()
    }

    fn next_block(&mut self) -> Result<Option<ArrayView2<'_, f32>>> {
        let start = self.next;
        self.next = start.saturating_add(self.block_rows).min(self.table.nrows());
        Ok((start < self.next).then(|| self.table.slice(s![start..self.next, ..])))
    }

    fn seek(&mut self, row: usize) -> Result<()> {
        check_row(row, self.table.nrows())?;
        self.next = row;
        Ok(())
    }
}

impl fmt::Debug for ArrayRows<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ArrayRows({:?})", self.table.shape())
    }
}
