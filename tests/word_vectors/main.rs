//! Files of words and their vectors, and of words alone.
#![cfg(feature = "word-vectors")]

#[path = "../support/mod.rs"]
mod support;

mod binary;
mod detection;
#[cfg(feature = "gzip")]
mod gzip;
mod hostile;
mod settings;
mod text;
mod vocabulary_files;
mod writing;

use std::path::Path;

use factorized_embedding::{
    Error, Result, Vocabulary,
    io::word_vectors::{WordVectorFormat, WordVectorReader, WordVectors},
};
use ndarray::Array2;
use support::files::Folder;

const FORMATS: [WordVectorFormat; 3] =
    [WordVectorFormat::GloveText, WordVectorFormat::Word2VecText, WordVectorFormat::Word2VecBinary];

/// What a reader makes of a file of these bytes.
fn read(reader: WordVectorReader, bytes: &[u8]) -> Result<WordVectors> {
    let folder = Folder::new();
    reader.read(folder.write("vectors", bytes))
}

/// The message of a refusal, with `PATH` for the path.
#[track_caller]
fn refused(reader: WordVectorReader, bytes: &[u8]) -> String {
    let folder = Folder::new();
    let path = folder.write("vectors", bytes);
    message(&path, &reader.read(&path).expect_err("this is refused"))
}

fn message(path: &Path, error: &Error) -> String {
    error.to_string().replace(&path.display().to_string(), "PATH")
}

#[track_caller]
fn assert_vectors(vectors: &WordVectors, words: &[&str], table: &Array2<f32>) {
    assert_eq!(vectors.vocabulary.words().collect::<Vec<_>>(), words);
    assert_eq!(vectors.table, table);
}

fn vocabulary(words: &[&str]) -> Vocabulary {
    Vocabulary::new(words.iter().copied()).expect("different words")
}

/// A file of word2vec's binary format, with or without line feeds behind the vectors.
fn binary_file(header: &str, words: &[&str], table: &Array2<f32>, line_feed: &[u8]) -> Vec<u8> {
    let mut bytes = header.as_bytes().to_vec();
    for (word, row) in words.iter().zip(table.rows()) {
        bytes.extend(word.as_bytes());
        bytes.push(b' ');
        bytes.extend(row.iter().flat_map(|number| number.to_le_bytes()));
        bytes.extend(line_feed);
    }
    bytes
}
