//! Valid safetensors files that hold no factors: each is refused with its reason.

use factorized_embedding::{Error, io::safetensors::load_factors};

use crate::support::files::{Folder, METADATA, file, header, le_bytes};

type Tensors<'a> = &'a [(&'a str, &'a str, usize, &'a [usize])];

const U: (&str, &str, usize, &[usize]) = ("u", "F32", 4, &[3, 2]);
const V: (&str, &str, usize, &[usize]) = ("v", "F32", 4, &[2, 4]);

/// The message, with `PATH` for the path, for a file of these tensors full of ones.
#[track_caller]
fn refused(metadata: Option<&str>, tensors: Tensors<'_>) -> String {
    let (text, size) = header(metadata, tensors);
    let data = le_bytes(&vec![1.0; size.div_ceil(4)]);
    refused_bytes(&file(&text, &data[..size]))
}

#[track_caller]
fn refused_bytes(bytes: &[u8]) -> String {
    let folder = Folder::new();
    let path = folder.write("hostile.safetensors", bytes);
    let error = load_factors(&path).expect_err("the file holds no factors");
    error.to_string().replace(&path.display().to_string(), "PATH")
}

#[test]
fn the_file_that_the_others_differ_from_is_valid() {
    let (text, size) = header(Some(METADATA), &[U, V]);
    let folder = Folder::new();
    let path = folder.write("valid.safetensors", &file(&text, &le_bytes(&vec![1.0; size / 4])));
    let factors = load_factors(path).expect("a valid file");
    assert_eq!(factors.to_dense(), ndarray::Array2::from_elem((3, 4), 2.0));
}

#[test]
fn other_formats_are_refused() {
    let invalid = "PATH is not a valid factorized-embedding file: its metadata";
    assert_eq!(refused(None, &[U, V]), format!("{invalid} name no format"));
    assert_eq!(refused(Some("{}"), &[U, V]), format!("{invalid} name no format"));
    assert_eq!(refused(Some(r#"{"version":"1"}"#), &[U, V]), format!("{invalid} name no format"));
    assert_eq!(refused(Some(r#"{"format":"pt","version":"1"}"#), &[U, V]), format!(r#"{invalid} say format "pt""#));
    let blockwise = r#"{"format":"factorized-embedding-blockwise","version":"1"}"#;
    assert_eq!(
        refused(Some(blockwise), &[U, V]),
        format!(r#"{invalid} say format "factorized-embedding-blockwise", which load_block_factors reads"#)
    );
    let no_version = r#"{"format":"factorized-embedding"}"#;
    assert_eq!(refused(Some(no_version), &[U, V]), format!("{invalid} name no version"));
    for version in ["2", "1.0", "", "01", " 1"] {
        let metadata = format!(r#"{{"format":"factorized-embedding","version":"{version}"}}"#);
        let expected = format!("PATH has format version {version:?}, this crate reads version 1");
        assert_eq!(refused(Some(&metadata), &[U, V]), expected);
    }
}

#[test]
fn missing_factors_are_named() {
    let missing = |tensors| refused(Some(METADATA), tensors);
    assert_eq!(missing(&[V]), r#"PATH has no tensor "u"; it has "v""#);
    assert_eq!(missing(&[U]), r#"PATH has no tensor "v"; it has "u""#);
    assert_eq!(missing(&[]), r#"PATH has no tensor "u"; it has none"#);
    assert_eq!(missing(&[("u", "I8", 1, &[3, 2]), V]), r#"PATH has no tensor "u_scales"; it has "u", "v""#);
}

#[test]
fn other_types_and_dimensions_are_refused() {
    let cases: [(Tensors<'_>, &str); 11] = [
        (
            &[("u", "F64", 8, &[3, 2]), V],
            r#""u" of PATH is F64 [3, 2], expected F32, F16, BF16 or I8 [vocab_size, rank]"#,
        ),
        (
            &[("u", "I64", 8, &[3, 2]), V],
            r#""u" of PATH is I64 [3, 2], expected F32, F16, BF16 or I8 [vocab_size, rank]"#,
        ),
        (
            &[("u", "U8", 1, &[3, 2]), V],
            r#""u" of PATH is U8 [3, 2], expected F32, F16, BF16 or I8 [vocab_size, rank]"#,
        ),
        (&[("u", "F32", 4, &[6]), V], r#""u" of PATH is F32 [6], expected F32, F16, BF16 or I8 [vocab_size, rank]"#),
        (
            &[("u", "F32", 4, &[3, 1, 2]), V],
            r#""u" of PATH is F32 [3, 1, 2], expected F32, F16, BF16 or I8 [vocab_size, rank]"#,
        ),
        (&[("u", "F16", 2, &[6]), V], r#""u" of PATH is F16 [6], expected F32, F16, BF16 or I8 [vocab_size, rank]"#),
        (
            &[("u", "I8", 1, &[3, 2]), ("u_scales", "F16", 2, &[2]), V],
            r#""u_scales" of PATH is F16 [2], expected F32 [rank]"#,
        ),
        (&[U, ("v", "F32", 4, &[8])], r#""v" of PATH is F32 [8], expected F32 [rank, dim]"#),
        (&[U, V, ("diagonal", "F32", 4, &[2, 1])], r#""diagonal" of PATH is F32 [2, 1], expected F32 [rank]"#),
        (&[U, V, ("bias", "F32", 4, &[1, 4])], r#""bias" of PATH is F32 [1, 4], expected F32 [dim]"#),
        (&[U, V, ("bias", "BF16", 2, &[4])], r#""bias" of PATH is BF16 [4], expected F32 [dim]"#),
    ];
    for (tensors, expected) in cases {
        assert_eq!(refused(Some(METADATA), tensors), format!("tensor {expected}"));
    }
}

#[test]
fn factors_that_do_not_fit_together_are_refused() {
    let cases: [(Tensors<'_>, &str); 9] = [
        (&[("u", "I8", 1, &[3, 2]), ("u_scales", "F32", 4, &[3]), V], "u_scales [rank] has shape [3], expected [2]"),
        (&[U, ("v", "F32", 4, &[3, 4])], "v [rank, dim] has shape [3, 4], expected [2, 4]"),
        (&[U, V, ("diagonal", "F32", 4, &[3])], "diagonal [rank] has shape [3], expected [2]"),
        (&[U, V, ("diagonal", "F32", 4, &[0])], "diagonal [rank] has shape [0], expected [2]"),
        (&[U, V, ("bias", "F32", 4, &[3])], "bias [dim] has shape [3], expected [4]"),
        (&[("u", "F32", 4, &[0, 2]), V], "factorized table [vocab_size, dim] is empty: its shape is [0, 4]"),
        (&[U, ("v", "F32", 4, &[2, 0])], "factorized table [vocab_size, dim] is empty: its shape is [3, 0]"),
        (
            &[("u", "F32", 4, &[3, 0]), ("v", "F32", 4, &[0, 4])],
            "rank 0 is out of range 1..=3, where 3 is the smaller of vocab_size 3 and dim 4",
        ),
        (
            &[("u", "F32", 4, &[3, 4]), ("v", "F32", 4, &[4, 5])],
            "rank 4 is out of range 1..=3, where 3 is the smaller of vocab_size 3 and dim 5",
        ),
    ];
    for (tensors, expected) in cases {
        let expected = format!("PATH is not a valid factorized-embedding file: {expected}");
        assert_eq!(refused(Some(METADATA), tensors), expected);
    }
}

#[test]
fn empty_tensors_of_huge_shapes_are_refused() {
    // 0 numbers, whatever the other side is.
    for other in [1 << 31, 1 << 62, usize::MAX] {
        let message = refused(Some(METADATA), &[("u", "F32", 4, &[0, other]), V]);
        assert!(message.contains("PATH"), "{message}");
        let message = refused(Some(METADATA), &[U, ("v", "F32", 4, &[0, other])]);
        assert!(message.contains("PATH"), "{message}");
    }
}

#[test]
fn numbers_that_are_not_finite_are_refused() {
    let tensors: Tensors<'_> = &[U, V, ("diagonal", "F32", 4, &[2]), ("bias", "F32", 4, &[4])];
    let (text, size) = header(Some(METADATA), tensors);
    for (place, index, value, name) in [
        (3, "[1, 1]", f32::NAN, "u [vocab_size, rank]"),
        (6, "[0, 0]", f32::INFINITY, "v [rank, dim]"),
        (15, "[1]", f32::NEG_INFINITY, "diagonal [rank]"),
        (19, "[3]", f32::NAN, "bias [dim]"),
    ] {
        let mut numbers = vec![1.0; size / 4];
        numbers[place] = value;
        let message = refused_bytes(&file(&text, &le_bytes(&numbers)));
        let reason = format!("{name} holds {value} at {index}: only finite numbers can be used");
        assert_eq!(message, format!("PATH is not a valid factorized-embedding file: {reason}"));
    }
}

#[test]
fn what_is_no_file_is_refused_by_the_system() {
    let folder = Folder::new();
    for (path, tried) in [(folder.path("missing.safetensors"), "open"), (folder.path(""), "map")] {
        match load_factors(&path) {
            Err(Error::Io { action, path: actual, .. }) => assert_eq!((action, actual), (tried, path)),
            other => panic!("{path:?}: {other:?}"),
        }
    }
}
