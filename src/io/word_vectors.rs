//! Words and their vectors in the files of [GloVe](https://nlp.stanford.edu/projects/glove/),
//! [word2vec](https://code.google.com/archive/p/word2vec/) and [fastText](https://fasttext.cc/).
//!
//! | [`WordVectorFormat`] | begins with | then, for each word |
//! | --- | --- | --- |
//! | `GloveText` | | a line: the word and its d numbers |
//! | `Word2VecText`, `.vec` of fastText | a line with the number of words and d | a line: the word and its d numbers |
//! | `Word2VecBinary` | a line with the number of words and d | the word, a space, d little-endian `f32`, and a line feed or none |
//!
//! In text, a space or a tab stands before each number, lines end with a line feed, and what else stands at their ends of spaces,
//! tabs and carriage returns does not count. A line is split from the right: a word is all that stands before its numbers, spaces
//! included. Words are UTF-8, numbers are finite.
//!
//! Files are read from beginning to end; memory is taken by the vectors, the words and a line. GloVe's files do not say how many
//! words they have: their lines are counted first, so that the vectors are never copied. With feature `gzip`, files that are
//! compressed by gzip are read as well; they are known by how they begin, whatever their name. Those of GloVe are read once, and
//! may take twice the memory of their vectors meanwhile.
//!
//! # Examples
//!
//! ```
//! use factorized_embedding::{
//!     DenseEmbedding, Embedding, Vocabulary,
//!     io::word_vectors::{WordVectorFormat, load_word_vectors, save_word_vectors},
//! };
//! use ndarray::array;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = tempfile::tempdir()?;
//! # let path = folder.path().join("vectors.txt");
//! let words = Vocabulary::new(["ice", "ice cream"])?;
//! let table = DenseEmbedding::new(array![[0.5, 1.0], [-2.0, 1e-7]])?;
//! save_word_vectors(&path, WordVectorFormat::GloveText, &words, &table)?;
//! assert_eq!(std::fs::read_to_string(&path)?, "ice 0.5 1.0\nice cream -2.0 1e-7\n");
//!
//! let vectors = load_word_vectors(&path, WordVectorFormat::detect(&path)?)?;
//! assert_eq!(vectors.vocabulary, words);
//! let layer = DenseEmbedding::new(vectors.table)?;
//! assert_eq!(layer.lookup(&[1])?, array![[-2.0, 1e-7]]);
//! # Ok(())
//! # }
//! ```

mod binary;
mod format;
mod reader;
mod records;
mod text;
mod write;

use std::{fmt, path::Path};

use ndarray::Array2;

pub use format::WordVectorFormat;
pub use reader::{DuplicateWords, WordVectorReader};
pub use write::save_word_vectors;

use crate::{Result, Vocabulary};

/// Words and their vectors, as a [file](self) holds them.
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub struct WordVectors {
    /// The words, in the order of the file.
    pub vocabulary: Vocabulary,
    /// Their vectors \[`vocab_size`, dim\], all finite.
    pub table: Array2<f32>,
    /// The numbers of the lines (of word2vec binary: of the rows), from 1 on, that were left out because their words stand before
    /// them already: see [`DuplicateWords::KeepFirst`].
    pub left_out: Vec<usize>,
}

/// Reads all words and vectors of a file; a word that stands twice is an error. [`WordVectorReader`] has settings.
///
/// # Errors
/// Those of [`WordVectorReader::read`].
pub fn load_word_vectors(path: impl AsRef<Path>, format: WordVectorFormat) -> Result<WordVectors> {
    WordVectorReader::new(format).read(path)
}

impl fmt::Debug for WordVectors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WordVectors({:?}, table {:?}", self.vocabulary, self.table.shape())?;
        if !self.left_out.is_empty() {
            write!(f, ", {} left out", self.left_out.len())?;
        }
        f.write_str(")")
    }
}
