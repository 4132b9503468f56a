//! What can be asked of reading.

use std::path::Path;

use super::{WordVectorFormat, WordVectors, binary, format::Header, records::Records, text};
use crate::{
    Error, Result,
    embedding::check,
    io::byte_stream::{ByteStream, Size},
};

/// What becomes of a word that stands in a file more than once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case", deny_unknown_fields))]
#[non_exhaustive]
pub enum DuplicateWords {
    /// The file is refused, with the line of the word.
    #[default]
    Refuse,
    /// Its first vector counts; [`WordVectors::left_out`] tells of the others.
    KeepFirst,
}

/// Reads [files of words and vectors](super).
///
/// # Examples
///
/// ```
/// use factorized_embedding::io::word_vectors::{DuplicateWords, WordVectorFormat, WordVectorReader};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("vectors.txt");
/// std::fs::write(&path, "the 0.1 0.2\ncat 0.3 0.4\nthe 0.5 0.6\ndog 0.7 0.8\n")?;
/// let reader = WordVectorReader::new(WordVectorFormat::GloveText);
/// let error = reader.read(&path).expect_err("a word that stands twice");
/// assert!(error.to_string().ends_with("line 3 repeats the word \"the\" of line 1"));
///
/// let vectors = reader.with_duplicates(DuplicateWords::KeepFirst).with_max_rows(2).read(&path)?;
/// assert!(vectors.vocabulary.words().eq(["the", "cat"]));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(deny_unknown_fields))]
pub struct WordVectorReader {
    format: WordVectorFormat,
    max_rows: Option<usize>,
    dim: Option<usize>,
    #[cfg_attr(feature = "serde", serde(default))]
    duplicates: DuplicateWords,
}

impl WordVectorReader {
    /// Reads all words of files of this format, and refuses words that stand twice.
    #[must_use]
    pub fn new(format: WordVectorFormat) -> Self {
        Self { format, max_rows: None, dim: None, duplicates: DuplicateWords::default() }
    }

    /// Reads the first words only, so many; the rest of the file is not looked at. Files usually begin with the most frequent words.
    #[must_use]
    pub fn with_max_rows(self, max_rows: usize) -> Self {
        Self { max_rows: Some(max_rows), ..self }
    }

    /// Expects vectors of so many numbers.
    ///
    /// Without it, a file of GloVe has as many as its first line, and is refused where that leaves doubt: where a word ends in a
    /// space and a number, or where the first line could be a header.
    #[must_use]
    pub fn with_dim(self, dim: usize) -> Self {
        Self { dim: Some(dim), ..self }
    }

    /// With this decision about words that stand twice.
    #[must_use]
    pub fn with_duplicates(self, duplicates: DuplicateWords) -> Self {
        Self { duplicates, ..self }
    }

    /// Reads a file.
    ///
    /// # Errors
    /// [`Io`](Error::Io), also where a compressed file is damaged, and [`MissingFeature`](Error::MissingFeature) for one without
    /// feature `gzip`; [`InvalidRecord`](Error::InvalidRecord) with the number of a malformed or repeated line (of word2vec
    /// binary: row); [`InvalidFile`](Error::InvalidFile) when the header promises something else than there is;
    /// [`InvalidSetting`](Error::InvalidSetting) for no rows or no numbers; [`VocabularyTooLarge`](Error::VocabularyTooLarge),
    /// [`TableTooLarge`](Error::TableTooLarge).
    pub fn read(&self, path: impl AsRef<Path>) -> Result<WordVectors> {
        for (name, setting) in [("limit of rows", self.max_rows), ("dim", self.dim)] {
            if setting == Some(0) {
                return Err(Error::InvalidSetting { name, value: 0.0, expected: "at least 1" });
            }
        }
        let mut stream = ByteStream::open(path.as_ref())?;
        let mut records = Records::new(stream.path(), self.format, self.max_rows, self.duplicates);
        match self.format {
            WordVectorFormat::GloveText => text::read_lines(&mut stream, &mut records, self.dim, None)?,
            WordVectorFormat::Word2VecText => {
                let rows = self.read_header(&mut stream, &mut records)?;
                let dim = Some(records.dim());
                text::read_lines(&mut stream, &mut records, dim, Some(rows))?;
            }
            WordVectorFormat::Word2VecBinary => {
                let rows = self.read_header(&mut stream, &mut records)?;
                binary::read_rows(&mut stream, &mut records, rows)?;
            }
        }
        records.finish()
    }

    /// Reads the first line, tells the records their dim, and returns how many rows are to follow.
    fn read_header(&self, stream: &mut ByteStream, records: &mut Records) -> Result<usize> {
        let mut line = Vec::new();
        stream.read_until(b'\n', text::MAX_LINE_BYTES, &mut line)?;
        let Some(header) = Header::parse(&line) else {
            let shown = text::shown(&line);
            return Err(
                records.invalid_file(format!("its first line is {shown}, expected a header of two whole numbers"))
            );
        };
        let Header { vocab_size, dim } = header;
        if vocab_size == 0 || dim == 0 {
            return Err(records.invalid_file(format!("its header promises {vocab_size} rows of {dim} numbers")));
        }
        let Size { most: bytes, is_exact } = stream.size();
        if least_bytes(self.format, header).is_none_or(|least| least > u128::from(bytes)) {
            return Err(records.invalid_file(format!(
                "its header promises {vocab_size} rows of {dim} numbers, more than its {bytes} bytes can hold"
            )));
        }
        // What is no usize is above any size of a file in memory, too.
        let [vocab_size, dim] = [vocab_size, dim].map(|number| usize::try_from(number).unwrap_or(usize::MAX));
        if let Some(expected) = self.dim.filter(|expected| *expected != dim) {
            return Err(
                records.invalid_file(format!("its header promises {dim} numbers for each word, expected {expected}"))
            );
        }
        check::table("words and vectors [vocab_size, dim]", [vocab_size, dim])?;
        check::addressable(vocab_size, dim)?;
        records.set_dim(dim);
        if is_exact {
            records.reserve(vocab_size).map_err(|error| stream.failed(error))?;
        }
        Ok(vocab_size)
    }
}

/// The fewest bytes that such rows take, whose words may be empty.
fn least_bytes(format: WordVectorFormat, Header { vocab_size, dim }: Header) -> Option<u128> {
    let rows = |number_bytes: u128| (u128::from(dim) * number_bytes + 1).checked_mul(u128::from(vocab_size));
    match format {
        WordVectorFormat::Word2VecBinary => rows(4),
        // A space and a digit for each number; the last line may lack its end.
        WordVectorFormat::GloveText | WordVectorFormat::Word2VecText => rows(2).map(|bytes| bytes - 1),
    }
}
