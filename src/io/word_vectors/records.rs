//! Words and vectors while they are read.

use std::{
    collections::TryReserveError,
    io::{self, ErrorKind},
    path::{Path, PathBuf},
};

use ndarray::Array2;

use super::{DuplicateWords, WordVectorFormat, WordVectors, text};
use crate::{Error, Result, TokenId, Vocabulary};

/// Numbers that there is room for, at least.
const MIN_CAPACITY: usize = 1 << 14;

/// The words that were read so far, and their numbers, row by row.
pub(super) struct Records {
    path: PathBuf,
    format: WordVectorFormat,
    max_rows: usize,
    duplicates: DuplicateWords,
    /// Numbers of a row, once that is known.
    dim: usize,
    vocabulary: Vocabulary,
    numbers: Vec<f32>,
    left_out: Vec<usize>,
}

impl Records {
    pub(super) fn new(
        path: &Path,
        format: WordVectorFormat,
        max_rows: Option<usize>,
        duplicates: DuplicateWords,
    ) -> Self {
        Self {
            path: path.to_owned(),
            format,
            max_rows: max_rows.unwrap_or(usize::MAX),
            duplicates,
            dim: 0,
            vocabulary: Vocabulary::default(),
            numbers: Vec::new(),
            left_out: Vec::new(),
        }
    }

    /// Says how many numbers rows have, before there are any.
    pub(super) fn set_dim(&mut self, dim: usize) {
        self.dim = dim;
    }

    pub(super) fn dim(&self) -> usize {
        self.dim
    }

    /// The number of the line or row of the first word.
    pub(super) fn first_record(&self) -> usize {
        self.format.first_record()
    }

    /// Makes room for so many rows, or for as many as are to be read.
    pub(super) fn reserve(&mut self, rows: usize) -> io::Result<()> {
        let len = rows.min(self.max_rows).saturating_mul(self.dim);
        self.numbers.try_reserve_exact(len.saturating_sub(self.numbers.len())).map_err(out_of_memory)
    }

    /// How many rows are to be read at most.
    pub(super) fn max_rows(&self) -> usize {
        self.max_rows
    }

    /// Whether there are as many rows as are to be read.
    pub(super) fn are_enough(&self) -> bool {
        self.vocabulary.len() >= self.max_rows
    }

    /// Adds a row of numbers, as many as those before it, and its word.
    pub(super) fn add(&mut self, record: usize, word: &[u8], row: &[f32]) -> Result<()> {
        let word = std::str::from_utf8(word)
            .map_err(|_| self.invalid(record, format!("has the word {}, which is not UTF-8", text::shown(word))))?;
        if let Some(first) = self.vocabulary.id(word) {
            if self.duplicates == DuplicateWords::KeepFirst {
                self.left_out.push(record);
                return Ok(());
            }
            return Err(self.invalid(record, self.repetition(word, first)));
        }
        if self.numbers.capacity() - self.numbers.len() < row.len() {
            // A little at a time: a table may be as large as memory.
            let more = (self.numbers.len() / 8).max(MIN_CAPACITY).max(row.len());
            let reserved = self.numbers.try_reserve_exact(more).map_err(out_of_memory);
            reserved.map_err(|source| Error::Io { action: "read", path: self.path.clone(), source })?;
        }
        self.vocabulary.push(word)?;
        self.numbers.extend_from_slice(row);
        self.dim = row.len();
        Ok(())
    }

    fn repetition(&self, word: &str, first: TokenId) -> String {
        let (record, first) = (self.format.record(), first as usize + self.first_record());
        format!("repeats the word {} of {record} {first}", text::shown(word.as_bytes()))
    }

    /// The error of a line or a row.
    pub(super) fn invalid(&self, number: usize, reason: String) -> Error {
        let (format, record) = (self.format.name(), self.format.record());
        Error::InvalidRecord { path: self.path.clone(), format, record, number, reason }
    }

    /// The error of the file as a whole.
    pub(super) fn invalid_file(&self, reason: String) -> Error {
        Error::InvalidFile { path: self.path.clone(), format: self.format.name(), reason }
    }

    /// The error of a file that ends too early.
    pub(super) fn too_few(&self, rows: usize, expected: usize) -> Error {
        self.invalid_file(format!("it ends after {rows} rows, its header promises {expected}"))
    }

    /// The error of a file that goes on.
    pub(super) fn too_many(&self, expected: usize) -> Error {
        self.invalid_file(format!("it goes on behind the {expected} rows that its header promises"))
    }

    pub(super) fn finish(self) -> Result<WordVectors> {
        if self.vocabulary.is_empty() {
            return Err(self.invalid_file("it is empty".to_owned()));
        }
        let Self { dim, vocabulary, mut numbers, left_out, .. } = self;
        numbers.shrink_to_fit();
        let (rows, len) = (vocabulary.len(), numbers.len());
        let table = Array2::from_shape_vec((rows, dim), numbers).map_err(|_| Error::ShapeMismatch {
            what: "numbers of the words",
            expected: vec![rows, dim],
            actual: vec![len],
        })?;
        Ok(WordVectors { vocabulary, table, left_out })
    }
}

fn out_of_memory(_: TryReserveError) -> io::Error {
    ErrorKind::OutOfMemory.into()
}
