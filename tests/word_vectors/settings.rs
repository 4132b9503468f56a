//! Limits, dims, and words that stand twice.

use factorized_embedding::{
    Error,
    io::word_vectors::{DuplicateWords, WordVectorFormat, WordVectorReader},
};
use ndarray::{array, s};

use super::{FORMATS, assert_vectors, binary_file, read, refused};

/// The words a, b, a, c, b, d in every format.
fn file(format: WordVectorFormat) -> Vec<u8> {
    let words = ["a", "b", "a", "c", "b", "d"];
    let table = array![[1.0, 2.0], [3.0, 4.0], [5.0, 6.0], [7.0, 8.0], [9.0, 10.0], [11.0, 12.0]];
    let text = || words.iter().zip(table.rows()).map(|(word, row)| format!("{word} {} {}\n", row[0], row[1]));
    match format {
        WordVectorFormat::GloveText => text().collect::<String>().into(),
        WordVectorFormat::Word2VecText => format!("6 2\n{}", text().collect::<String>()).into(),
        _ => binary_file("6 2\n", &words, &table, b"\n"),
    }
}

#[test]
fn repeated_words_are_refused_with_their_line() {
    let message = |format| refused(WordVectorReader::new(format), &file(format));
    let [glove, text, binary] = FORMATS.map(message);
    assert_eq!(glove, r#"PATH is not a valid GloVe text file: line 3 repeats the word "a" of line 1"#);
    assert_eq!(text, r#"PATH is not a valid word2vec text file: line 4 repeats the word "a" of line 2"#);
    assert_eq!(binary, r#"PATH is not a valid word2vec binary file: row 3 repeats the word "a" of row 1"#);
}

#[test]
fn repeated_words_are_left_out_where_the_first_counts() {
    let table = array![[1.0, 2.0], [3.0, 4.0], [7.0, 8.0], [11.0, 12.0]];
    for format in FORMATS {
        let reader = WordVectorReader::new(format).with_duplicates(DuplicateWords::KeepFirst);
        let vectors = read(reader, &file(format)).expect("valid");
        assert_vectors(&vectors, &["a", "b", "c", "d"], &table);
        let left_out = if format == WordVectorFormat::Word2VecText { [4, 6] } else { [3, 5] };
        assert_eq!(vectors.left_out, left_out, "{format}");
        assert!(format!("{vectors:?}").ends_with("table [4, 2], 2 left out)"), "{vectors:?}");
        // A limit counts words, not lines.
        let vectors = read(reader.with_max_rows(3), &file(format)).expect("valid");
        assert_vectors(&vectors, &["a", "b", "c"], &table.slice(s![..3, ..]).to_owned());
    }
}

#[test]
fn a_limit_leaves_the_rest_unread() {
    for format in FORMATS {
        let reader = WordVectorReader::new(format).with_max_rows(2);
        let vectors = read(reader, &file(format)).expect("what is wrong comes later");
        assert_vectors(&vectors, &["a", "b"], &array![[1.0, 2.0], [3.0, 4.0]]);
        let more = read(reader.with_max_rows(100).with_duplicates(DuplicateWords::KeepFirst), &file(format));
        assert_eq!(more.expect("valid").vocabulary.len(), 4, "as many as there are");
    }
}

#[test]
fn settings_that_make_no_sense_are_refused() {
    for format in FORMATS {
        let reader = WordVectorReader::new(format);
        for (reader, name) in [(reader.with_max_rows(0), "limit of rows"), (reader.with_dim(0), "dim")] {
            match read(reader, &file(format)) {
                Err(Error::InvalidSetting { name: actual, value: 0.0, expected: "at least 1" }) => {
                    assert_eq!(actual, name);
                }
                other => panic!("{other:?}"),
            }
        }
    }
}

#[test]
fn a_dim_that_is_said_decides() {
    let reader = WordVectorReader::new(WordVectorFormat::GloveText);
    let text = b"new 2000 1\nx 2\n";
    let doubt = "line 2 has 1 numbers, expected 2";
    assert_eq!(refused(reader, text), format!("PATH is not a valid GloVe text file: {doubt}"));
    assert_vectors(&read(reader.with_dim(1), text).expect("valid"), &["new 2000", "x"], &array![[1.0], [2.0]]);

    let doubt = "line 2 has more than the 1 numbers of the first line, or a word that ends in one: say what the dim is";
    let text = b"x 2\nnew 2000 1\n";
    assert_eq!(refused(reader, text), format!("PATH is not a valid GloVe text file: {doubt}"));
    assert_vectors(&read(reader.with_dim(1), text).expect("valid"), &["x", "new 2000"], &array![[2.0], [1.0]]);

    let doubt = "line 1 could be the header of a word2vec file: say that it is one, or what the dim is";
    let text = b"2 300\nx 1\n";
    assert_eq!(refused(reader, text), format!("PATH is not a valid GloVe text file: {doubt}"));
    assert_vectors(&read(reader.with_dim(1), text).expect("valid"), &["2", "x"], &array![[300.0], [1.0]]);

    for format in [WordVectorFormat::Word2VecText, WordVectorFormat::Word2VecBinary] {
        let reader = WordVectorReader::new(format);
        let keep = reader.with_duplicates(DuplicateWords::KeepFirst);
        assert_eq!(read(keep.with_dim(2), &file(format)).expect("valid").table.ncols(), 2);
        let reason = "its header promises 2 numbers for each word, expected 3";
        assert_eq!(refused(reader.with_dim(3), &file(format)), format!("PATH is not a valid {format} file: {reason}"));
    }
}
