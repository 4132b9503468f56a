//! Words and vectors into files.

use std::{
    io::{self, Write},
    path::Path,
};

use ndarray::ArrayView1;

use super::{WordVectorFormat, text};
use crate::{Embedding, Error, Result, TokenId, Vocabulary, io::atomic_file::AtomicFile};

/// Rows that are looked up together.
const BLOCK_ROWS: usize = 1024;

/// Writes the words of a vocabulary with the vectors of a layer, of any kind, as lookups give them: a padding row is zero.
///
/// Numbers in text are the shortest that read back as the same `f32`. Rows in binary end with a line feed, as those of word2vec do.
/// The file is written beside its place and renamed into it when it is whole.
///
/// # Errors
/// [`ShapeMismatch`](Error::ShapeMismatch) unless there is a word for each row, [`UnsuitableWord`](Error::UnsuitableWord) for a word
/// that a reader would take for something else, [`NonFinite`](Error::NonFinite), [`Io`](Error::Io).
pub fn save_word_vectors(
    path: impl AsRef<Path>,
    format: WordVectorFormat,
    vocabulary: &Vocabulary,
    embedding: &dyn Embedding,
) -> Result<()> {
    let (vocab_size, dim) = (embedding.vocab_size(), embedding.dim());
    if vocabulary.len() != vocab_size {
        return Err(Error::ShapeMismatch {
            what: "words [vocab_size]",
            expected: vec![vocab_size],
            actual: vec![vocabulary.len()],
        });
    }
    for (id, word) in (0..).zip(vocabulary.words()) {
        if let Some(reason) = unsuitable(format, word) {
            return Err(Error::UnsuitableWord { word: word.to_owned(), id, format: format.name(), reason });
        }
    }
    let mut file = AtomicFile::create(path.as_ref())?;
    if format != WordVectorFormat::GloveText {
        file.write(|out| writeln!(out, "{vocab_size} {dim}"))?;
    }
    let ids: Vec<TokenId> = (0..vocab_size as TokenId).collect();
    let mut words = vocabulary.words();
    for ids in ids.chunks(BLOCK_ROWS) {
        let rows = embedding.lookup(ids)?;
        for ((row, word), &id) in rows.rows().into_iter().zip(words.by_ref()).zip(ids) {
            check_finite(id, row)?;
            file.write(|out| write_row(format, word, row, out))?;
        }
    }
    file.commit()
}

/// Why a word cannot be written, if it cannot.
fn unsuitable(format: WordVectorFormat, word: &str) -> Option<&'static str> {
    let is_binary = format == WordVectorFormat::Word2VecBinary;
    if word.contains('\n') {
        return Some("it holds a line feed");
    }
    if is_binary && word.contains(' ') {
        return Some("it holds a space");
    }
    if format == WordVectorFormat::GloveText && text::dim_of(word.as_bytes()).is_some() {
        return Some("it ends in a number behind a space");
    }
    None
}

fn check_finite(id: TokenId, row: ArrayView1<'_, f32>) -> Result<()> {
    match row.iter().position(|number| !number.is_finite()) {
        None => Ok(()),
        Some(column) => Err(Error::NonFinite {
            what: "table [vocab_size, dim]",
            index: vec![id as usize, column],
            value: f64::from(row[column]),
        }),
    }
}

fn write_row(format: WordVectorFormat, word: &str, row: ArrayView1<'_, f32>, out: &mut dyn Write) -> io::Result<()> {
    out.write_all(word.as_bytes())?;
    if format == WordVectorFormat::Word2VecBinary {
        out.write_all(b" ")?;
        row.iter().try_for_each(|number| out.write_all(&number.to_le_bytes()))?;
    } else {
        // `Debug` has the digits of `Display`, and an exponent where there would be many zeros.
        row.iter().try_for_each(|number| write!(out, " {number:?}"))?;
    }
    out.write_all(b"\n")
}
