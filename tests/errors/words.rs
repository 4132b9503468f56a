//! Words.

use factorized_embedding::{
    Error, OutOfVocabulary, Vocabulary,
    io::word_vectors::{WordVectorFormat, save_word_vectors},
};

use crate::{assert_refused, dense, support::files::Folder};

#[test]
fn duplicate_word() {
    let kind = |error: &Error| matches!(error, Error::DuplicateWord { .. });
    let message = "the word \"a\\tb\" stands at id 1 and again at id 3";
    assert_refused(Vocabulary::new(["x", "a\tb", "y", "a\tb"]), kind, message);
}

#[test]
fn unknown_word() {
    let kind = |error: &Error| matches!(error, Error::UnknownWord { position: 2, .. });
    let vocabulary = Vocabulary::new(["x", "y"]).expect("two different words");
    let message = "the word \"a\\tb\" at position 2 is not in the vocabulary";
    assert_refused(vocabulary.encode(&["x", "y", "a\tb", "z"], OutOfVocabulary::Refuse), kind, message);
}

#[test]
fn unsuitable_word() {
    let kind = |error: &Error| matches!(error, Error::UnsuitableWord { id: 1, .. });
    let folder = Folder::new();
    let words = Vocabulary::new(["x", "a b", "y"]).expect("different words");
    let message = "the word \"a b\" at id 1 cannot be written as word2vec binary: it holds a space";
    let format = WordVectorFormat::Word2VecBinary;
    assert_refused(save_word_vectors(folder.path("vectors"), format, &words, &dense()), kind, message);
    assert!(folder.names().is_empty(), "nothing was written");
}
