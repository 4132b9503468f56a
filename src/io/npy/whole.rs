//! Whole tables, read and written.

use std::{
    io::{self, ErrorKind, Write},
    path::Path,
};

use ndarray::{Array2, ArrayView2};
use ndarray_npy::{
    WritableElement,
    npy::header::{Header, Layout},
};

use super::NpyRows;
use crate::{
    DenseEmbedding, Embedding, Error, Result, RowBlocks, TokenId, embedding::check, io::atomic_file::AtomicFile,
};

/// Rows that are looked up together.
const BLOCK_ROWS: usize = 1024;

/// Reads a whole array, whatever its type and order, as `f32`.
///
/// # Errors
/// Those of [`NpyRows::open`] and [`Io`](Error::Io).
///
/// # Examples
///
/// ```
/// use factorized_embedding::io::npy::{load_array, save_array};
/// use ndarray::array;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("table.npy");
/// let table = array![[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]];
/// save_array(&path, table.view())?;
/// assert_eq!(load_array(&path)?, table);
/// # Ok(())
/// # }
/// ```
pub fn load_array(path: impl AsRef<Path>) -> Result<Array2<f32>> {
    let path = path.as_ref();
    let mut rows = NpyRows::open(path)?;
    let shape = (rows.vocab_size(), rows.dim());
    let failed = |kind: ErrorKind| Error::Io { action: "read", path: path.to_owned(), source: kind.into() };
    // No more than the file has: its size was compared with its shape, which can be addressed.
    let mut numbers = Vec::new();
    numbers.try_reserve_exact(shape.0 * shape.1).map_err(|_| failed(ErrorKind::OutOfMemory))?;
    while let Some(block) = rows.next_block()? {
        numbers.extend(block.iter());
    }
    Array2::from_shape_vec(shape, numbers).map_err(|_| failed(ErrorKind::UnexpectedEof))
}

/// Reads a whole table into a dense layer.
///
/// # Errors
/// Those of [`load_array`], and [`NonFinite`](Error::NonFinite).
pub fn load_table(path: impl AsRef<Path>) -> Result<DenseEmbedding<'static>> {
    DenseEmbedding::new(load_array(path)?)
}

/// Writes an array as `f32`, row by row, beside its place, and renames the file when it is whole.
///
/// # Shapes
/// `array` \[`vocab_size`, dim\], any strides
///
/// # Errors
/// [`Empty`](Error::Empty), [`VocabularyTooLarge`](Error::VocabularyTooLarge), [`Io`](Error::Io).
pub fn save_array(path: impl AsRef<Path>, array: ArrayView2<'_, f32>) -> Result<()> {
    let mut file = begin(path.as_ref(), [array.nrows(), array.ncols()])?;
    file.write(|out| write_rows(array, out))?;
    file.commit()
}

/// Writes the table of a layer, of any kind, as lookups give it: a padding row is zero. It is never whole in memory.
///
/// # Errors
/// Those of [`save_array`].
pub fn save_table(path: impl AsRef<Path>, embedding: &dyn Embedding) -> Result<()> {
    let mut file = begin(path.as_ref(), [embedding.vocab_size(), embedding.dim()])?;
    let ids: Vec<TokenId> = (0..embedding.vocab_size() as TokenId).collect();
    for ids in ids.chunks(BLOCK_ROWS) {
        let rows = embedding.lookup(ids)?;
        file.write(|out| write_rows(rows.view(), out))?;
    }
    file.commit()
}

/// A file with the header of an array of this shape.
fn begin(path: &Path, shape: [usize; 2]) -> Result<AtomicFile> {
    check::table("array [vocab_size, dim]", shape)?;
    let mut file = AtomicFile::create(path)?;
    let header = Header { type_descriptor: f32::type_descriptor(), layout: Layout::Standard, shape: shape.to_vec() };
    file.write(|out| out.write_all(&header.to_bytes().map_err(io::Error::other)?))?;
    Ok(file)
}

fn write_rows(array: ArrayView2<'_, f32>, out: &mut dyn Write) -> io::Result<()> {
    let mut write = |numbers: &[f32]| f32::write_slice(numbers, &mut *out).map_err(io::Error::other);
    for row in array.rows() {
        match row.as_slice() {
            Some(numbers) => write(numbers)?,
            None => write(&row.to_vec())?,
        }
    }
    Ok(())
}
