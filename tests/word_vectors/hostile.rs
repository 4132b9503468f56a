//! Files that are not what they seem to be.

use std::panic::catch_unwind;

use factorized_embedding::{
    Error,
    io::word_vectors::{WordVectorFormat, WordVectorReader},
};
use ndarray::array;

use super::{FORMATS, binary_file, read, refused};
use crate::support::files::Folder;

fn reader(format: WordVectorFormat) -> WordVectorReader {
    WordVectorReader::new(format)
}

#[track_caller]
fn assert_refused(format: WordVectorFormat, bytes: &[u8], reason: &str) {
    let expected = format!("PATH is not a valid {format} file: {reason}");
    assert_eq!(refused(reader(format), bytes), expected);
    match read(reader(format), bytes) {
        Err(Error::InvalidRecord { number, record, .. }) => {
            assert!(reason.starts_with(&format!("{record} {number} ")), "as data, too");
        }
        Err(Error::InvalidFile { .. }) => {}
        other => panic!("{other:?}"),
    }
}

#[test]
fn malformed_lines_are_refused_with_their_number() {
    let glove = |text: &str, reason: &str| assert_refused(WordVectorFormat::GloveText, text.as_bytes(), reason);
    glove("the cat\n", r#"line 1 is "the cat", expected a word with numbers behind it"#);
    glove("\n", r#"line 1 is "", expected a word with numbers behind it"#);
    glove("a 1 2\nb 1\n", "line 2 has 1 numbers, expected 2");
    glove("a 1 2\n\nb 1 2\n", "line 2 has 0 numbers, expected 2");
    glove("a 1 2\nb 1 x\n", r#"line 2 has "x" as number 2 of 2, expected a finite number"#);
    glove("a 1 2\nb  2\n", r#"line 2 has "" as number 1 of 2, expected a finite number"#);
    glove("a 1 2\nb nan 2\n", r#"line 2 has "nan" as number 1 of 2, expected a finite number"#);
    glove("a 1 2\nb 1e39 2\n", r#"line 2 has "1e39" as number 1 of 2, expected a finite number"#);
    glove("a inf\n", r#"line 1 has "inf" as number 1 of 1, expected a finite number"#);
    glove(
        "a 1 2\nb 1 2 3\n",
        "line 2 has more than the 2 numbers of the first line, or a word that ends in one: say what the dim is",
    );
    let long = format!("a 1\nb {}\n", "x".repeat(100));
    glove(&long, &format!(r#"line 2 has "{}"… as number 1 of 1, expected a finite number"#, "x".repeat(40)));

    let word2vec = |text: &str, reason: &str| assert_refused(WordVectorFormat::Word2VecText, text.as_bytes(), reason);
    word2vec("2 2\na 1 2\nb 1\n", "line 3 has 1 numbers, expected 2");
    word2vec("2 2\na 1 2\nb 1 2\nc 1 2\n", "it goes on behind the 2 rows that its header promises");
    word2vec("3 2\na 1 2\nb 1 2\n", "it ends after 2 rows, its header promises 3");
    assert_refused(
        WordVectorFormat::GloveText,
        b"a 1\n\xff 2\n",
        "line 2 has the word \"\u{fffd}\", which is not UTF-8",
    );
    assert_refused(
        WordVectorFormat::GloveText,
        b"a 1\nb \xff\n",
        "line 2 has \"\u{fffd}\" as number 1 of 1, expected a finite number",
    );
}

#[test]
fn a_line_without_end_is_not_kept() {
    let mut bytes = b"a 1\n".to_vec();
    bytes.resize(20 << 20, b'x');
    assert_refused(WordVectorFormat::GloveText, &bytes, "line 2 has no end within 16777216 bytes");
    assert_refused(
        WordVectorFormat::Word2VecText,
        &[b"1 1\n", &bytes[4..]].concat(),
        "line 2 has no end within 16777216 bytes",
    );
}

#[test]
fn malformed_rows_are_refused_with_their_number() {
    let format = WordVectorFormat::Word2VecBinary;
    let table = array![[1.0, 2.0], [3.0, 4.0]];
    let valid = binary_file("2 2\n", &["long", "b"], &table, b"\n");
    let cut = |len: usize, reason: &str| assert_refused(format, &valid[..len], reason);
    // A header of 4 bytes, then the word, a space, 8 bytes of numbers and a line feed.
    for len in [4, 17] {
        cut(len, &format!("its header promises 2 rows of 2 numbers, more than its {len} bytes can hold"));
    }
    cut(18, "it ends after 1 rows, its header promises 2");
    cut(19, "row 2 ends within its word");
    cut(27, "row 2 ends after 7 of the 8 bytes of its numbers");
    assert!(read(reader(format), &valid[..valid.len() - 1]).is_ok(), "the last line feed may lack");
    assert_refused(format, &[&valid[..], b"c"].concat(), "it goes on behind the 2 rows that its header promises");

    let not_finite = binary_file("1 2\n", &["a"], &array![[1.0, f32::NAN]], b"\n");
    assert_refused(format, &not_finite, "row 1 has NaN as number 2 of 2, expected a finite number");
    let not_text = [b"1 1\n\xff\xfe ", &1.0_f32.to_le_bytes()[..]].concat();
    assert_refused(format, &not_text, "row 1 has the word \"\u{fffd}\u{fffd}\", which is not UTF-8");
    let endless = [b"1 1\n", &b"x".repeat(100_000)[..]].concat();
    assert_refused(format, &endless, "row 1 has no space within 65536 bytes, expected one behind its word");
}

#[test]
fn headers_are_checked_against_the_size_of_the_file() {
    for format in [WordVectorFormat::Word2VecText, WordVectorFormat::Word2VecBinary] {
        let header = |header: &str, reason: &str| assert_refused(format, format!("{header}\na 1\n").as_bytes(), reason);
        let form = |line: &str| format!("its first line is {line:?}, expected a header of two whole numbers");
        for line in ["the 0.1", "2", "2 2 2", "-1 2", "+1 2", "1.0 2", "2  2", " 2 2", "", "99999999999999999999 1"] {
            header(line, &form(line));
        }
        header("0 2", "its header promises 0 rows of 2 numbers");
        header("2 0", "its header promises 2 rows of 0 numbers");
        for (rows, dim) in [(u64::MAX, u64::MAX), (u64::MAX, 1), (1, u64::MAX), (1 << 40, 1), (1, 1 << 40), (4, 300)] {
            let line = format!("{rows} {dim}");
            let bytes = line.len() + 5;
            let reason =
                format!("its header promises {rows} rows of {dim} numbers, more than its {bytes} bytes can hold");
            header(&line, &reason);
        }
        assert_refused(format, b"", &form(""));
    }
    assert_refused(WordVectorFormat::GloveText, b"", "it is empty");
}

#[test]
fn any_byte_changed_or_cut_is_read_or_refused() {
    let table = array![[1.0, 2.0], [3.0, 4.0]];
    let text = "a 1.0 2.0\nb -3.0 4e0\n";
    let files =
        [text.to_owned().into(), format!("2 2\n{text}").into(), binary_file("2 2\n", &["a", "b"], &table, b"\n")];
    for (format, valid) in FORMATS.into_iter().zip::<[Vec<u8>; 3]>(files) {
        let folder = Folder::new();
        let attempt = |bytes: &[u8]| {
            let path = folder.write("vectors", bytes);
            let result = catch_unwind(|| {
                let detected = WordVectorFormat::detect(&path);
                drop(detected);
                reader(format).read(&path)
            });
            let vectors = result.expect("no panic");
            if let Ok(vectors) = vectors {
                assert_eq!(vectors.table.nrows(), vectors.vocabulary.len());
                assert!(vectors.table.iter().all(|number| number.is_finite()));
            }
        };
        for at in 0..valid.len() {
            attempt(&valid[..at]);
            for byte in [0, b' ', b'\n', b'9', b'e', b'-', 0x7f, 0xff] {
                let mut bytes = valid.clone();
                bytes[at] = byte;
                attempt(&bytes);
            }
        }
    }
}

#[test]
fn folders_and_missing_files_are_refused_by_the_system() {
    let folder = Folder::new();
    for format in FORMATS {
        match reader(format).read(folder.path("missing")) {
            Err(Error::Io { action: "open", .. }) => {}
            other => panic!("{other:?}"),
        }
        match reader(format).read(folder.path(".")) {
            Err(Error::Io { action: "read", .. }) => {}
            other => panic!("{other:?}"),
        }
    }
}

#[cfg(not(feature = "gzip"))]
#[test]
fn compressed_files_name_the_feature_that_they_take() {
    for format in FORMATS {
        let message = refused(reader(format), b"\x1f\x8b\x08\x00");
        assert_eq!(message, r#"PATH is a file of gzip, which takes the feature "gzip" of this crate"#);
    }
}
