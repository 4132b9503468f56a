//! Text of words and vectors, of GloVe and word2vec, and files of words; also compressed by gzip.

use std::path::Path;

use factorized_embedding::{
    DenseEmbedding, Embedding,
    io::{
        vocabulary::{load_vocabulary, save_vocabulary},
        word_vectors::{DuplicateWords, WordVectorFormat, WordVectorReader, WordVectors, save_word_vectors},
    },
};

use super::{value, write};

pub(crate) fn check(folder: &Path, data: &[u8]) {
    let path = write(folder, "vectors.txt", data);
    value(WordVectorFormat::detect(&path));
    for format in [WordVectorFormat::GloveText, WordVectorFormat::Word2VecText] {
        let reader = WordVectorReader::new(format);
        if let Some(vectors) = value(reader.read(&path)) {
            same_again(folder, format, vectors);
        }
        let reader = reader.with_duplicates(DuplicateWords::KeepFirst);
        if let Some(vectors) = value(reader.with_max_rows(2).read(&path)) {
            assert!((1..=2).contains(&vectors.table.nrows()));
        }
        value(reader.with_dim(3).read(&path));
    }
    if let Some(words) = value(load_vocabulary(&path)) {
        let again = folder.join("words.txt");
        save_vocabulary(&again, &words).expect("a writable folder");
        assert_eq!(load_vocabulary(&again).expect("what was just written"), words);
    }
}

/// What was read is the same when it is written and read again, unless the format cannot hold a word.
pub(super) fn same_again(folder: &Path, format: WordVectorFormat, vectors: WordVectors) {
    let again = folder.join("again");
    let WordVectors { vocabulary, table, .. } = vectors;
    assert_eq!(vocabulary.len(), table.nrows());
    let dim = table.ncols();
    let layer = DenseEmbedding::new(table).expect("finite numbers");
    if value(save_word_vectors(&again, format, &vocabulary, &layer)).is_some() {
        let read = WordVectorReader::new(format).with_dim(dim).read(&again).expect("what was just written");
        assert_eq!(read.vocabulary, vocabulary);
        assert_eq!(read.table, layer.to_array());
        assert_eq!(read.table.nrows(), layer.vocab_size());
    }
}
