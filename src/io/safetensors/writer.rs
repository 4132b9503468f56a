//! Factors whose U is never whole in memory.

use std::{fmt, io, path::Path};

use ndarray::{Array1, Array2, ArrayView1, ArrayView2};

use super::{
    file_dtype,
    tensors::{FACTORS, header, write_numbers},
};
use crate::{Dtype, Error, Result, Shape, embedding::check, io::atomic_file::AtomicFile, rows::Numbers};

/// Writes factors whose rows of U come block by block, for tables that are larger than memory.
///
/// The file is the one that [`save_factors`](super::save_factors) would write of the same factors, and comes into place in
/// the same way: when it is [finished](Self::finish). If the writer is dropped before, what stood there is still there, and
/// nothing else is left.
///
/// # Examples
///
/// ```
/// use factorized_embedding::{Factors, io::safetensors::{FactorsWriter, load_factors}};
/// use ndarray::array;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("factors.safetensors");
/// let v = array![[3.0, 4.0]];
/// let mut writer = FactorsWriter::create(&path, 3, v.clone())?.with_diagonal(array![2.0])?;
/// writer.write_rows(array![[1.0], [2.0]].view())?;
/// writer.write_rows(array![[5.0]].view())?;
/// writer.finish()?;
/// let factors = Factors::new(array![[1.0], [2.0], [5.0]], v)?.with_diagonal(array![2.0])?;
/// assert_eq!(load_factors(&path)?, factors);
/// # Ok(())
/// # }
/// ```
pub struct FactorsWriter {
    file: AtomicFile,
    shape: Shape,
    diagonal: Option<Array1<f32>>,
    v: Array2<f32>,
    bias: Option<Array1<f32>>,
    progress: Progress,
}

/// What the file holds.
#[derive(Clone, Copy)]
enum Progress {
    /// Nothing.
    New,
    /// The header and so many rows of U.
    Rows(usize),
    /// A part of what was to be written.
    Broken,
}

impl FactorsWriter {
    /// Begins a file of factors, beside its place.
    ///
    /// # Shapes
    /// `v` \[rank, dim\]
    ///
    /// # Errors
    /// [`Empty`](Error::Empty), [`VocabularyTooLarge`](Error::VocabularyTooLarge),
    /// [`RankOutOfRange`](Error::RankOutOfRange), [`TableTooLarge`](Error::TableTooLarge),
    /// [`NonFinite`](Error::NonFinite), [`Io`](Error::Io).
    pub fn create(path: impl AsRef<Path>, vocab_size: usize, v: Array2<f32>) -> Result<Self> {
        let shape = Shape { vocab_size, rank: v.nrows(), dim: v.ncols() };
        shape.check()?;
        check::finite("v [rank, dim]", &v)?;
        let file = AtomicFile::create(path.as_ref())?;
        Ok(Self { file, shape, diagonal: None, v, bias: None, progress: Progress::New })
    }

    /// The same with a diagonal between U and V; before any rows are written.
    ///
    /// # Shapes
    /// `diagonal` \[rank\]
    ///
    /// # Errors
    /// [`ShapeMismatch`](Error::ShapeMismatch), [`NonFinite`](Error::NonFinite), and
    /// [`InvalidSetting`](Error::InvalidSetting) behind rows: nothing is saved then.
    pub fn with_diagonal(self, diagonal: Array1<f32>) -> Result<Self> {
        self.check_vector("diagonal [rank]", diagonal.view(), self.shape.rank)?;
        Ok(Self { diagonal: Some(diagonal), ..self })
    }

    /// The same with a bias added to every row; before any rows are written.
    ///
    /// # Shapes
    /// `bias` \[dim\]
    ///
    /// # Errors
    /// [`ShapeMismatch`](Error::ShapeMismatch), [`NonFinite`](Error::NonFinite), and
    /// [`InvalidSetting`](Error::InvalidSetting) behind rows: nothing is saved then.
    pub fn with_bias(self, bias: Array1<f32>) -> Result<Self> {
        self.check_vector("bias [dim]", bias.view(), self.shape.dim)?;
        Ok(Self { bias: Some(bias), ..self })
    }

    fn check_vector(&self, what: &'static str, vector: ArrayView1<'_, f32>, len: usize) -> Result<()> {
        if !matches!(self.progress, Progress::New) {
            return Err(Error::InvalidSetting {
                name: "rows written before the other parts",
                value: self.rows_written() as f64,
                expected: "0",
            });
        }
        if vector.len() != len {
            return Err(Error::ShapeMismatch { what, expected: vec![len], actual: vec![vector.len()] });
        }
        check::finite(what, &vector)
    }

    /// Writes the next rows of U. After an error of these rows themselves, nothing of them was written.
    ///
    /// # Shapes
    /// `rows` \[any number, rank\]
    ///
    /// # Errors
    /// [`ShapeMismatch`](Error::ShapeMismatch) also for more rows than were announced, [`NonFinite`](Error::NonFinite) with
    /// the index in U, [`Io`](Error::Io), after which the file cannot be finished.
    pub fn write_rows(&mut self, rows: ArrayView2<'_, f32>) -> Result<()> {
        let written = self.rows_written();
        let total = written.saturating_add(rows.nrows());
        if rows.ncols() != self.shape.rank || total > self.shape.vocab_size {
            return Err(self.mismatch([total, rows.ncols()]));
        }
        check::finite("u [vocab_size, rank]", &rows).map_err(|error| match error {
            Error::NonFinite { what, mut index, value } => {
                if let Some(row) = index.first_mut() {
                    *row += written;
                }
                Error::NonFinite { what, index, value }
            }
            other => other,
        })?;
        if rows.nrows() == 0 {
            return Ok(());
        }
        self.begin()?;
        self.write(|file| write_array(rows, file))?;
        self.progress = Progress::Rows(total);
        Ok(())
    }

    /// Rows of U that are written.
    #[must_use]
    pub fn rows_written(&self) -> usize {
        match self.progress {
            Progress::Rows(rows) => rows,
            Progress::New | Progress::Broken => 0,
        }
    }

    /// Writes what comes behind U, synchronises the file to the disk and renames it into place.
    ///
    /// # Errors
    /// [`ShapeMismatch`](Error::ShapeMismatch) for fewer rows than were announced, [`Io`](Error::Io): what stood there before
    /// is then still there.
    pub fn finish(mut self) -> Result<()> {
        self.begin()?;
        let written = self.rows_written();
        if written != self.shape.vocab_size {
            return Err(self.mismatch([written, self.shape.rank]));
        }
        let (diagonal, v, bias) = (self.diagonal.take(), std::mem::take(&mut self.v), self.bias.take());
        self.write(|file| {
            diagonal.iter().try_for_each(|diagonal| write_vector(diagonal.view(), file))?;
            write_array(v.view(), file)?;
            bias.iter().try_for_each(|bias| write_vector(bias.view(), file))
        })?;
        self.file.commit()
    }

    fn mismatch(&self, actual: [usize; 2]) -> Error {
        let expected = vec![self.shape.vocab_size, self.shape.rank];
        Error::ShapeMismatch { what: "rows of u [vocab_size, rank]", expected, actual: actual.to_vec() }
    }

    /// Writes the header, if it was not written yet.
    fn begin(&mut self) -> Result<()> {
        match self.progress {
            Progress::Rows(_) => return Ok(()),
            Progress::New => {}
            Progress::Broken => {
                let (path, source) = (self.file.path().to_owned(), io::Error::other("an earlier write failed"));
                return Err(Error::Io { action: "write", path, source });
            }
        }
        let Shape { vocab_size, rank, dim } = self.shape;
        let mut tensors = vec![("u", vec![vocab_size, rank])];
        tensors.extend(self.diagonal.is_some().then(|| ("diagonal", vec![rank])));
        tensors.push(("v", vec![rank, dim]));
        tensors.extend(self.bias.is_some().then(|| ("bias", vec![dim])));
        let dtype = file_dtype(Dtype::F32);
        let header = header(FACTORS, &[], tensors.iter().map(|(name, shape)| (*name, dtype, shape.as_slice())));
        self.write(|file| file.write_all(&header.to_bytes()?))?;
        self.progress = Progress::Rows(0);
        Ok(())
    }

    fn write(&mut self, write: impl FnOnce(&mut dyn io::Write) -> io::Result<()>) -> Result<()> {
        self.file.write(write).inspect_err(|_| self.progress = Progress::Broken)
    }
}

fn write_array(array: ArrayView2<'_, f32>, file: &mut dyn io::Write) -> io::Result<()> {
    match array.as_slice() {
        Some(numbers) => write_numbers(Numbers::F32(numbers), file),
        None => array.rows().into_iter().try_for_each(|row| write_vector(row, file)),
    }
}

fn write_vector(vector: ArrayView1<'_, f32>, file: &mut dyn io::Write) -> io::Result<()> {
    match vector.as_slice() {
        Some(numbers) => write_numbers(Numbers::F32(numbers), file),
        None => write_numbers(Numbers::F32(&vector.to_vec()), file),
    }
}

impl fmt::Debug for FactorsWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Shape { vocab_size, rank, dim } = self.shape;
        write!(f, "FactorsWriter(u [{} of {vocab_size}, {rank}]", self.rows_written())?;
        if self.diagonal.is_some() {
            write!(f, ", diagonal [{rank}]")?;
        }
        write!(f, ", v [{rank}, {dim}]")?;
        if self.bias.is_some() {
            write!(f, ", bias [{dim}]")?;
        }
        write!(f, ", {})", self.file.path().display())
    }
}
