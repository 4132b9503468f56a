//! Tables that there is little to code of, or that are hard to.

use factorized_embedding::{
    Error, RowWeights,
    quantize::{Budget, Level, Quantizer, RotationChoice, RowScale},
};
use ndarray::{Array2, array};

use crate::{
    support::random,
    tables::{counts, decoded, harmonic, quantize, relative_error},
};

fn all_settings(bytes: usize) -> Vec<Quantizer> {
    let mut all = Vec::new();
    for level in [Level::Scalar, Level::Trellis] {
        for row_scale in [RowScale::Always, RowScale::Never] {
            for rotation in [RotationChoice::Automatic, RotationChoice::Hadamard] {
                let quantizer = Quantizer::new(Budget::Bytes(bytes));
                all.push(quantizer.with_level(level).with_row_scale(row_scale).with_rotation(rotation));
            }
        }
    }
    all
}

#[test]
fn equal_rows_are_their_mean() {
    let row = random::normal((1, 30), 1);
    let table = row.broadcast((50, 30)).expect("one row").to_owned();
    for quantizer in all_settings(4000) {
        let error = quantize(&quantizer, &table).report.relative_error;
        assert!(error < 1e-3, "{quantizer:?}: {error}");
    }
}

#[test]
fn zeros_come_back_as_zeros() {
    for quantizer in all_settings(4000) {
        let quantization = quantize(&quantizer, &Array2::zeros((40, 12)));
        assert_eq!(quantization.report.relative_error, 0.0, "{quantizer:?}");
        assert_eq!(decoded(&quantization.factors), Array2::<f32>::zeros((40, 12)), "{quantizer:?}");
    }
}

#[test]
fn zero_rows_stay_small() {
    let mut table = random::normal((400, 80), 2);
    table.rows_mut().into_iter().step_by(3).for_each(|mut row| row.fill(0.0));
    for quantizer in all_settings(20_000) {
        let report = quantize(&quantizer, &table).report;
        assert!(report.relative_error < 0.2, "{quantizer:?}: {}", report.relative_error);
    }
}

#[test]
fn tables_of_few_rows_or_columns() {
    for (vocab_size, dim) in [(1, 1), (1, 20), (2, 3), (20, 1), (5, 40), (300, 1), (300, 2), (65, 7)] {
        let table = random::normal((vocab_size, dim), 3);
        for quantizer in all_settings(6000) {
            for quantizer in [quantizer.clone(), quantizer.with_groups(16).expect("16 groups")] {
                let quantization = quantize(&quantizer, &table);
                let report = quantization.report;
                // Codes of 8 bits, if a trellis of 4 bits or scales of rows do not err more.
                assert!(report.relative_error < 0.1, "{vocab_size} × {dim}, {quantizer:?}: {}", report.relative_error);
                if quantization.factors.rank() <= vocab_size {
                    let error = relative_error(&table, &decoded(&quantization.factors), &vec![1.0; vocab_size]);
                    assert!(
                        (error - report.relative_error).abs() < 1e-5,
                        "{error}, reported {}",
                        report.relative_error
                    );
                }
            }
        }
    }
}

#[test]
fn tables_of_any_magnitude_lose_the_same() {
    let table = harmonic(500, 40, 4);
    for row_scale in [RowScale::Always, RowScale::Never] {
        let quantizer = Quantizer::new(Budget::Ratio(10.0)).with_row_scale(row_scale);
        let expected = quantize(&quantizer, &table).report.relative_error;
        for exponent in [-110.0_f32, -60.0, 90.0, 120.0] {
            let scaled = &table * exponent.exp2();
            let quantization = quantize(&quantizer, &scaled);
            let error = quantization.report.relative_error;
            assert!((error / expected - 1.0).abs() < 0.01, "2^{exponent}, {row_scale:?}: {error}, not {expected}");
            let measured = relative_error(&scaled, &decoded(&quantization.factors), &[1.0; 500]);
            assert!((measured / error - 1.0).abs() < 1e-3, "2^{exponent}, {row_scale:?}: {measured}, not {error}");
        }
    }
}

#[test]
fn one_row_far_from_all_others() {
    let mut table = random::normal((200, 70), 5);
    table.row_mut(17).mapv_inplace(|x| 1e6 * x);
    for quantizer in all_settings(12_000) {
        let error = quantize(&quantizer, &table).report.relative_error;
        assert!(error < 0.05, "{quantizer:?}: {error}");
    }
}

#[test]
fn a_row_of_no_weight_may_be_of_any_size() {
    let settings = |table: &Array2<f32>| {
        let weights: Vec<f64> = (0..500).map(|id| f64::from(u8::from(id != 3))).collect();
        let quantizer = Quantizer::new(Budget::Ratio(8.0)).with_row_weights(RowWeights::new(weights).expect("weights"));
        [RowScale::Never, RowScale::Always].map(|row_scale| {
            quantize(&quantizer.clone().with_row_scale(row_scale), table).report.weighted_relative_error
        })
    };
    let mut table = random::normal((500, 60), 6);
    let before = settings(&table);
    table.row_mut(3).mapv_inplace(|x| 1e9 * x);
    for (after, before) in settings(&table).into_iter().zip(before) {
        assert!(after < 1.02 * before, "{after}, without the row {before}");
    }
}

#[test]
fn rows_of_no_weight_cost_nothing() {
    let table = random::normal((100, 10), 6);
    let weights: Vec<f64> = (0..100).map(|id| f64::from(u8::from(id < 10))).collect();
    let weights = RowWeights::new(weights).expect("weights");
    let report = quantize(&Quantizer::new(Budget::Bytes(2000)).with_row_weights(weights), &table).report;
    assert!(report.weighted_relative_error < 0.05, "{}", report.weighted_relative_error);
}

#[test]
fn what_cannot_be_coded_is_refused() {
    let quantizer = Quantizer::balanced();
    let refused = |table: Array2<f32>| quantizer.quantize(table.view()).expect_err("nothing to code");
    assert!(matches!(refused(Array2::zeros((0, 3))), Error::Empty { .. }));
    assert!(matches!(refused(Array2::zeros((3, 0))), Error::Empty { .. }));
    assert!(matches!(refused(Array2::from_elem((100, 80), f32::MAX)), Error::Overflow { .. }));
    let error = refused(array![[1.0, 2.0], [f32::NAN, 3.0]]);
    assert!(matches!(&error, Error::NonFinite { index, .. } if *index == [1, 0]), "{error}");
    let weighted = quantizer.clone().with_row_weights(counts(3));
    assert!(matches!(weighted.quantize(Array2::zeros((4, 2)).view()), Err(Error::ShapeMismatch { .. })));
    let nothing = RowWeights::new([0.0; 4]).expect("weights");
    let weighted = quantizer.clone().with_row_weights(nothing);
    assert!(matches!(weighted.quantize(Array2::zeros((4, 2)).view()), Err(Error::AllWeightsZero { len: 4 })));
}
