//! Reading words and vectors takes memory for them, and not for copies of them.
//!
//! The allocator of this binary counts the bytes that are alive, of all threads: there is one test, and no other beside it.
#![cfg(feature = "word-vectors")]

#[path = "support/allocator.rs"]
mod allocator;

use std::fmt::Write;

use allocator::peak_of;
use factorized_embedding::io::word_vectors::{WordVectorFormat, WordVectorReader};

const ROWS: usize = 2_000;
const DIM: usize = 512;
/// The buffers of a file that is read and of one whose lines are counted, a line, and the words.
const BESIDE: usize = 1 << 20;

#[test]
fn vectors_are_never_copied() {
    let mut lines = String::new();
    for row in 0..ROWS {
        write!(lines, "word{row}").expect("text");
        for column in 0..DIM {
            write!(lines, " 0.{}", (row + column) % 10).expect("text");
        }
        lines.push('\n');
    }
    let folder = tempfile::tempdir().expect("a folder");
    let [glove, word2vec] = ["glove", "word2vec"].map(|name| folder.path().join(name));
    std::fs::write(&glove, &lines).expect("a writable folder");
    std::fs::write(&word2vec, format!("{ROWS} {DIM}\n{lines}")).expect("a writable folder");
    // As files often do, without the last line feed.
    let cut = folder.path().join("cut");
    std::fs::write(&cut, lines.trim_end()).expect("a writable folder");

    let [text, header] = [WordVectorFormat::GloveText, WordVectorFormat::Word2VecText].map(WordVectorReader::new);
    for (reader, path, rows) in [
        (text, &glove, ROWS),
        (text, &cut, ROWS),
        (text.with_dim(DIM), &glove, ROWS),
        (text.with_max_rows(ROWS / 4), &glove, ROWS / 4),
        (header, &word2vec, ROWS),
    ] {
        let (vectors, peak) = peak_of(|| reader.read(path).expect("a valid file"));
        assert_eq!(vectors.table.dim(), (rows, DIM));
        let most = size_of::<f32>() * rows * DIM + BESIDE;
        assert!(peak <= most, "{peak} bytes at the peak for {rows} rows of {}, expected {most}", path.display());
    }
}
