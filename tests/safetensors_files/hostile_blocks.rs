//! Valid safetensors files that hold no factors of rows in groups: each is refused with its reason.

use factorized_embedding::io::safetensors::load_block_factors;
use ndarray::Array2;

use crate::support::files::{Folder, file, header};

type Tensor<'a> = (&'a str, &'a str, usize, &'a [usize]);

/// Rows 0 and 2 are in group 0, row 1 in group 1, when the bytes of `group_of` are these.
const GROUP_OF: Tensor<'_> = ("group_of", "U8", 1, &[3]);
const GROUPS: [u8; 3] = [0, 1, 0];
const U: Tensor<'_> = ("blocks.0.u", "F32", 4, &[2, 1]);
const V: Tensor<'_> = ("blocks.0.v", "F32", 4, &[1, 4]);

fn metadata(num_groups: &str, dim: &str) -> String {
    format!(r#"{{"format":"factorized-embedding-blockwise","version":"1","num_groups":"{num_groups}","dim":"{dim}"}}"#)
}

/// A file of tensors full of ones behind those of the groups, which stand last.
fn bytes(metadata: &str, tensors: &[Tensor<'_>], groups: &[u8]) -> Vec<u8> {
    let (text, size) = header(Some(metadata), tensors);
    let ones = [0, 0, 0x80, 0x3f].into_iter().cycle();
    let mut data: Vec<u8> = ones.take(size).collect();
    let start = size - groups.len();
    data[start..].copy_from_slice(groups);
    file(&text, &data)
}

/// The message, with `PATH` for the path.
#[track_caller]
fn refused(metadata: &str, tensors: &[Tensor<'_>], groups: &[u8]) -> String {
    refused_bytes(&bytes(metadata, tensors, groups))
}

#[track_caller]
fn refused_bytes(bytes: &[u8]) -> String {
    let folder = Folder::new();
    let path = folder.write("hostile.safetensors", bytes);
    let error = load_block_factors(&path).expect_err("the file holds no such factors");
    error.to_string().replace(&path.display().to_string(), "PATH")
}

#[track_caller]
fn assert_invalid(actual: &str, reason: &str) {
    assert_eq!(actual, format!("PATH is not a valid factorized-embedding-blockwise file: {reason}"));
}

#[test]
fn the_file_that_the_others_differ_from_is_valid() {
    let folder = Folder::new();
    let load = |tensors: &[Tensor<'_>]| {
        let path = folder.write("valid.safetensors", &bytes(&metadata("2", "4"), tensors, &GROUPS));
        load_block_factors(&path).expect("a valid file").to_dense()
    };
    let expected = Array2::from_shape_fn((3, 4), |(row, _)| if row == 1 { 0.0 } else { 1.0 });
    assert_eq!(load(&[U, V, GROUP_OF]), expected);
    assert_eq!(load(&[("notes", "F32", 4, &[7]), V, ("block", "F32", 4, &[1]), U, GROUP_OF]), expected);
}

#[test]
fn metadata_without_usable_numbers_are_refused() {
    let format = r#""format":"factorized-embedding-blockwise""#;
    let tensors = [U, V, GROUP_OF];
    let refused = |metadata: &str| refused(metadata, &tensors, &GROUPS);
    assert_invalid(&refused("{}"), "its metadata name no format");
    assert_invalid(&refused(&format!("{{{format}}}")), "its metadata name no version");
    assert_eq!(
        refused(&metadata("2", "4").replace("\"1\"", "\"2\"")),
        "PATH has format version \"2\", this crate reads version 1"
    );
    assert_invalid(&refused(&format!(r#"{{{format},"version":"1"}}"#)), "its metadata name no num_groups");
    assert_invalid(&refused(&format!(r#"{{{format},"version":"1","num_groups":"2"}}"#)), "its metadata name no dim");
    for number in ["0", "257", "-1", "+2", "02", " 2", "2.0", "", "two", "18446744073709551616"] {
        let expected = format!("its metadata say num_groups {number:?}, expected 1 to 256");
        assert_invalid(&refused(&metadata(number, "4")), &expected);
    }
    for number in ["0", "-4", "4 ", "1e9", "18446744073709551616"] {
        let expected = format!("its metadata say dim {number:?}, expected 1 to {}", usize::MAX);
        assert_invalid(&refused(&metadata("2", number)), &expected);
    }
}

#[test]
fn missing_and_unsuitable_tensors_are_named() {
    let metadata = metadata("2", "4");
    assert_eq!(refused(&metadata, &[U, V], &[]), r#"PATH has no tensor "group_of"; it has "blocks.0.u", "blocks.0.v""#);
    assert_eq!(
        refused(&metadata, &[V, GROUP_OF], &GROUPS),
        r#"PATH has no tensor "blocks.0.u"; it has "blocks.0.v", "group_of""#
    );
    assert_eq!(
        refused(&metadata, &[U, GROUP_OF], &GROUPS),
        r#"PATH has no tensor "blocks.0.v"; it has "blocks.0.u", "group_of""#
    );
    // A part of a group makes a group.
    assert_eq!(
        refused(&metadata, &[("blocks.1.bias", "F32", 4, &[4]), GROUP_OF], &GROUPS),
        r#"PATH has no tensor "blocks.1.u"; it has "blocks.1.bias", "group_of""#
    );
    let cases: [(Tensor<'_>, &str); 4] = [
        (("group_of", "I8", 1, &[3]), r#""group_of" of PATH is I8 [3], expected U8 [vocab_size]"#),
        (("group_of", "U8", 1, &[3, 1]), r#""group_of" of PATH is U8 [3, 1], expected U8 [vocab_size]"#),
        (
            ("blocks.1.u", "U8", 1, &[1, 1]),
            r#""blocks.1.u" of PATH is U8 [1, 1], expected F32, F16, BF16 or I8 [vocab_size, rank]"#,
        ),
        (("blocks.0.bias", "F32", 4, &[4, 1]), r#""blocks.0.bias" of PATH is F32 [4, 1], expected F32 [dim]"#),
    ];
    for (tensor, expected) in cases {
        let mut tensors = vec![U, V, tensor];
        tensors.extend((tensor.0 != "group_of").then_some(GROUP_OF));
        assert_eq!(refused(&metadata, &tensors, &GROUPS), format!("tensor {expected}"));
    }
}

#[test]
fn names_that_are_no_part_of_a_group_are_refused() {
    for name in [
        "blocks.2.u",
        "blocks.256.v",
        "blocks.0.w",
        "blocks.00.u",
        "blocks.+1.u",
        "blocks..u",
        "blocks.",
        "blocks.0",
        "blocks.-1.u",
        "blocks.1.u.v",
    ] {
        let message = refused(&metadata("2", "4"), &[U, V, (name, "F32", 4, &[1, 1]), GROUP_OF], &GROUPS);
        assert_invalid(&message, &format!("tensor {name:?} is no part of the factors of 2 groups"));
    }
}

#[test]
fn groups_and_factors_that_do_not_fit_together_are_refused() {
    let two = metadata("2", "4");
    let row = "row 1 is in group 2, expected one of 2 groups (0..=1)";
    assert_invalid(&refused(&two, &[U, V, GROUP_OF], &[0, 2, 0]), row);
    let shape = "the factors of group 0 make a table [2, 4], expected [3, 4] [rows of the group, dim]";
    assert_invalid(&refused(&two, &[U, V, GROUP_OF], &[0, 0, 0]), shape);
    let shape = "the factors of group 0 make a table [2, 4], expected [2, 5] [rows of the group, dim]";
    assert_invalid(&refused(&metadata("2", "5"), &[U, V, GROUP_OF], &GROUPS), shape);
    let empty = "table in groups [vocab_size, dim] is empty: its shape is [0, 4]";
    assert_invalid(&refused(&two, &[("group_of", "U8", 1, &[0])], &[]), empty);
    let large = format!("a table of 3 × {} numbers is too large to be addressed", usize::MAX);
    assert_invalid(&refused(&metadata("2", &usize::MAX.to_string()), &[GROUP_OF], &GROUPS), &large);
    let cases: [(&[Tensor<'_>], &str); 3] = [
        (&[U, ("blocks.0.v", "F32", 4, &[2, 4])], "v [rank, dim] has shape [2, 4], expected [1, 4]"),
        (&[U, V, ("blocks.0.diagonal", "F32", 4, &[2])], "diagonal [rank] has shape [2], expected [1]"),
        (
            &[("blocks.0.u", "F32", 4, &[2, 3]), ("blocks.0.v", "F32", 4, &[3, 4])],
            "rank 3 is out of range 1..=2, where 2 is the smaller of vocab_size 2 and dim 4",
        ),
    ];
    for (tensors, reason) in cases {
        let tensors = [tensors, &[GROUP_OF]].concat();
        assert_invalid(&refused(&two, &tensors, &GROUPS), &format!("group 0: {reason}"));
    }
}

#[test]
fn numbers_that_are_not_finite_are_refused() {
    let mut bytes = bytes(&metadata("2", "4"), &[U, V, GROUP_OF], &GROUPS);
    let last_of_v = bytes.len() - GROUPS.len() - 4;
    bytes[last_of_v..last_of_v + 4].copy_from_slice(&f32::NAN.to_le_bytes());
    let reason = "group 0: v [rank, dim] holds NaN at [0, 3]: only finite numbers can be used";
    assert_invalid(&refused_bytes(&bytes), reason);
}

/// Columns that nothing in the file stands for: a lookup would allocate them.
#[test]
fn a_wide_table_of_nothing_is_refused() {
    let refused = refused(&metadata("1", "1152921504606846976"), &[("group_of", "U8", 1, &[1])], &[0]);
    assert_invalid(&refused, "it has 1152921504606846976 columns and no numbers in them, at most 1048576");
}
