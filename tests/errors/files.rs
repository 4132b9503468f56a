//! Files.

use std::error::Error as _;

use factorized_embedding::{
    Error, GramAccumulator, Result,
    io::{
        safetensors::{load_factors, load_table, save_factors},
        word_vectors::{WordVectorFormat, load_word_vectors},
    },
};

use crate::{
    assert_refused, factors,
    support::files::{Folder, METADATA, file, header},
};

#[test]
fn invalid_record() {
    let kind = |error: &Error| matches!(error, Error::InvalidRecord { number: 2, record: "line", .. });
    let folder = Folder::new();
    let path = folder.write("glove.txt", b"a 1 2\nb 1\n");
    let message = format!("{} is not a valid GloVe text file: line 2 has 1 numbers, expected 2", path.display());
    assert_refused(load_word_vectors(&path, WordVectorFormat::GloveText), kind, &message);
}

/// With the feature such files are read, so that this one is made by hand; `tests/word_vectors/` provokes it without.
#[test]
fn missing_feature() {
    let kind = |error: &Error| matches!(error, Error::MissingFeature { .. });
    let result: Result<()> =
        Err(Error::MissingFeature { path: "glove.gz".into(), found: "a file of gzip", feature: "gzip" });
    assert_refused(result, kind, "glove.gz is a file of gzip, which takes the feature \"gzip\" of this crate");
}

#[test]
fn io() {
    let kind = |error: &Error| matches!(error, Error::Io { .. });
    let folder = Folder::new();
    let path = folder.path("missing");
    let reason = std::fs::File::open(&path).expect_err("there is no such file");
    let message = format!("cannot open {}: {reason}", path.display());
    assert_refused(load_factors(&path), kind, &message);
    assert_refused(load_table(&path, "weight"), kind, &message);
    let source = load_factors(&path).expect_err("there is no such file");
    let source = source.source().and_then(|source| source.downcast_ref::<std::io::Error>());
    assert_eq!(source.map(std::io::Error::kind), Some(std::io::ErrorKind::NotFound), "the reason can be asked for");

    let message = format!("cannot find the folder {}: {reason}", path.display());
    assert_refused(save_factors(path.join("factors"), &factors()), kind, &message);
}

#[test]
fn invalid_file() {
    let kind = |error: &Error| matches!(error, Error::InvalidFile { .. });
    let folder = Folder::new();
    let path = folder.write("short", b"1234567");
    let message = format!("{} is not a valid safetensors file: header too small", path.display());
    assert_refused(load_table(&path, "weight"), kind, &message);
    let path = folder.write("index.json", b"{}");
    let reason = "missing field `weight_map` at line 1 column 2";
    let message = format!("{} is not a valid safetensors index file: {reason}", path.display());
    assert_refused(load_table(&path, "weight"), kind, &message);
    let path = folder.write("other", &file("{}", &[]));
    let message = format!("{} is not a valid factorized-embedding file: its metadata name no format", path.display());
    assert_refused(load_factors(&path), kind, &message);
}

#[test]
fn tensor_not_found() {
    let kind = |error: &Error| matches!(error, Error::TensorNotFound { .. });
    let folder = Folder::new();
    let path = folder.write("none", &file("{}", &[]));
    let message = format!("{} has no tensor \"a\\n\"; it has none", path.display());
    assert_refused(load_table(&path, "a\n"), kind, &message);
    let (text, size) = header(None, &[("z", "U8", 1, &[2]), ("b", "U8", 1, &[1])]);
    let path = folder.write("two", &file(&text, &vec![0; size]));
    let message = format!(r#"{} has no tensor "a"; it has "b", "z""#, path.display());
    assert_refused(load_table(&path, "a"), kind, &message);
}

#[test]
fn unsuitable_tensor() {
    let kind = |error: &Error| matches!(error, Error::UnsuitableTensor { .. });
    let folder = Folder::new();
    let (text, size) = header(None, &[("weight", "U8", 1, &[2, 3])]);
    let path = folder.write("bytes", &file(&text, &vec![0; size]));
    let message = format!(
        r#"tensor "weight" of {} is U8 [2, 3], expected F32, F16, BF16 or I8 [vocab_size, dim]"#,
        path.display()
    );
    assert_refused(load_table(&path, "weight"), kind, &message);
}

#[test]
fn unsupported_version() {
    let kind = |error: &Error| matches!(error, Error::UnsupportedVersion { .. });
    let folder = Folder::new();
    let path = folder.write("later", &file(&header(Some(&METADATA.replace('1', "2")), &[]).0, &[]));
    let message = format!("{} has format version \"2\", this crate reads version 1", path.display());
    assert_refused(load_factors(&path), kind, &message);
}

#[test]
fn invalid_bytes() {
    let kind = |error: &Error| matches!(error, Error::InvalidBytes { .. });
    let message = "these are not the bytes of a Gram accumulator: 3 bytes are too few";
    assert_refused(GramAccumulator::from_bytes(b"abc"), kind, message);
}
