//! Tables in [npy](https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html) files of NumPy.

mod whole;

use std::{
    fmt,
    io::{self, ErrorKind, Read},
    path::Path,
};

use half::f16;
use ndarray::ArrayView2;
use ndarray_npy::npy::header::{Header, ReadHeaderError};

pub use whole::{load_array, load_table, save_array, save_table};

use super::{
    file_rows::{Encoding, FileRows, Layout, Order},
    positioned::PositionedFile,
};
use crate::{Error, Result, RowBlocks};

const FORMAT: &str = "npy";
/// Headers of tables are shorter.
const MAX_HEADER_BYTES: usize = 1024;
/// Headers of tables have two, one of a dictionary and one of a shape. The parser takes several times as long for each further one.
const MAX_BRACKETS: usize = 6;

/// The rows of a table in an npy file, of any size: they are read when they are asked for, and made `f32`.
///
/// Memory is taken by two blocks: the one that was given, and the next one, which a thread reads meanwhile. Tables that are
/// stored by column (`fortran_order`) are read, too, with a read for each column of a block: their blocks have the strides of
/// columns.
///
/// # Examples
///
/// ```
/// use factorized_embedding::{RowBlocks, io::npy::NpyRows};
/// use ndarray::array;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("table.npy");
/// ndarray_npy::write_npy(&path, &array![[1.0_f32, 2.0], [3.0, 4.0], [5.0, 6.0]])?;
/// let mut rows = NpyRows::open(&path)?.with_block_rows(2);
/// assert_eq!((rows.vocab_size(), rows.dim()), (3, 2));
/// rows.seek(1)?;
/// assert_eq!(rows.next_block()?, Some(array![[3.0, 4.0], [5.0, 6.0]].view()));
/// # Ok(())
/// # }
/// ```
pub struct NpyRows {
    rows: FileRows,
    descriptor: String,
}

impl NpyRows {
    /// Opens a file. Only the header is read.
    ///
    /// A block is of about 16 MiB, or of one row where that is more.
    ///
    /// # Shapes
    /// The array is \[`vocab_size`, dim\] of 16, 32 or 64 bit floating point numbers in either byte order; those of 64 bits
    /// are rounded to `f32`.
    ///
    /// # Errors
    /// [`Io`](Error::Io), [`InvalidFile`](Error::InvalidFile) also for numbers that are fewer or more than the shape takes,
    /// [`UnsuitableTensor`](Error::UnsuitableTensor) for another type or number of dimensions, [`Empty`](Error::Empty),
    /// [`VocabularyTooLarge`](Error::VocabularyTooLarge), [`TableTooLarge`](Error::TableTooLarge).
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let invalid = |reason| Error::InvalidFile { path: path.to_owned(), format: FORMAT, reason };
        let file = PositionedFile::open(path)?;
        let bytes = file.start(MAX_HEADER_BYTES)?;
        let endless = || format!("its header does not end within {} bytes", bytes.len());
        if claimed_header_bytes(&bytes).is_some_and(|claimed| claimed > bytes.len() as u64) {
            return Err(invalid(endless()));
        }
        let mut reader = HeaderReader { rest: &bytes, brackets: 0 };
        let header = Header::from_reader(&mut reader).map_err(|error| {
            invalid(match error {
                ReadHeaderError::Io(error) if error.kind() == ErrorKind::UnexpectedEof => endless(),
                ReadHeaderError::Io(error) => error.to_string(),
                ReadHeaderError::Parse(error) => error.to_string(),
            })
        })?;
        let start = (bytes.len() - reader.rest.len()) as u64;

        let descriptor = header.type_descriptor.as_string().cloned();
        let descriptor = descriptor.unwrap_or_else(|| header.type_descriptor.to_string());
        let (Some(encoding), &[vocab_size, dim]) = (encoding(&descriptor), header.shape.as_slice()) else {
            return Err(Error::UnsuitableTensor {
                path: path.to_owned(),
                name: "array".to_owned(),
                dtype: descriptor,
                shape: header.shape,
                expected: "f2, f4 or f8 [vocab_size, dim]",
            });
        };
        let size = vocab_size.checked_mul(dim).and_then(|len| len.checked_mul(encoding.size));
        let actual = file.len() - start;
        if size.is_none_or(|size| size as u64 != actual) {
            let shape = header.shape;
            return Err(invalid(format!("{actual} bytes of data are not those of {descriptor} {shape:?}")));
        }
        let order = if header.layout.is_fortran() { Order::Columns } else { Order::Rows };
        let layout = Layout { start, encoding, shape: [vocab_size, dim], order };
        Ok(Self { rows: FileRows::new(file, layout)?, descriptor })
    }

    /// At most so many rows in a block; at least one, even for 0.
    #[must_use]
    pub fn with_block_rows(self, block_rows: usize) -> Self {
        Self { rows: self.rows.with_block_rows(block_rows), ..self }
    }
}

/// What a file says of the length of its header: the parser makes room for it before it reads on. After the magic string and
/// two bytes of a version come two bytes of a length in version 1, four in 2 and 3.
fn claimed_header_bytes(bytes: &[u8]) -> Option<u64> {
    match *bytes.strip_prefix(b"\x93NUMPY")? {
        [1, _, b0, b1, ..] => Some(u64::from(u16::from_le_bytes([b0, b1]))),
        [2 | 3, _, b0, b1, b2, b3, ..] => Some(u64::from(u32::from_le_bytes([b0, b1, b2, b3]))),
        _ => None,
    }
}

/// Gives a parser that reads no further than the header the bytes of a file, unless they nest deeply.
struct HeaderReader<'a> {
    rest: &'a [u8],
    brackets: usize,
}

impl Read for HeaderReader<'_> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let read = self.rest.read(bytes)?;
        self.brackets += bytes[..read].iter().filter(|byte| b"([{".contains(byte)).count();
        if self.brackets > MAX_BRACKETS {
            return Err(io::Error::new(ErrorKind::InvalidData, "its header has more brackets than that of a table"));
        }
        Ok(read)
    }
}

/// By the name that NumPy has for a type.
fn encoding(descriptor: &str) -> Option<Encoding> {
    Some(match descriptor {
        "<f2" => Encoding { size: 2, widen: |bytes, out| widen(bytes, out, |b| f16::from_le_bytes(b).to_f32()) },
        ">f2" => Encoding { size: 2, widen: |bytes, out| widen(bytes, out, |b| f16::from_be_bytes(b).to_f32()) },
        "<f4" => Encoding { size: 4, widen: |bytes, out| widen(bytes, out, f32::from_le_bytes) },
        ">f4" => Encoding { size: 4, widen: |bytes, out| widen(bytes, out, f32::from_be_bytes) },
        "<f8" => Encoding { size: 8, widen: |bytes, out| widen(bytes, out, |b| f64::from_le_bytes(b) as f32) },
        ">f8" => Encoding { size: 8, widen: |bytes, out| widen(bytes, out, |b| f64::from_be_bytes(b) as f32) },
        _ => return None,
    })
}

fn widen<const SIZE: usize>(bytes: &[u8], out: &mut [f32], to_f32: impl Fn([u8; SIZE]) -> f32) {
    for (bytes, out) in bytes.as_chunks().0.iter().zip(out) {
        *out = to_f32(*bytes);
    }
}

impl RowBlocks for NpyRows {
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

impl fmt::Debug for NpyRows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NpyRows({} {:?})", self.descriptor, self.rows.shape())
    }
}
