//! The same codes whatever else there is.

use factorized_embedding::{
    ArrayRows,
    quantize::{Budget, Level, Quantizer, RotationChoice},
};
use ndarray::{Array2, ShapeBuilder};

use crate::tables::{counts, harmonic, quantize};

fn quantizer(level: Level) -> Quantizer {
    Quantizer::new(Budget::Ratio(12.0)).with_level(level).with_row_weights(counts(2500))
}

#[test]
#[cfg(feature = "rayon")]
fn threads_change_nothing() {
    let table = harmonic(2500, 72, 1);
    for level in [Level::Scalar, Level::Trellis] {
        let pool = |threads| rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a thread pool");
        let compute = |threads| pool(threads).install(|| quantize(&quantizer(level), &table));
        let alone = compute(1);
        for threads in [2, 5] {
            assert!(compute(threads) == alone, "{level:?} with {threads} threads");
        }
    }
}

#[test]
fn blocks_of_whole_parts_change_nothing_and_others_rounding_only() {
    let table = harmonic(2500, 72, 2);
    let whole = quantize(&quantizer(Level::Scalar), &table);
    for block_rows in [1024, 2048, 300, 2499] {
        let mut rows = ArrayRows::new(table.view()).with_block_rows(block_rows);
        let blocks = quantizer(Level::Scalar).quantize_rows(&mut rows).expect("the same table");
        if block_rows % 1024 == 0 {
            assert!(blocks == whole, "blocks of {block_rows} rows");
        }
        let (error, expected) = (blocks.report.relative_error, whole.report.relative_error);
        assert!((error / expected - 1.0).abs() < 1e-3, "blocks of {block_rows} rows: {error}, not {expected}");
    }
}

#[test]
fn strides_change_nothing() {
    let table = harmonic(500, 30, 3);
    let mut columns = Array2::zeros((500, 30).f());
    columns.assign(&table);
    let quantizer = Quantizer::balanced();
    assert!(quantize(&quantizer, &columns) == quantize(&quantizer, &table));
}

#[test]
fn the_seed_is_that_of_the_transform() {
    let table = harmonic(500, 30, 4);
    let with = |rotation, seed| quantize(&Quantizer::small().with_rotation(rotation).with_seed(seed), &table).factors;
    assert!(with(RotationChoice::Svd, 1) == with(RotationChoice::Svd, 2));
    assert!(with(RotationChoice::Hadamard, 1) == with(RotationChoice::Hadamard, 1));
    assert!(with(RotationChoice::Hadamard, 1) != with(RotationChoice::Hadamard, 2));
}
