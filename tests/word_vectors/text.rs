//! GloVe text, and word2vec text, which is that of fastText.

use factorized_embedding::io::word_vectors::{WordVectorFormat, WordVectorReader, load_word_vectors};
use ndarray::{Array2, array};

use super::{assert_vectors, read};
use crate::support::files::Folder;

fn glove(text: &str) -> factorized_embedding::Result<factorized_embedding::io::word_vectors::WordVectors> {
    read(WordVectorReader::new(WordVectorFormat::GloveText), text.as_bytes())
}

fn word2vec(text: &str) -> factorized_embedding::Result<factorized_embedding::io::word_vectors::WordVectors> {
    read(WordVectorReader::new(WordVectorFormat::Word2VecText), text.as_bytes())
}

#[test]
fn lines_are_split_from_the_right() {
    let vectors = glove(". . . 0.1 -0.2\nat name@domain.com 3 4e-1\n  5 6\nthe\u{a0}cat\u{85} 7. .5\n").expect("valid");
    let words = [". . .", "at name@domain.com", " ", "the\u{a0}cat\u{85}"];
    assert_vectors(&vectors, &words, &array![[0.1, -0.2], [3.0, 0.4], [5.0, 6.0], [7.0, 0.5]]);
    assert!(vectors.left_out.is_empty());
}

#[test]
fn words_that_are_numbers_or_empty_are_words() {
    let vectors = glove("2000 0.5 1\n 2 3\nnan 4 5\n1e5 6 7").expect("valid");
    let table = array![[0.5, 1.0], [2.0, 3.0], [4.0, 5.0], [6.0, 7.0]];
    assert_vectors(&vectors, &["2000", "", "nan", "1e5"], &table);
}

#[test]
fn ends_of_lines_may_differ() {
    let expected = array![[1.0, 2.0], [3.0, 4.0]];
    for text in ["a 1 2\nb 3 4\n", "a 1 2\nb 3 4", "a 1 2 \nb 3 4 \n", "a 1 2\r\nb 3 4\r\n", "a\t1\t2\t\nb\t3\t4 \r\n"]
    {
        assert_vectors(&glove(text).expect("valid"), &["a", "b"], &expected);
        assert_vectors(&word2vec(&format!("2 2\n{text}")).expect("valid"), &["a", "b"], &expected);
        assert_vectors(&word2vec(&format!("2\t2 \r\n{text}")).expect("valid"), &["a", "b"], &expected);
    }
}

#[test]
fn a_header_tells_what_words_leave_open() {
    let vectors = word2vec("3 1\nnew york 2000 1\nx 1 2\n3 4\n").expect("valid");
    assert_vectors(&vectors, &["new york 2000", "x 1", "3"], &array![[1.0], [2.0], [4.0]]);
}

#[test]
fn numbers_are_the_nearest_f32() {
    // Halfway between two numbers, just above it, the least, the largest, and digits beyond any precision.
    let texts =
        ["1.00000005960464477539", "1.00000005960464477540", "1.4e-45", "3.4028235e38", "0.1000000014901161193847656"];
    let line = format!("a {}\n", texts.join(" "));
    let row = glove(&line).expect("valid").table;
    let expected = [1.0, f32::from_bits(1.0_f32.to_bits() + 1), f32::from_bits(1), f32::MAX, 0.1];
    assert_eq!(row, Array2::from_shape_vec((1, 5), expected.to_vec()).expect("five numbers"));
}

#[test]
fn many_lines_cross_every_buffer() {
    let (rows, dim) = (3000, 37);
    let number = |i: usize, j: usize| ((i * 31 + j * 17) as f32 * 0.37).sin() * 10.0_f32.powi((j % 9) as i32 - 4);
    let table = Array2::from_shape_fn((rows, dim), |(i, j)| number(i, j));
    let mut text = String::new();
    for (i, row) in table.rows().into_iter().enumerate() {
        text += &format!("word{i}");
        row.iter().for_each(|number| text += &format!(" {number}"));
        text.push('\n');
    }
    let folder = Folder::new();
    let path = folder.write("glove.txt", text.as_bytes());
    let vectors = load_word_vectors(&path, WordVectorFormat::GloveText).expect("valid");
    assert_eq!(vectors.table, table);
    assert_eq!(vectors.vocabulary.id("word2999"), Some(2999));
    let path = folder.write("word2vec.txt", format!("{rows} {dim}\n{text}").as_bytes());
    assert_eq!(load_word_vectors(&path, WordVectorFormat::Word2VecText).expect("valid"), vectors);
    assert_eq!(format!("{vectors:?}"), "WordVectors(Vocabulary(3000 words), table [3000, 37])");
}
