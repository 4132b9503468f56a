//! Formats told apart by their beginnings.

use factorized_embedding::{Error, io::word_vectors::WordVectorFormat};
use ndarray::{Array2, array};

use super::{binary_file, message};
use crate::support::files::Folder;

#[track_caller]
fn assert_detected(bytes: &[u8], expected: WordVectorFormat) {
    let folder = Folder::new();
    let path = folder.write("vectors", bytes);
    assert_eq!(WordVectorFormat::detect(path).expect("one of the formats"), expected);
}

#[test]
fn each_format_is_known() {
    assert_detected(b"the 0.1 0.2\ncat 0.3 0.4\n", WordVectorFormat::GloveText);
    assert_detected(b"400000 0.1 0.2\n", WordVectorFormat::GloveText);
    assert_detected(b"2 2\nthe 0.1 0.2 \ncat 0.3 0.4 \n", WordVectorFormat::Word2VecText);
    assert_detected(b"2 2\r\nthe 0.1 0.2", WordVectorFormat::Word2VecText);
    let table = array![[0.1, 0.2], [0.3, 0.4]];
    for line_feed in [&b"\n"[..], b""] {
        let bytes = binary_file("2 2\n", &["the", "cat"], &table, line_feed);
        assert_detected(&bytes, WordVectorFormat::Word2VecBinary);
    }
    let zeros = binary_file("1 1\n", &["the"], &Array2::zeros((1, 1)), b"\n");
    assert_detected(&zeros, WordVectorFormat::Word2VecBinary);
}

#[test]
fn malformed_text_is_still_text() {
    assert_detected(b"2 2\nthe 0.1\ncat x y\n", WordVectorFormat::Word2VecText);
    // The sample ends within a character.
    let mut long = b"1 1\n".to_vec();
    long.extend(b"x".iter().cycle().take(1023));
    long.extend("ü 1\n".as_bytes());
    assert_detected(&long, WordVectorFormat::Word2VecText);
}

#[test]
fn what_is_none_of_them_is_refused() {
    let folder = Folder::new();
    for bytes in [&b""[..], b"the cat\n", b"\n1 2\n", b"{}", b"\xff\xfe", b"17\n"] {
        let path = folder.write("vectors", bytes);
        let error = WordVectorFormat::detect(&path).expect_err("none of the formats");
        assert!(matches!(error, Error::InvalidFile { .. }));
        let reason = "its first line is neither a header of two whole numbers nor a word with numbers behind it";
        assert_eq!(message(&path, &error), format!("PATH is not a valid word vector file: {reason}"));
    }
    match WordVectorFormat::detect(folder.path("missing")) {
        Err(Error::Io { action: "open", .. }) => {}
        other => panic!("{other:?}"),
    }
}

#[test]
fn formats_print_their_names() {
    let names = super::FORMATS.map(|format| format.to_string());
    assert_eq!(names, ["GloVe text", "word2vec text", "word2vec binary"]);
}
