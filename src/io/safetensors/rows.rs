//! A table in a file, read in blocks of rows.

use std::{fmt, path::Path};

use ndarray::ArrayView2;
use safetensors::tensor::TensorInfo;

use super::{FORMAT, TABLE, header::Header, index, table_dtype, tensor_of, unsuitable};
use crate::{
    Dtype, Error, Result, RowBlocks,
    io::{
        file_rows::{Encoding, FileRows, Layout, Order},
        positioned::PositionedFile,
    },
    rows::widen,
};

/// Bytes that are read first: the length of the header.
const START: usize = 8;

/// The rows of a table in a safetensors file, of any size: they are read when they are asked for, and widened to `f32`.
///
/// Memory is taken by two blocks: the one that was given, and the next one, which a thread reads meanwhile. Nothing is mapped: a
/// file that is truncated while it is read gives an error.
///
/// # Examples
///
/// ```
/// use factorized_embedding::{RowBlocks, io::safetensors::SafetensorsRows};
///
/// # fn main() -> factorized_embedding::Result<()> {
/// let glove = SafetensorsRows::open("examples/data/glove50-top10k-f16.safetensors", "weight")?;
/// let mut rows = glove.with_block_rows(3_000);
/// assert_eq!((rows.vocab_size(), rows.dim()), (10_000, 50));
/// let mut blocks = Vec::new();
/// while let Some(block) = rows.next_block()? {
///     blocks.push(block.nrows());
/// }
/// assert_eq!(blocks, [3_000, 3_000, 3_000, 1_000]);
/// # Ok(())
/// # }
/// ```
pub struct SafetensorsRows {
    rows: FileRows,
    dtype: Dtype,
}

impl SafetensorsRows {
    /// Opens a tensor of a file, or of a [sharded checkpoint](super#sharded-checkpoints). Only the header is read.
    ///
    /// A block is of about 16 MiB, or of one row where that is more.
    ///
    /// # Shapes
    /// The tensor is \[`vocab_size`, dim\] of `F32`, `F16`, `BF16` or `I8` (integers that stand for themselves).
    ///
    /// # Errors
    /// Those of [`load_table`](super::load_table), and [`TableTooLarge`](Error::TableTooLarge).
    pub fn open(path: impl AsRef<Path>, name: &str) -> Result<Self> {
        let path = index::file_of(path.as_ref(), name)?;
        Self::of_file(&path, name, |shape| shape.try_into().ok(), TABLE)
    }

    /// Opens a tensor of this file, of the shape of a matrix that `matrix_shape` finds.
    pub(in crate::io) fn of_file(
        path: &Path,
        name: &str,
        matrix_shape: impl Fn(&[usize]) -> Option<[usize; 2]>,
        expected: &'static str,
    ) -> Result<Self> {
        let file = PositionedFile::open(path)?;
        let header = read_header(path, &file)?;
        let tensor = tensor_of(&header, path, name)?;
        let (Some(dtype), Some(shape)) = (table_dtype(tensor), matrix_shape(&tensor.shape)) else {
            return Err(unsuitable(path, name, tensor, expected));
        };
        let layout = Layout { start: start_of(&header, tensor), encoding: encoding(dtype), shape, order: Order::Rows };
        Ok(Self { rows: FileRows::new(file, layout)?, dtype })
    }

    /// At most so many rows in a block; at least one, even for 0.
    #[must_use]
    pub fn with_block_rows(self, block_rows: usize) -> Self {
        Self { rows: self.rows.with_block_rows(block_rows), ..self }
    }

    /// The type of the numbers in the file.
    #[must_use]
    pub fn dtype(&self) -> Dtype {
        self.dtype
    }
}

/// The header of a file, and nothing else of it.
pub(in crate::io) fn read_header(path: &Path, file: &PositionedFile) -> Result<Header> {
    let invalid = |reason| Error::InvalidFile { path: path.to_owned(), format: FORMAT, reason };
    // No longer than the file, and than headers may be.
    let len = Header::len(&file.start(START)?, file.len()).map_err(invalid)?;
    Header::parse(&file.start(len)?, file.len()).map_err(invalid)
}

fn start_of(header: &Header, tensor: &TensorInfo) -> u64 {
    // `Header::parse` has checked that all offsets lie within the file.
    header.data_start as u64 + tensor.data_offsets.0 as u64
}

fn encoding(dtype: Dtype) -> Encoding {
    let widen: fn(&[u8], &mut [f32]) = match dtype {
        Dtype::F32 => |bytes, out| widen(bytes, Dtype::F32, out),
        Dtype::F16 => |bytes, out| widen(bytes, Dtype::F16, out),
        Dtype::Bf16 => |bytes, out| widen(bytes, Dtype::Bf16, out),
        Dtype::Int8 => |bytes, out| widen(bytes, Dtype::Int8, out),
    };
    Encoding { size: dtype.size(), widen }
}

impl RowBlocks for SafetensorsRows {
    fn vocab_size(&self) -> usize {
        self.rows.shape()[0]
    }

    fn dim(&self) -> usize {
        self.rows.shape()[1]
    }

    fn next_block(&mut self) -> Result<Option<ArrayView2<'_, f32>>> {
        self.rows.next_block()
    }

    fn seek(&mut self, row: usize) -> Result<()> {
        self.rows.seek(row)
    }
}

impl fmt::Debug for SafetensorsRows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SafetensorsRows({} {:?})", self.dtype, self.rows.shape())
    }
}
