//! A matrix in a file, whatever the format, as a source of row blocks.

use std::{
    collections::TryReserveError,
    io::ErrorKind,
    ops::Range,
    sync::Arc,
    thread::{self, JoinHandle},
};

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

/// Where the numbers come from.
struct Source {
    file: PositionedFile,
    layout: Layout,
}

/// What a block is read into.
#[derive(Default)]
struct Buffers {
    /// Bytes as they stand in the file.
    piece: Vec<u8>,
    /// The numbers of the block.
    block: Vec<f32>,
}

/// A block on its way.
struct Ahead {
    rows: Range<usize>,
    reading: JoinHandle<Result<Buffers>>,
}

/// The rows of a matrix that ends within the file.
///
/// While a block is worked with, a thread reads the next one: files that are larger than memory come from the disk on every
/// pass.
pub(super) struct FileRows {
    source: Arc<Source>,
    block_rows: usize,
    next: usize,
    /// The block that was given last.
    current: Buffers,
    ahead: Option<Ahead>,
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
        let source = Arc::new(Source { file, layout });
        Ok(Self { source, block_rows, next: 0, current: Buffers::default(), ahead: None })
    }

    /// At most so many rows in a block; at least one.
    pub(super) fn with_block_rows(self, block_rows: usize) -> Self {
        Self { block_rows: block_rows.max(1), ..self }
    }

    pub(super) fn shape(&self) -> [usize; 2] {
        self.source.layout.shape
    }

    pub(super) fn seek(&mut self, row: usize) -> Result<()> {
        check_row(row, self.shape()[0])?;
        self.next = row;
        Ok(())
    }

    pub(super) fn next_block(&mut self) -> Result<Option<ArrayView2<'_, f32>>> {
        let rows = self.block_at(self.next);
        if rows.is_empty() {
            return Ok(None);
        }
        let spare = std::mem::take(&mut self.current);
        let (read, spare) = match self.ahead.take() {
            Some(ahead) if ahead.rows == rows => (ahead.finish(), spare),
            Some(ahead) => (self.source.read_block(rows.clone(), spare), ahead.finish().unwrap_or_default()),
            None => (self.source.read_block(rows.clone(), spare), Buffers::default()),
        };
        self.current = read?;
        self.next = rows.end;
        self.ahead = self.read_ahead(self.block_at(rows.end), spare);
        let shape = (rows.len(), self.shape()[1]);
        let shape = match self.source.layout.order {
            Order::Rows => shape.set_f(false),
            #[cfg(feature = "npy")]
            Order::Columns => shape.set_f(true),
        };
        // As many numbers as the shape takes.
        Ok(ArrayView2::from_shape(shape, &self.current.block).ok())
    }

    /// The rows of the block that begins here.
    fn block_at(&self, first: usize) -> Range<usize> {
        first..first.saturating_add(self.block_rows).min(self.shape()[0])
    }

    /// Begins to read a block; if no thread can be had, it is read when it is asked for.
    fn read_ahead(&self, rows: Range<usize>, buffers: Buffers) -> Option<Ahead> {
        if rows.is_empty() {
            return None;
        }
        let (source, block) = (Arc::clone(&self.source), rows.clone());
        let reading = thread::Builder::new().spawn(move || source.read_block(block, buffers)).ok()?;
        Some(Ahead { rows, reading })
    }
}

impl Ahead {
    fn finish(self) -> Result<Buffers> {
        self.reading.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }
}

impl Source {
    fn read_block(&self, rows: Range<usize>, mut buffers: Buffers) -> Result<Buffers> {
        // No product overflows: `FileRows::new` has checked that of the whole table.
        let dim = self.layout.shape[1];
        let Buffers { piece, block } = &mut buffers;
        resize(block, rows.len() * dim).map_err(|_| self.file.failed(ErrorKind::OutOfMemory.into()))?;
        match self.layout.order {
            Order::Rows => self.read(rows.start * dim, block, piece)?,
            #[cfg(feature = "npy")]
            Order::Columns => {
                for (column, numbers) in block.chunks_exact_mut(rows.len()).enumerate() {
                    self.read(column * self.layout.shape[0] + rows.start, numbers, piece)?;
                }
            }
        }
        Ok(buffers)
    }

    /// The numbers of the matrix from this one on, in the order in which they stand.
    fn read(&self, first: usize, out: &mut [f32], piece: &mut Vec<u8>) -> Result<()> {
        let Encoding { size, widen } = self.layout.encoding;
        let len = PIECE_BYTES.min(out.len() * size);
        if piece.len() < len {
            piece.resize(len, 0);
        }
        let mut offset = self.layout.start + first as u64 * size as u64;
        for out in out.chunks_mut(PIECE_BYTES / size) {
            let bytes = &mut piece[..out.len() * size];
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
