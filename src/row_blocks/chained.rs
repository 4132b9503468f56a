//! Several sources of row blocks as one table.

use std::fmt;

use ndarray::ArrayView2;

use super::{RowBlocks, check_row};
use crate::{Error, Result};

/// The rows of one source behind those of another: a table that is cut across several files.
///
/// # Examples
///
/// ```
/// use factorized_embedding::{ArrayRows, ChainedRows, RowBlocks};
/// use ndarray::array;
///
/// # fn main() -> factorized_embedding::Result<()> {
/// let (first, second) = (array![[1.0, 2.0]], array![[3.0, 4.0], [5.0, 6.0]]);
/// let mut rows = ChainedRows::new([&first, &second].map(|table| ArrayRows::new(table.view())))?;
/// assert_eq!((rows.vocab_size(), rows.dim()), (3, 2));
/// rows.seek(2)?;
/// assert_eq!(rows.next_block()?, Some(array![[5.0, 6.0]].view()));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, PartialEq)]
pub struct ChainedRows<R> {
    sources: Vec<R>,
    vocab_size: usize,
    dim: usize,
    /// The source that the next block is of.
    current: usize,
    /// Rows that it has not given yet.
    left: usize,
}

impl<R: RowBlocks> ChainedRows<R> {
    /// The rows of all these sources, in this order, from the first row of the first one on.
    ///
    /// Sources of different types are of one type as `Box<dyn RowBlocks>`.
    ///
    /// # Errors
    /// [`Empty`](Error::Empty) for no source at all, [`ShapeMismatch`](Error::ShapeMismatch) where one has another dim than
    /// the first, [`TableTooLarge`](Error::TableTooLarge), and those of the first source when it is
    /// [rewound](RowBlocks::seek).
    pub fn new(sources: impl Into<Vec<R>>) -> Result<Self> {
        let mut sources = sources.into();
        let Some(first) = sources.first_mut() else {
            return Err(Error::Empty { what: "chained sources of rows [sources]", shape: vec![0] });
        };
        first.seek(0)?;
        let dim = first.dim();
        let mut vocab_size = 0_usize;
        for source in &sources {
            let rows = source.vocab_size();
            if source.dim() != dim {
                return Err(Error::ShapeMismatch {
                    what: "chained rows [vocab_size, dim]",
                    expected: vec![rows, dim],
                    actual: vec![rows, source.dim()],
                });
            }
            let too_large = || Error::TableTooLarge { vocab_size: usize::MAX, dim };
            vocab_size = vocab_size.checked_add(rows).ok_or_else(too_large)?;
        }
        let left = sources.first().map_or(0, RowBlocks::vocab_size);
        Ok(Self { sources, vocab_size, dim, current: 0, left })
    }

    /// Makes a row of a source the next one; there is none behind the last source.
    fn start(&mut self, current: usize, row: usize) -> Result<()> {
        self.current = current;
        if let Some(source) = self.sources.get_mut(current) {
            source.seek(row)?;
            self.left = source.vocab_size().saturating_sub(row);
        }
        Ok(())
    }

    /// The sources, wherever they stand.
    #[must_use]
    pub fn into_sources(self) -> Vec<R> {
        self.sources
    }
}

impl<R: RowBlocks> RowBlocks for ChainedRows<R> {
    fn vocab_size(&self) -> usize {
        self.vocab_size
    }

    fn dim(&self) -> usize {
        self.dim
    }

    fn next_block(&mut self) -> Result<Option<ArrayView2<'_, f32>>> {
        let mismatch = |vocab_size: usize, left: usize, rows: usize| Error::ShapeMismatch {
            what: "rows of a chained source [vocab_size]",
            expected: vec![vocab_size],
            actual: vec![vocab_size.saturating_sub(left).saturating_add(rows)],
        };
        while let Some(source) = self.sources.get_mut(self.current).filter(|_| self.left == 0) {
            // Lets it find out what stands behind its last row.
            let vocab_size = source.vocab_size();
            if let Some(block) = source.next_block()? {
                return Err(mismatch(vocab_size, 0, block.nrows()));
            }
            self.start(self.current + 1, 0)?;
        }
        let Some(source) = self.sources.get_mut(self.current) else { return Ok(None) };
        let vocab_size = source.vocab_size();
        let block = source.next_block()?;
        let rows = block.as_ref().map_or(0, ndarray::ArrayBase::nrows);
        if !(1..=self.left).contains(&rows) {
            return Err(mismatch(vocab_size, self.left, rows));
        }
        self.left -= rows;
        Ok(block)
    }

    fn seek(&mut self, row: usize) -> Result<()> {
        check_row(row, self.vocab_size)?;
        let (mut current, mut row) = (0, row);
        while let Some(source) = self.sources.get(current).filter(|source| source.vocab_size() <= row) {
            row -= source.vocab_size();
            current += 1;
        }
        self.start(current, row)
    }
}

impl<R> fmt::Debug for ChainedRows<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ChainedRows({} sources, [{}, {}])", self.sources.len(), self.vocab_size, self.dim)
    }
}
