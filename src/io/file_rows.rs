//! A matrix in a file, whatever the format, as a source of row blocks.

use std::{collections::TryReserveError, io::ErrorKind};

use ndarray::{ArrayView2, ShapeBuilder};

use super::positioned::PositionedFile;
use crate::{Error, Result, embedding::check, row_blocks::check_row};

/// Bytes of `f32` in a block, where nobody says otherwise.
const BLOCK_BYTES: usize = 16 << 20;
/// Bytes that are read at a time and widened while they are in the cache; a multiple of the size of every number.
const PIECE_BYTES: usize = 256 << 10;

/// How a number stands in a file.
#[derive(Clone, Copy)]
pub(super) struct Encoding {
    pub(super) size: usize,
    /// Makes `f32` of the bytes of as many numbers.
    pub(super) widen: fn(&[u8], &mut [f32]),
}

/// Which numbers of a matrix stand beside each other.
#[derive(Clone, Copy)]
pub(super) enum Order {
    /// Those of a row.
    Rows,
    /// Those of a column.
    #[cfg(feature = "npy")]
    Columns,
}

/// Where in a file which matrix is.
pub(super) struct Layout {
    /// The byte at which it begins.
    pub(super) start: u64,
    pub(super) encoding: Encoding,
    /// \[`vocab_size`, dim\]
    pub(super) shape: [usize; 2],
    pub(super) order: Order,
}

/// The rows of a matrix that ends within the file.
pub(super) struct FileRows {
    file: PositionedFile,
    layout: Layout,
    block_rows: usize,
    next: usize,
    /// Bytes as they stand in the file.
    piece: Vec<u8>,
    /// The numbers of the last block.
    block: Vec<f32>,
}

impl FileRows {
    /// # Errors
    /// [`Empty`](Error::Empty), [`VocabularyTooLarge`](Error::VocabularyTooLarge), [`TableTooLarge`](Error::TableTooLarge).
    pub(super) fn new(file: PositionedFile, layout: Layout) -> Result<Self> {
        let [vocab_size, dim] = layout.shape;
        check::table("table [vocab_size, dim]", layout.shape)?;
        let bytes = vocab_size.checked_mul(dim).and_then(|len| len.checked_mul(size_of::<f32>()));
        if bytes.is_none_or(|bytes| bytes > isize::MAX as usize) {
            return Err(Error::TableTooLarge { vocab_size, dim });
        }
        let block_rows = (BLOCK_BYTES / size_of::<f32>() / dim).max(1);
        Ok(Self { file, layout, block_rows, next: 0, piece: Vec::new(), block: Vec::new() })
    }

    /// At most so many rows in a block; at least one.
    pub(super) fn with_block_rows(self, block_rows: usize) -> Self {
        Self { block_rows: block_rows.max(1), ..self }
    }

    pub(super) fn shape(&self) -> [usize; 2] {
        self.layout.shape
    }

    pub(super) fn seek(&mut self, row: usize) -> Result<()> {
        check_row(row, self.layout.shape[0])?;
        self.next = row;
        Ok(())
    }

    pub(super) fn next_block(&mut self) -> Result<Option<ArrayView2<'_, f32>>> {
        let [vocab_size, dim] = self.layout.shape;
        let first = self.next;
        let rows = self.block_rows.min(vocab_size - first);
        if rows == 0 {
            return Ok(None);
        }
        // No product overflows: `new` has checked that of the whole table.
        let mut block = std::mem::take(&mut self.block);
        resize(&mut block, rows * dim).map_err(|_| self.file.failed(ErrorKind::OutOfMemory.into()))?;
        let shape = match self.layout.order {
            Order::Rows => {
                self.read(first * dim, &mut block)?;
                (rows, dim).set_f(false)
            }
            #[cfg(feature = "npy")]
            Order::Columns => {
                for (column, numbers) in block.chunks_exact_mut(rows).enumerate() {
                    self.read(column * vocab_size + first, numbers)?;
                }
                (rows, dim).set_f(true)
            }
        };
        self.block = block;
        self.next = first + rows;
        // As many numbers as the shape takes.
        Ok(ArrayView2::from_shape(shape, &self.block).ok())
    }

    /// The numbers of the matrix from this one on, in the order in which they stand.
    fn read(&mut self, first: usize, out: &mut [f32]) -> Result<()> {
        let Encoding { size, widen } = self.layout.encoding;
        let piece = PIECE_BYTES.min(out.len() * size);
        if self.piece.len() < piece {
            self.piece.resize(piece, 0);
        }
        let mut offset = self.layout.start + first as u64 * size as u64;
        for out in out.chunks_mut(PIECE_BYTES / size) {
            let bytes = &mut self.piece[..out.len() * size];
            self.file.read_exact_at(bytes, offset)?;
            widen(bytes, out);
            offset += bytes.len() as u64;
        }
        Ok(())
    }
}

fn resize(numbers: &mut Vec<f32>, len: usize) -> std::result::Result<(), TryReserveError> {
    numbers.try_reserve_exact(len.saturating_sub(numbers.len()))?;
    numbers.resize(len, 0.0);
    Ok(())
}
