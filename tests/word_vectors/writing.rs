//! Words and vectors into files.

use factorized_embedding::{
    DenseEmbedding, Dtype, Embedding, Error, FactorizedEmbedding, Factors,
    io::word_vectors::{WordVectorFormat, WordVectorReader, load_word_vectors, save_word_vectors},
};
use ndarray::{Array2, array};

use super::{FORMATS, assert_vectors, message, vocabulary};
use crate::support::files::Folder;

#[test]
fn what_is_written_is_read_again() {
    // Words that stumble over trimming, splitting or line feeds; numbers of every magnitude.
    let words = ["the", "", "Grüße", "\u{a0}", "2000", "\r", "nan", "\u{85}x"];
    let numbers = [0.1, -0.0, 1e-45, f32::MAX, f32::MIN_POSITIVE, 1.0 / 3.0, 16_777_217.0, -123_456.79];
    let table = Array2::from_shape_fn((8, 3), |(i, j)| numbers[(i + j) % 8]);
    let layer = DenseEmbedding::new(&table).expect("finite");
    let folder = Folder::new();
    let path = folder.path("vectors");
    for format in FORMATS {
        save_word_vectors(&path, format, &vocabulary(&words), &layer).expect("a writable folder");
        assert_eq!(folder.names(), ["vectors"]);
        assert_eq!(WordVectorFormat::detect(&path).expect("one of the formats"), format);
        let vectors = load_word_vectors(&path, format).expect("valid");
        assert_vectors(&vectors, &words, &table);
        let bits = |table: &Array2<f32>| table.iter().map(|number| number.to_bits()).collect::<Vec<_>>();
        assert_eq!(bits(&vectors.table), bits(&table), "{format}: to the bit");
    }
}

#[test]
fn words_with_spaces_are_written_as_text() {
    let words = ["ice cream", " ", ". . .", "tab\tbed "];
    let table = Array2::from_shape_fn((4, 2), |(i, j)| (2 * i + j) as f32);
    let layer = DenseEmbedding::new(&table).expect("finite");
    let folder = Folder::new();
    let path = folder.path("vectors");
    for format in [WordVectorFormat::GloveText, WordVectorFormat::Word2VecText] {
        save_word_vectors(&path, format, &vocabulary(&words), &layer).expect("a writable folder");
        assert_vectors(&load_word_vectors(&path, format).expect("valid"), &words, &table);
    }
    let numbers = ["new york 2000", "at 1", "x\t3"];
    let layer = DenseEmbedding::new(array![[1.0], [2.0], [3.0]]).expect("finite");
    save_word_vectors(&path, WordVectorFormat::Word2VecText, &vocabulary(&numbers), &layer).expect("a header tells");
    let vectors = load_word_vectors(&path, WordVectorFormat::Word2VecText).expect("valid");
    assert_vectors(&vectors, &numbers, &array![[1.0], [2.0], [3.0]]);
}

#[test]
fn files_are_those_of_the_formats() {
    let layer = DenseEmbedding::new(array![[0.5, -1.0], [2.0, 1e-7]]).expect("finite");
    let folder = Folder::new();
    let file = |format| {
        let path = folder.path("vectors");
        save_word_vectors(&path, format, &vocabulary(&["a", "b"]), &layer).expect("a writable folder");
        std::fs::read(path).expect("the file")
    };
    assert_eq!(file(WordVectorFormat::GloveText), b"a 0.5 -1.0\nb 2.0 1e-7\n");
    assert_eq!(file(WordVectorFormat::Word2VecText), b"2 2\na 0.5 -1.0\nb 2.0 1e-7\n");
    let rows = [0.5_f32, -1.0, 2.0, 1e-7].map(f32::to_le_bytes);
    let expected = [b"2 2\na ", &rows[0][..], &rows[1], b"\nb ", &rows[2], &rows[3], b"\n"].concat();
    assert_eq!(file(WordVectorFormat::Word2VecBinary), expected);
}

#[test]
fn layers_of_every_kind_are_written_as_they_are_looked_up() {
    let u = Array2::from_shape_fn((2500, 2), |(i, j)| (i + j) as f32);
    let factors = Factors::new(u, array![[1.0, 0.5, 0.0], [0.0, -1.0, 2.0]]).expect("shapes that multiply");
    let layer = FactorizedEmbedding::new(factors).with_padding_id(3).expect("an id of the vocabulary");
    let words: Vec<String> = (0..2500).map(|i| format!("w{i}")).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let ids: Vec<u32> = (0..2500).collect();
    let rows = layer.lookup(&ids).expect("ids of the vocabulary");
    let folder = Folder::new();
    for format in FORMATS {
        let path = folder.path("vectors");
        save_word_vectors(&path, format, &vocabulary(&words), &layer).expect("a writable folder");
        assert_vectors(&load_word_vectors(&path, format).expect("valid"), &words, &rows);
    }
}

#[test]
fn what_cannot_be_read_again_is_not_written() {
    let folder = Folder::new();
    let path = folder.write("vectors", b"what was there");
    let layer = DenseEmbedding::new(array![[1.0], [2.0]]).expect("finite");
    let refused = |format, words: &[&str]| {
        let error = save_word_vectors(&path, format, &vocabulary(words), &layer).expect_err("this is refused");
        assert_eq!(std::fs::read(&path).expect("the file"), b"what was there");
        assert_eq!(folder.names(), ["vectors"]);
        message(&path, &error)
    };
    let [glove, _, binary] = FORMATS;
    for format in FORMATS {
        let expected = format!(r#"the word "b\nc" at id 1 cannot be written as {format}: it holds a line feed"#);
        assert_eq!(refused(format, &["a", "b\nc"]), expected);
        assert_eq!(refused(format, &["a"]), "words [vocab_size] has shape [1], expected [2]");
    }
    let expected = r#"the word "a b" at id 0 cannot be written as word2vec binary: it holds a space"#;
    assert_eq!(refused(binary, &["a b", "c"]), expected);
    let expected = r#"the word "c 3" at id 1 cannot be written as GloVe text: it ends in a number behind a space"#;
    assert_eq!(refused(glove, &["a", "c 3"]), expected);

    let nan = [1.0_f32.to_le_bytes(), f32::NAN.to_le_bytes()].concat();
    let layer = DenseEmbedding::from_bytes(nan, Dtype::F32, [2, 1]).expect("two numbers");
    match save_word_vectors(&path, glove, &vocabulary(&["a", "b"]), &layer) {
        Err(Error::NonFinite { index, .. }) => assert_eq!(index, [1, 0]),
        other => panic!("{other:?}"),
    }
    assert_eq!(folder.names(), ["vectors"]);
    assert_eq!(std::fs::read(&path).expect("the file"), b"what was there");
}

/// A word that is a whole number before one number that is whole would be a header, but for the point behind each number.
#[test]
fn a_first_line_is_never_a_header() {
    let layer = DenseEmbedding::new(array![[300.0], [1.0]]).expect("finite");
    let folder = Folder::new();
    let path = folder.path("vectors");
    save_word_vectors(&path, WordVectorFormat::GloveText, &vocabulary(&["2", "x"]), &layer).expect("a writable folder");
    let vectors = WordVectorReader::new(WordVectorFormat::GloveText).read(&path).expect("valid");
    assert_vectors(&vectors, &["2", "x"], &array![[300.0], [1.0]]);
}
