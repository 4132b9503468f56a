//! Tables in safetensors files, read by position.

use std::fs::OpenOptions;

use factorized_embedding::{
    ChainedRows, Dtype, Error, RowBlocks,
    io::safetensors::{SafetensorsRows, load_table},
};
use half::{bf16, f16};
use ndarray::{Array2, Axis, concatenate};

use super::contract::{assert_source, block_rows};
use crate::support::{
    files::{Folder, file, header, le_bytes},
    random,
};

/// A type's name in a file, the type, and how it stands in a file.
type Stored = (&'static str, Dtype, fn(f32) -> Vec<u8>);

const TYPES: [Stored; 4] = [
    ("F32", Dtype::F32, |number| number.to_le_bytes().into()),
    ("F16", Dtype::F16, |number| f16::from_f32(number).to_le_bytes().into()),
    ("BF16", Dtype::Bf16, |number| bf16::from_f32(number).to_le_bytes().into()),
    ("I8", Dtype::Int8, |number| ((number * 30.0) as i8).to_le_bytes().into()),
];

fn bytes(table: &Array2<f32>, store: fn(f32) -> Vec<u8>) -> Vec<u8> {
    table.iter().flat_map(|&number| store(number)).collect()
}

#[test]
fn blocks_of_every_type_are_the_rows_that_are_mapped() {
    let numbers = random::normal((11, 5), 1);
    let folder = Folder::new();
    for (name, dtype, store) in TYPES {
        let data = [vec![0xff; 24], bytes(&numbers, store), vec![0xff; 3]].concat();
        let tensors: &[(&str, &str, usize, &[usize])] =
            &[("before", "U8", 1, &[24]), ("weight", name, dtype.size(), &[11, 5]), ("behind", "U8", 1, &[3])];
        let (text, size) = header(None, tensors);
        assert_eq!(size, data.len());
        for spaces in [0, 1, 7] {
            let path = folder.write("table.safetensors", &file(&format!("{text}{}", " ".repeat(spaces)), &data));
            let expected = load_table(&path, "weight").expect("a valid file").to_array().into_owned();
            assert!(expected.iter().any(|&number| number != 0.0), "{name}");
            for rows in block_rows(11) {
                let source = SafetensorsRows::open(&path, "weight").expect("a valid file");
                assert_eq!(source.dtype(), dtype);
                assert_source(&format!("{name}, {rows} rows"), &mut source.with_block_rows(rows), expected.view());
            }
        }
    }
}

#[test]
fn a_block_may_be_larger_than_what_is_read_at_a_time() {
    let numbers = random::normal((3, 300_001), 2);
    let folder = Folder::new();
    for (name, dtype, store) in TYPES {
        let (text, _) = header(None, &[("weight", name, dtype.size(), &[3, 300_001])]);
        let path = folder.write("wide.safetensors", &file(&text, &bytes(&numbers, store)));
        let expected = load_table(&path, "weight").expect("a valid file").to_array().into_owned();
        let source = SafetensorsRows::open(&path, "weight").expect("a valid file");
        assert_source(name, &mut source.with_block_rows(2), expected.view());
    }
}

/// 16 MiB, but no less than a row.
#[test]
fn blocks_are_of_a_few_mebibytes() {
    let folder = Folder::new();
    for (shape, expected) in [([6000, 1024], 4096), ([2, 4_400_000], 1), ([5, 3], 5)] {
        let (text, size) = header(None, &[("weight", "I8", 1, &shape)]);
        let path = folder.write("zeros.safetensors", &file(&text, &vec![0; size]));
        let mut source = SafetensorsRows::open(&path, "weight").expect("a valid file");
        let rows = source.next_block().expect("a block").map(|block| block.nrows());
        assert_eq!(rows, Some(expected), "{shape:?}");
    }
}

#[test]
fn numbers_that_are_not_finite_are_passed_on() {
    let (text, _) = header(None, &[("weight", "F32", 4, &[2, 2])]);
    let table = ndarray::array![[f32::NAN, 1.0], [f32::INFINITY, -0.0]];
    let path = Folder::new();
    let path = path.write("nan.safetensors", &file(&text, &le_bytes(&table)));
    assert_source("NaN", &mut SafetensorsRows::open(path, "weight").expect("a valid file"), table.view());
}

#[test]
fn a_table_that_is_cut_across_files_is_one_table() {
    let parts = [random::normal((4, 3), 3), random::normal((1, 3), 4), random::normal((6, 3), 5)];
    let folder = Folder::new();
    let sources = parts.iter().enumerate().map(|(i, part)| {
        let (text, _) = header(None, &[("rows", "F32", 4, part.shape())]);
        let path = folder.write(&format!("part-{i}.safetensors"), &file(&text, &le_bytes(part)));
        SafetensorsRows::open(path, "rows").expect("a valid file").with_block_rows(4)
    });
    let mut chained = ChainedRows::new(sources.collect::<Vec<_>>()).expect("the same dim");
    let whole = concatenate(Axis(0), &parts.each_ref().map(|part| part.view())).expect("the same dim");
    assert_source("three files", &mut chained, whole.view());
}

#[test]
fn a_file_that_is_cut_short_after_opening_is_an_error_of_the_system() {
    let table = random::normal((10, 4), 6);
    let (text, _) = header(None, &[("weight", "F32", 4, &[10, 4])]);
    let whole = file(&text, &le_bytes(&table));
    let folder = Folder::new();
    let path = folder.write("cut.safetensors", &whole);
    let mut source = SafetensorsRows::open(&path, "weight").expect("a valid file").with_block_rows(4);
    let writable = OpenOptions::new().write(true).open(&path).expect("a writable file");
    for missing in [1, 16, 16 * 2, 16 * 2 + 1, 16 * 6, whole.len()] {
        writable.set_len((whole.len() - missing) as u64).expect("a shorter file");
        source.seek(0).expect("the first row");
        // Rows that are still there are read.
        let readable = (10 - missing.div_ceil(16).min(10)) / 4;
        for block in 0..3 {
            let row = block * 4;
            match source.next_block() {
                Ok(Some(rows)) => assert_eq!((rows.row(0), block < readable), (table.row(row), true), "{missing}"),
                Err(Error::Io { action: "read", path: actual, source }) => {
                    assert_eq!((actual, block >= readable), (path.clone(), true), "{missing}");
                    assert_eq!(source.kind(), std::io::ErrorKind::UnexpectedEof);
                    break;
                }
                other => panic!("{missing} bytes are missing: {other:?}"),
            }
        }
    }
    std::fs::write(&path, &whole).expect("a writable file");
    assert_source("whole again", &mut source, table.view());
}

/// By every reader of tables for the same reason.
#[test]
fn what_is_no_table_is_refused_as_it_is_where_it_is_mapped() {
    let folder = Folder::new();
    let write = |tensor: (&str, usize, &[usize])| {
        let (text, size) = header(None, &[("weight", tensor.0, tensor.1, tensor.2)]);
        folder.write("other.safetensors", &file(&text, &vec![0; size]))
    };
    let cases: [(&str, usize, &[usize]); 9] = [
        ("F32", 4, &[6]),
        ("F32", 4, &[1, 2, 3]),
        ("F32", 4, &[]),
        ("F64", 8, &[2, 3]),
        ("I64", 8, &[2, 3]),
        ("F32", 4, &[0, 3]),
        ("F32", 4, &[3, 0]),
        ("F32", 4, &[0, 1 << 62]),
        ("F32", 4, &[1 << 33, 0]),
    ];
    for tensor in cases {
        let path = write(tensor);
        let mapped = load_table(&path, "weight").expect_err("no table").to_string();
        let read = SafetensorsRows::open(&path, "weight").expect_err("no table").to_string();
        assert_eq!(read, mapped);
    }
    let path = write(("F32", 4, &[2, 3]));
    let error = SafetensorsRows::open(&path, "other").expect_err("another name").to_string();
    assert_eq!(error, format!(r#"{} has no tensor "other"; it has "weight""#, path.display()));
}

#[test]
fn what_is_no_file_is_refused_by_the_system() {
    let folder = Folder::new();
    let refused = |path: &std::path::Path| match SafetensorsRows::open(path, "weight") {
        Err(Error::Io { action, path, .. }) => (action, path),
        other => panic!("{other:?}"),
    };
    let missing = folder.path("missing.safetensors");
    assert_eq!(refused(&missing), ("open", missing.clone()));
    assert_eq!(refused(&folder.path("")), ("open", folder.path("model.safetensors")));
    std::fs::create_dir(folder.path("model.safetensors")).expect("a writable folder");
    assert_eq!(refused(&folder.path("")), ("read", folder.path("model.safetensors")));
    #[cfg(unix)]
    assert_eq!(refused(std::path::Path::new("/dev/null")).0, "read");
}
