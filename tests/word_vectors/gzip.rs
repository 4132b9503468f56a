//! The same files, compressed.

use std::io::Write;

use factorized_embedding::{
    Error,
    io::{
        vocabulary::load_vocabulary,
        word_vectors::{WordVectorFormat, WordVectorReader},
    },
};
use flate2::{Compression, write::GzEncoder};
use ndarray::{Array2, array};

use super::{FORMATS, assert_vectors, binary_file, read, refused};
use crate::support::files::Folder;

fn compressed(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).expect("memory");
    encoder.finish().expect("memory")
}

fn files() -> [(WordVectorFormat, Vec<u8>); 3] {
    let table = array![[1.0, 2.0], [3.0, 4.0]];
    let text = "a 1 2\nb 3 4\n";
    let [glove, word2vec, binary] = FORMATS;
    [
        (glove, text.into()),
        (word2vec, format!("2 2\n{text}").into()),
        (binary, binary_file("2 2\n", &["a", "b"], &table, b"\n")),
    ]
}

#[test]
fn compressed_files_are_known_by_their_bytes() {
    let folder = Folder::new();
    for (format, bytes) in files() {
        let path = folder.write("vectors", &compressed(&bytes));
        assert_eq!(WordVectorFormat::detect(&path).expect("one of the formats"), format);
        let vectors = WordVectorReader::new(format).read(&path).expect("valid");
        assert_vectors(&vectors, &["a", "b"], &array![[1.0, 2.0], [3.0, 4.0]]);
    }
    let path = folder.write("words", &compressed(b"the\ncat\n"));
    assert!(load_vocabulary(path).expect("valid").words().eq(["the", "cat"]));
}

#[test]
fn files_of_several_members_are_whole() {
    let bytes = [compressed(b"a 1\n"), compressed(b"b 2\n")].concat();
    let vectors = read(WordVectorReader::new(WordVectorFormat::GloveText), &bytes).expect("valid");
    assert_vectors(&vectors, &["a", "b"], &array![[1.0], [2.0]]);
}

#[test]
fn damaged_files_are_refused() {
    for (format, bytes) in files() {
        let whole = compressed(&bytes);
        for len in 2..whole.len() {
            let result = read(WordVectorReader::new(format), &whole[..len]);
            let is_refused = matches!(
                result,
                Err(Error::Io { action: "read", .. } | Error::InvalidFile { .. } | Error::InvalidRecord { .. })
            );
            assert!(is_refused, "{format}, {len} bytes: {result:?}");
        }
    }
}

#[test]
fn headers_of_compressed_files_allocate_nothing() {
    for format in [WordVectorFormat::Word2VecText, WordVectorFormat::Word2VecBinary] {
        let reader = WordVectorReader::new(format);
        let message = refused(reader, &compressed(b"4000000000 4000000000\na 1\n"));
        assert!(message.contains("bytes can hold"), "{message}");
        // As much as such a file could hold at best, and does not.
        let mut bytes = b"1 20000\n".to_vec();
        bytes.extend(b"a 1");
        let message = refused(reader, &compressed(&bytes));
        assert!(
            message.contains("1 numbers, expected 20000")
                || message.contains("of the 80000 bytes")
                || message.contains("can hold"),
            "{message}"
        );
    }
}

#[test]
fn a_file_that_grows_a_thousandfold_is_read() {
    let table = Array2::<f32>::zeros((1000, 100));
    let words: Vec<String> = (0..1000).map(|i| i.to_string()).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let bytes = binary_file("1000 100\n", &words, &table, b"\n");
    let vectors = read(WordVectorReader::new(WordVectorFormat::Word2VecBinary), &compressed(&bytes)).expect("valid");
    assert_vectors(&vectors, &words, &table);
}
