//! Any iterator of blocks as a source of row blocks.

use std::{fmt, iter::Fuse};

use ndarray::{Array2, ArrayView2, s};

use super::{RowBlocks, check_row};
use crate::{Error, Result};

/// The rows of blocks that an iterator gives: a table that is computed, received or decoded on the way.
///
/// The iterator is made anew for every pass over the table, by a function of the caller's; seeking makes one, too, and drops
/// the blocks before the row. Blocks that are no rows of this table are an error where they are met, and rows that are
/// missing are one at the end.
///
/// # Examples
///
/// ```
/// use factorized_embedding::{IteratorRows, RowBlocks};
/// use ndarray::Array2;
///
/// # fn main() -> factorized_embedding::Result<()> {
/// // 1,000 blocks of 100 rows, none of which is kept.
/// let blocks = || (0..1_000).map(|block| Ok(Array2::from_elem((100, 8), block as f32)));
/// let mut rows = IteratorRows::new(100_000, 8, blocks);
/// rows.seek(99_950)?;
/// assert_eq!(rows.next_block()?, Some(Array2::from_elem((50, 8), 999.0).view()));
/// # Ok(())
/// # }
/// ```
pub struct IteratorRows<I, F> {
    vocab_size: usize,
    dim: usize,
    make: F,
    blocks: Option<Fuse<I>>,
    /// The block that was given last, or the one that the next row is in.
    block: Array2<f32>,
    /// Where in `block` the next row is, if `pending`.
    skip: usize,
    /// Rows before the end of `block`.
    read: usize,
    pending: bool,
}

impl<I, F> IteratorRows<I, F>
where
    I: Iterator<Item = Result<Array2<f32>>>,
    F: FnMut() -> I,
{
    /// The rows of the blocks that the iterators of `make` give, which are `vocab_size` in all.
    pub fn new(vocab_size: usize, dim: usize, make: F) -> Self {
        let block = Array2::zeros((0, 0));
        Self { vocab_size, dim, make, blocks: None, block, skip: 0, read: 0, pending: false }
    }

    /// Takes the next block that has rows from the iterator; false after the last one.
    fn advance(&mut self) -> Result<bool> {
        let blocks = self.blocks.get_or_insert_with(|| (self.make)().fuse());
        let mismatch = |rows: usize, columns: usize| Error::ShapeMismatch {
            what: "rows of an iterator [vocab_size, dim]",
            expected: vec![self.vocab_size, self.dim],
            actual: vec![rows, columns],
        };
        loop {
            let Some(block) = blocks.next().transpose()? else {
                return if self.read == self.vocab_size { Ok(false) } else { Err(mismatch(self.read, self.dim)) };
            };
            let read = self.read.saturating_add(block.nrows());
            if block.ncols() != self.dim || read > self.vocab_size {
                return Err(mismatch(read, block.ncols()));
            }
            if block.nrows() > 0 {
                self.read = read;
                self.block = block;
                return Ok(true);
            }
        }
    }
}

impl<I, F> RowBlocks for IteratorRows<I, F>
where
    I: Iterator<Item = Result<Array2<f32>>>,
    F: FnMut() -> I,
{
    fn vocab_size(&self) -> usize {
        self.vocab_size
    }

    fn dim(&self) -> usize {
        self.dim
    }

    fn next_block(&mut self) -> Result<Option<ArrayView2<'_, f32>>> {
        if !std::mem::take(&mut self.pending) {
            self.skip = 0;
            if !self.advance()? {
                return Ok(None);
            }
        }
        Ok(Some(self.block.slice(s![self.skip.., ..])))
    }

    fn seek(&mut self, row: usize) -> Result<()> {
        check_row(row, self.vocab_size)?;
        (self.blocks, self.read, self.pending) = (None, 0, false);
        while self.read < row {
            let first = self.read;
            if !self.advance()? {
                break;
            }
            if self.read > row {
                (self.skip, self.pending) = (row - first, true);
            }
        }
        Ok(())
    }
}

impl<I, F> fmt::Debug for IteratorRows<I, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "IteratorRows([{}, {}])", self.vocab_size, self.dim)
    }
}
