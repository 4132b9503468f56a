//! word2vec binary.

use factorized_embedding::io::word_vectors::{WordVectorFormat, WordVectorReader};
use ndarray::{Array2, array};

use super::{assert_vectors, binary_file, read};

const READER: fn() -> WordVectorReader = || WordVectorReader::new(WordVectorFormat::Word2VecBinary);

#[test]
fn vectors_may_end_with_a_line_feed() {
    let table = array![[1.0, -2.5], [0.0, f32::MIN_POSITIVE], [3e38, 1e-45]];
    // A number of three bytes of line feeds and spaces is one.
    let spaces = f32::from_le_bytes(*b"\n \n ");
    let words = ["the", "Grüße", ""];
    for line_feed in [&b"\n"[..], b""] {
        for header in ["3 2\n", "3\t2 \r\n"] {
            let vectors = read(READER(), &binary_file(header, &words, &table, line_feed)).expect("valid");
            assert_vectors(&vectors, &words, &table);
            let blank = Array2::from_elem((3, 2), spaces);
            let vectors = read(READER(), &binary_file(header, &words, &blank, line_feed)).expect("valid");
            assert_vectors(&vectors, &words, &blank);
        }
    }
}

#[test]
fn rows_longer_than_what_is_read_at_a_time_are_whole() {
    let table = Array2::from_shape_fn((3, 5000), |(i, j)| (i * 5000 + j) as f32);
    let bytes = binary_file("3 5000\n", &["a", "b", "c"], &table, b"\n");
    assert_vectors(&read(READER(), &bytes).expect("valid"), &["a", "b", "c"], &table);
}
