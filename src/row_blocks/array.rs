//! A table in memory as a source of row blocks.

use ndarray::{ArrayView2, s};

use super::{RowBlocks, check_row};
use crate::Result;

/// The rows of an array, or of a memory-mapped table of `f32`.
#[derive(Clone, Debug, PartialEq)]
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
