//! Quantized factors: what is saved is what is loaded, and what the page on the format says.

use factorized_embedding::{
    Error, QuantizedFactors,
    io::safetensors::{load_block_factors, load_factors, load_quantized, load_table, save_quantized},
    quantize::{Budget, Level, Quantizer, RotationChoice, RowScale},
};
use ndarray::{Axis, s};

use crate::{
    quantized_reader::decode,
    support::{
        compare::{Expected, assert_close, assert_same_bits},
        files::Folder,
    },
};

/// A file of version 1: 70 rows in four groups, one of them without a trellis and one of rows of no bits.
pub(crate) const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/quantized-factors-v1.safetensors");

pub(crate) fn golden_bytes() -> Vec<u8> {
    std::fs::read(GOLDEN).expect("the golden file")
}

/// What is loaded is what the page on the format says: every number within the roundings of `f32` that it takes part in.
#[track_caller]
fn assert_by_the_page(what: &str, factors: &QuantizedFactors, bytes: &[u8]) {
    let decoded = decode(bytes);
    let loaded = factors.to_factors().expect("no more directions than rows");
    // Their magnitudes are themselves, as these are products: a scale of a row is rounded, and two products with it.
    let expected =
        |values: &ndarray::Array2<f64>, roundings| Expected::new(values.clone(), roundings, &values.mapv(f64::abs));
    assert_close(&format!("{what}: coordinates"), loaded.u().view(), &expected(&decoded.coordinates, 3));
    if let Some(directions) = decoded.directions {
        assert_close(&format!("{what}: directions"), loaded.v(), &expected(&directions, 1));
    }
    assert_eq!(loaded.bias().is_some(), decoded.mean.is_some(), "{what}: mean");
    if let (Some(bias), Some(mean)) = (loaded.bias(), decoded.mean) {
        assert_close(&format!("{what}: mean"), bias.insert_axis(Axis(0)), &expected(&mean.insert_axis(Axis(0)), 0));
    }
}

#[test]
fn the_golden_file_is_what_the_page_says() {
    let factors = load_quantized(GOLDEN).expect("a file of version 1");
    assert_eq!([factors.vocab_size(), factors.rank(), factors.dim(), factors.num_groups()], [70, 11, 13, 4]);
    assert_by_the_page("the golden file", &factors, &golden_bytes());
}

#[test]
fn quantized_tables_come_back_within_their_budget() {
    let glove =
        load_table("examples/data/glove50-top10k-f16.safetensors", "weight").expect("the table of the repository");
    let folder = Folder::new();
    let path = folder.path("factors.safetensors");
    for ratio in [4.0, 16.0] {
        for level in [Level::Scalar, Level::Trellis] {
            for (vocab_size, row_scale, rotation) in [
                (1000, RowScale::Never, RotationChoice::Svd),
                (1003, RowScale::Always, RotationChoice::Hadamard),
                (1, RowScale::Automatic, RotationChoice::Automatic),
            ] {
                let what = format!("{ratio}×, {level:?}, {vocab_size} rows");
                let rows = glove.to_array().slice_move(s![..vocab_size, ..]);
                // A row alone is smaller than any file.
                let bytes = (4.0 * rows.len() as f64 / ratio) as usize + if vocab_size == 1 { 2000 } else { 0 };
                let quantizer = Quantizer::new(Budget::Bytes(bytes)).with_level(level).with_row_scale(row_scale);
                let factors = quantizer.with_rotation(rotation).quantize(rows.view()).expect("a finite table").factors;
                save_quantized(&path, &factors).expect("a writable folder");
                let file = std::fs::read(&path).expect("the file that was just saved");
                assert!(file.len() <= bytes, "{what}: {} of {bytes} bytes", file.len());
                let loaded = load_quantized(&path).expect("the file that was just saved");
                assert_eq!(loaded, factors, "{what}");
                if factors.rank() <= vocab_size {
                    assert_by_the_page(&what, &loaded, &file);
                }
            }
        }
    }
}

#[test]
fn what_is_loaded_is_saved_as_it_was() {
    let folder = Folder::new();
    let path = folder.path("factors.safetensors");
    let golden = load_quantized(GOLDEN).expect("a file of version 1");
    // The second replaces the file that the first of them is mapped from.
    save_quantized(&path, &golden).expect("a writable folder");
    let mapped = load_quantized(&path).expect("the file that was just saved");
    save_quantized(&path, &mapped).expect("a writable folder");
    assert_eq!(folder.names(), ["factors.safetensors"], "no temporary file is left");
    assert!(std::fs::read(&path).expect("the file that was just saved") == golden_bytes());
    assert_eq!(mapped, golden);
    std::fs::remove_file(&path).expect("the file that was just saved");
    let [kept, expected] = [mapped, golden].map(|factors| factors.to_factors().expect("no more directions than rows"));
    assert_same_bits("a map outlives the name of its file", kept.u().view(), expected.u().view());
}

#[test]
fn a_folder_is_not_replaced() {
    let folder = Folder::new();
    let result = save_quantized(folder.path(""), &load_quantized(GOLDEN).expect("a file of version 1"));
    assert!(matches!(result, Err(Error::Io { action: "replace", .. })), "{result:?}");
    assert!(folder.names().is_empty(), "no temporary file is left");
}

#[test]
fn each_reader_says_what_the_other_reads() {
    let reason = |result: Option<Error>| match result {
        Some(Error::InvalidFile { reason, .. }) => reason,
        other => panic!("{other:?}"),
    };
    let expected = r#"its metadata say format "factorized-embedding-quantized", which load_quantized reads"#;
    assert_eq!(reason(load_factors(GOLDEN).err()), expected);
    assert_eq!(reason(load_block_factors(GOLDEN).err()), expected);
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/factors-v1.safetensors");
    let expected = r#"its metadata say format "factorized-embedding", which load_factors reads"#;
    assert_eq!(reason(load_quantized(path).err()), expected);
}
