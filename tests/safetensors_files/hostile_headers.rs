//! Files that are no safetensors files: each is refused with its reason, by all readers alike, and nothing panics.

use std::{panic::catch_unwind, path::Path};

use factorized_embedding::{
    Error, Shape,
    io::safetensors::{load_block_factors, load_factors, load_table, save_factors},
};

use crate::support::{
    factor_parts::FactorParts,
    files::{Folder, METADATA, file, header},
};

/// The reasons for which the readers refuse the file.
#[track_caller]
fn refused(name: &str, bytes: &[u8]) -> [String; 3] {
    let folder = Folder::new();
    let path = folder.write("hostile.safetensors", bytes);
    let table = catch_unwind(|| load_table(&path, "u").err());
    let factors = catch_unwind(|| load_factors(&path).err());
    let blocks = catch_unwind(|| load_block_factors(&path).err());
    [table, factors, blocks].map(|result| match result {
        Ok(Some(Error::InvalidFile { path: actual, format: "safetensors", reason })) => {
            assert_eq!(actual, path);
            reason
        }
        Ok(other) => panic!("{name}: {other:?}"),
        Err(_) => panic!("{name}: the reader panicked"),
    })
}

#[track_caller]
fn assert_refused(name: &str, bytes: &[u8], reason: &str) {
    for actual in refused(name, bytes) {
        assert!(actual.contains(reason), "{name}: {actual:?} does not say {reason:?}");
    }
}

/// A valid file of factors.
fn valid() -> Vec<u8> {
    let folder = Folder::new();
    let path = folder.path("valid.safetensors");
    let factors = FactorParts::normal(Shape { vocab_size: 3, rank: 1, dim: 2 }, 1).factors();
    save_factors(&path, &factors).expect("a writable folder");
    std::fs::read(path).expect("the file that was just saved")
}

#[test]
fn files_without_a_whole_header_are_refused() {
    assert_refused("empty", &[], "header too small");
    assert_refused("seven bytes", &[0; 7], "header too small");
    assert_refused("a length and nothing else", &8_u64.to_le_bytes(), "invalid header length");
    assert_refused("no header", &file("", &[]), "invalid JSON");
    assert_refused("a header of zeros", &file("\0\0\0\0\0\0\0\0", &[]), "invalid JSON");
    for length in [u64::MAX, u64::MAX - 7, u64::from(u32::MAX), 100_000_001] {
        let bytes = [&length.to_le_bytes()[..], b"{}"].concat();
        assert_refused(&format!("a header of {length} bytes"), &bytes, "header too large");
    }
    let bytes = [&3_u64.to_le_bytes()[..], b"{}"].concat();
    assert_refused("one byte too few", &bytes, "invalid header length");
}

#[test]
fn a_file_cut_short_anywhere_is_refused() {
    let valid = valid();
    for len in 0..valid.len() {
        refused(&format!("the first {len} bytes"), &valid[..len]);
    }
    let longer = [valid.as_slice(), b"\0"].concat();
    assert_refused("one byte too many", &longer, "not fully covered");
}

#[test]
fn headers_that_are_no_objects_of_tensors_are_refused() {
    assert_refused("not JSON", &file("not JSON", &[]), "invalid JSON");
    assert_refused("a number", &file("17", &[]), "invalid JSON");
    assert_refused("a list", &file("[]", &[]), "invalid JSON");
    assert_refused("a string as tensor", &file(r#"{"u":"F32"}"#, &[]), "invalid JSON");
    assert_refused("an open object", &file(r#"{"u":"#, &[]), "invalid JSON");
    assert_refused("text behind the object", &file("{} {}", &[]), "invalid JSON");
    assert_refused("deep lists", &file(&"[".repeat(100_000), &[]), "invalid JSON");
    let not_utf8 = [&4_u64.to_le_bytes()[..], b"{\xff\xfe}"].concat();
    assert_refused("not UTF-8", &not_utf8, "invalid UTF-8");
    let unknown = file(r#"{"u":{"dtype":"F33","shape":[1,1],"data_offsets":[0,4]}}"#, &[0; 4]);
    assert_refused("an unknown type", &unknown, "invalid JSON");
    let negative = file(r#"{"u":{"dtype":"F32","shape":[-1,1],"data_offsets":[0,4]}}"#, &[0; 4]);
    assert_refused("a negative size", &negative, "invalid JSON");
    let too_large = file(r#"{"u":{"dtype":"F32","shape":[18446744073709551616],"data_offsets":[0,4]}}"#, &[0; 4]);
    assert_refused("a size of more than 64 bits", &too_large, "invalid JSON");
}

#[test]
fn a_name_that_stands_twice_is_refused() {
    let tensor = r#"{"dtype":"F32","shape":[1,1],"data_offsets":[0,4]}"#;
    let twice = file(&format!(r#"{{"u":{tensor},"u":{tensor}}}"#), &[0; 4]);
    assert_refused("the same name", &twice, "\"u\" stands twice in the header");
    let escaped = file(&format!(r#"{{"u":{tensor},"\u0075":{tensor}}}"#), &[0; 4]);
    assert_refused("the same name, escaped", &escaped, "\"u\" stands twice in the header");
    let metadata = file(&format!(r#"{{"__metadata__":{METADATA},"__metadata__":{METADATA},"u":{tensor}}}"#), &[0; 4]);
    assert_refused("metadata", &metadata, "duplicate field `__metadata__`");
}

#[test]
fn offsets_that_do_not_tile_the_data_are_refused() {
    let two = |first: [usize; 2], second: [usize; 2], len: usize| {
        let tensor = |offsets| format!(r#"{{"dtype":"F32","shape":[1,1],"data_offsets":{offsets:?}}}"#);
        file(&format!(r#"{{"u":{},"v":{}}}"#, tensor(first), tensor(second)), &vec![0; len])
    };
    assert_eq!(load_two(&two([0, 4], [4, 8], 8)), None, "the file that the others differ from is valid");
    assert_refused("overlapping", &two([0, 4], [2, 6], 6), "invalid offset");
    assert_refused("the same bytes", &two([0, 4], [0, 4], 4), "invalid offset");
    assert_refused("a gap", &two([0, 4], [8, 12], 12), "invalid offset");
    assert_refused("a gap at the start", &two([4, 8], [8, 12], 12), "invalid offset");
    assert_refused("reversed", &two([0, 4], [8, 4], 8), "invalid offset");
    assert_refused("behind the end", &two([0, 4], [4, 8], 7), "ends at byte 8 of the data, which are 7 bytes");
    assert_refused("before the end", &two([0, 4], [4, 8], 9), "not fully covered");
    assert_refused("of another size than the shape", &two([0, 4], [4, 12], 12), "invalid shape");
    let far = usize::MAX - 3;
    assert_refused("far behind the end", &two([0, 4], [far - 4, far], 8), "of the data, which are 8 bytes");
}

/// What is wrong with the table `u`.
fn load_two(bytes: &[u8]) -> Option<String> {
    let folder = Folder::new();
    let path: &Path = &folder.write("two.safetensors", bytes);
    load_table(path, "u").err().map(|error| error.to_string())
}

#[test]
fn shapes_that_overflow_are_refused() {
    let tensor = |shape: &[usize], end: usize| {
        file(&format!(r#"{{"u":{{"dtype":"F32","shape":{shape:?},"data_offsets":[0,{end}]}}}}"#), &[0; 4])
    };
    let half = usize::MAX / 2 + 1;
    assert_refused("a product that wraps to 0", &tensor(&[half, 2], 0), "overflow");
    assert_refused("a product that wraps to 1", &tensor(&[usize::MAX, usize::MAX], 4), "overflow");
    assert_refused("bytes that wrap to 4", &tensor(&[half / 2 + 1, 1], 4), "overflow");
    assert_refused("terabytes", &tensor(&[1 << 20, 1 << 20], 1 << 42), "of the data, which are 4 bytes");
}

#[test]
fn tensors_that_together_are_longer_than_any_file_are_refused() {
    // Each is just below 2⁶¹ bytes, which is as many as its own check lets pass; together they end 8 before 2⁶⁴.
    let each = (1_usize << 61) - 1;
    let names: Vec<String> = (0..8).map(|i| format!("t{i}")).collect();
    let shape = [each];
    let tensors: Vec<(&str, &str, usize, &[usize])> =
        names.iter().map(|name| (name.as_str(), "U8", 1, shape.as_slice())).collect();
    let (text, _) = header(None, &tensors);
    assert_refused("eight tensors of 2⁶¹ − 1 bytes", &file(&text, &[]), "of the data, which are 0 bytes");
}
