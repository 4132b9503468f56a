//! word2vec's binary files of words and vectors.

use std::path::Path;

use factorized_embedding::io::word_vectors::{DuplicateWords, WordVectorFormat, WordVectorReader};

use super::{glove::same_again, value, write};

pub(crate) fn check(folder: &Path, data: &[u8]) {
    let path = write(folder, "vectors.bin", data);
    value(WordVectorFormat::detect(&path));
    let reader = WordVectorReader::new(WordVectorFormat::Word2VecBinary);
    if let Some(vectors) = value(reader.read(&path)) {
        same_again(folder, WordVectorFormat::Word2VecBinary, vectors);
    }
    if let Some(vectors) = value(reader.with_duplicates(DuplicateWords::KeepFirst).with_max_rows(2).read(&path)) {
        assert!((1..=2).contains(&vectors.table.nrows()));
    }
    value(reader.with_dim(3).read(&path));
}
