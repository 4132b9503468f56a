//! Tables in npy files.

use std::{fs::OpenOptions, panic::catch_unwind, path::Path};

use factorized_embedding::{Error, RowBlocks, io::npy::NpyRows};
use half::f16;
use ndarray::{Array2, ArrayView2, ShapeBuilder, s};
use ndarray_npy::write_npy;

use super::contract::{assert_source, block_rows};
use crate::support::{files::Folder, random};

/// A file of this header and these bytes behind it, as NumPy writes it.
fn file(header: &str, data: &[u8]) -> Vec<u8> {
    let padded = format!("{header:<117}\n");
    let length = u16::try_from(padded.len()).expect("a short header").to_le_bytes();
    [b"\x93NUMPY\x01\x00", &length[..], padded.as_bytes(), data].concat()
}

fn header(descriptor: &str, fortran: bool, shape: &str) -> String {
    let fortran = if fortran { "True" } else { "False" };
    format!("{{'descr': '{descriptor}', 'fortran_order': {fortran}, 'shape': {shape}, }}")
}

#[track_caller]
fn assert_file(what: &str, path: &Path, table: ArrayView2<'_, f32>) {
    for rows in block_rows(table.nrows()) {
        let source = NpyRows::open(path).expect("a valid file").with_block_rows(rows);
        assert_source(&format!("{what}, {rows} rows"), &mut { source }, table);
    }
}

#[test]
fn arrays_are_read_in_either_order() {
    let table = random::normal((11, 5), 1);
    let folder = Folder::new();
    let path = folder.path("table.npy");
    write_npy(&path, &table).expect("a writable folder");
    assert_file("by row", &path, table.view());
    let mut columns = Array2::zeros((11, 5).f());
    columns.assign(&table);
    write_npy(&path, &columns).expect("a writable folder");
    assert!(String::from_utf8_lossy(&std::fs::read(&path).expect("the file")).contains("'fortran_order': True"));
    assert_file("by column", &path, table.view());

    let doubles = table.mapv(|number| f64::from(number) * (1.0 + 1e-12));
    write_npy(&path, &doubles).expect("a writable folder");
    assert_file("f64", &path, doubles.mapv(|number| number as f32).view());
}

#[test]
fn every_type_is_read_in_every_byte_order() {
    let table = random::normal((7, 3), 2);
    type Store = fn(f32) -> Vec<u8>;
    let stores: [(&str, Store); 6] = [
        ("<f2", |number| f16::from_f32(number).to_le_bytes().into()),
        (">f2", |number| f16::from_f32(number).to_be_bytes().into()),
        ("<f4", |number| number.to_le_bytes().into()),
        (">f4", |number| number.to_be_bytes().into()),
        ("<f8", |number| f64::from(number).to_le_bytes().into()),
        (">f8", |number| f64::from(number).to_be_bytes().into()),
    ];
    let folder = Folder::new();
    for (descriptor, store) in stores {
        let halves = table.mapv(|number| f16::from_f32(number).to_f32());
        let expected = if descriptor.ends_with('2') { &halves } else { &table };
        for fortran in [false, true] {
            let data: Vec<u8> = match fortran {
                false => table.iter().flat_map(|&number| store(number)).collect(),
                true => table.t().iter().flat_map(|&number| store(number)).collect(),
            };
            let path = folder.write("table.npy", &file(&header(descriptor, fortran, "(7, 3)"), &data));
            assert_file(descriptor, &path, expected.view());
        }
    }
}

#[test]
fn what_is_no_table_is_refused() {
    let folder = Folder::new();
    let refused = |bytes: &[u8]| {
        let path = folder.write("hostile.npy", bytes);
        let error = NpyRows::open(&path).expect_err("no table").to_string();
        error.replace(&path.display().to_string(), "PATH")
    };
    let unsuitable = |descriptor: &str, shape: &str| refused(&file(&header(descriptor, false, shape), &[]));
    for (descriptor, shape, printed) in [
        ("<i8", "(2, 3)", "[2, 3]"),
        ("|b1", "(2, 3)", "[2, 3]"),
        ("<c8", "(2, 3)", "[2, 3]"),
        ("=f4", "(2, 3)", "[2, 3]"),
        ("<f4", "()", "[]"),
        ("<f4", "(6,)", "[6]"),
        ("<f4", "(1, 2, 3)", "[1, 2, 3]"),
    ] {
        let expected =
            format!(r#"tensor "array" of PATH is {descriptor} {printed}, expected f2, f4 or f8 [vocab_size, dim]"#);
        assert_eq!(unsuitable(descriptor, shape), expected);
    }
    let structured = "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (2, 3)}";
    assert!(refused(&file(structured, &[])).contains("expected f2, f4 or f8"));

    let invalid = |bytes: &[u8], reason: &str| {
        let message = refused(bytes);
        assert!(message.starts_with("PATH is not a valid npy file: ") && message.contains(reason), "{message}");
    };
    let valid = header("<f4", false, "(2, 3)");
    invalid(&[], "does not end within 0 bytes");
    invalid(b"\x93NUMPY\x01\x00\x76", "does not end within 9 bytes");
    invalid(&file(&valid, &[])[..100], "does not end within 100 bytes");
    invalid(b"\x93NUMPX\x01\x00\x76\x00", "magic");
    invalid(b"\x93NUMPY\x09\x00\x76\x00", "version");
    invalid(&[b"\x93NUMPY\x02\x00", &u32::MAX.to_le_bytes()[..], b"{}"].concat(), "does not end within 14 bytes");
    invalid(&file("", &[]), "error parsing");
    invalid(&file("17", &[]), "not a dict");
    invalid(&file("{'descr': '<f4', 'fortran_order': False}", &[]), "missing key");
    invalid(&file("{'descr': '<f4', 'fortran_order': 3, 'shape': (2, 3)}", &[]), "illegal value");
    invalid(&file(&header("<f4", false, "(2, -3)"), &[]), "illegal value");
    invalid(&file(&header("<f4", false, "(18446744073709551616, 1)"), &[]), "illegal value");
    for (shape, len, data) in [("(2, 3)", 0, "[2, 3]"), ("(2, 3)", 23, "[2, 3]"), ("(2, 3)", 25, "[2, 3]")] {
        let reason = format!("{len} bytes of data are not those of <f4 {data}");
        invalid(&file(&header("<f4", false, shape), &vec![0; len]), &reason);
    }
    for shape in ["(9223372036854775808, 2)", "(4611686018427387904, 4)", "(18446744073709551615, 1)"] {
        for len in [0, 4] {
            invalid(&file(&header("<f4", false, shape), &vec![0; len]), "bytes of data are not those of");
        }
    }
    for (shape, printed) in [("(0, 3)", "[0, 3]"), ("(3, 0)", "[3, 0]")] {
        assert_eq!(unsuitable("<f4", shape), format!("table [vocab_size, dim] is empty: its shape is {printed}"));
    }
}

/// A parser that calls itself for every bracket has no more to do than time and stack allow.
#[test]
fn headers_of_any_brackets_are_refused() {
    let folder = Folder::new();
    for open in ["(", "[", "{", "{'shape': (", "((", "{0:", "[(", "'\\"] {
        for len in (1..20).chain([100, 1000, 10_000, 65_000]) {
            let text: String = open.chars().cycle().take(len).collect();
            let length = u16::try_from(len + 1).expect("a short header").to_le_bytes();
            let bytes = [b"\x93NUMPY\x01\x00", &length[..], text.as_bytes(), b"\n"].concat();
            let path = folder.write("brackets.npy", &bytes);
            let result = catch_unwind(|| NpyRows::open(&path).err());
            assert!(matches!(result, Ok(Some(Error::InvalidFile { .. }))), "{len} of {open}: {result:?}");
        }
    }
}

#[test]
fn a_header_with_any_byte_changed_is_read_or_refused() {
    let folder = Folder::new();
    let valid = file(&header("<f4", true, "(2, 3)"), &[0; 24]);
    for at in 0..valid.len() - 24 {
        for byte in [0, b'\'', b'(', b'9', b'\\', b'-', b'\n', 0x93, 0xff] {
            let mut bytes = valid.clone();
            bytes[at] = byte;
            let path = folder.write("changed.npy", &bytes);
            let read = catch_unwind(|| NpyRows::open(&path).and_then(|mut rows| rows.next_block().map(|_| ())));
            assert!(read.is_ok(), "a panic with {byte} at {at}");
        }
    }
}

#[test]
fn a_file_that_is_cut_short_after_opening_is_an_error_of_the_system() {
    let table = random::normal((10, 4), 3);
    let mut columns = Array2::zeros((10, 4).f());
    columns.assign(&table);
    let folder = Folder::new();
    for array in [&table, &columns] {
        let path = folder.path("cut.npy");
        write_npy(&path, array).expect("a writable folder");
        let mut source = NpyRows::open(&path).expect("a valid file").with_block_rows(5);
        let writable = OpenOptions::new().write(true).open(&path).expect("a writable file");
        writable.set_len(writable.metadata().expect("the file").len() - 1).expect("a shorter file");
        source.seek(5).expect("a row of the table");
        match source.next_block() {
            Err(Error::Io { action: "read", path: actual, .. }) => assert_eq!(actual, path),
            other => panic!("{other:?}"),
        }
        source.seek(0).expect("the first row");
        let rows = source.next_block().expect("a block").map(|block| block.to_owned());
        assert_eq!(rows, Some(table.slice(s![..5, ..]).to_owned()));
    }
}

#[test]
fn a_missing_file_is_refused_by_the_system() {
    let path = Folder::new().path("missing.npy");
    match NpyRows::open(&path) {
        Err(Error::Io { action: "open", path: actual, .. }) => assert_eq!(actual, path),
        other => panic!("{other:?}"),
    }
}
