//! What tables lose, and what they lose it to.

use factorized_embedding::{
    RowWeights,
    quantize::{Budget, Level, Quantizer, RotationChoice, RowScale},
};

use crate::{
    support::random,
    tables::{counts, decoded, harmonic, quantize, relative_error},
};

#[test]
fn reported_errors_are_those_of_what_comes_back() {
    let table = harmonic(1200, 70, 1);
    let weights = counts(1200);
    for level in [Level::Scalar, Level::Trellis] {
        for row_scale in [RowScale::Always, RowScale::Never] {
            for rotation in [RotationChoice::Svd, RotationChoice::Hadamard] {
                let quantizer = Quantizer::new(Budget::Ratio(12.0)).with_level(level).with_row_scale(row_scale);
                let quantizer = quantizer.with_rotation(rotation).with_row_weights(weights.clone());
                let quantization = quantize(&quantizer, &table);
                let back = decoded(&quantization.factors);
                let report = quantization.report;
                for (weights, reported) in
                    [(vec![1.0; 1200], report.relative_error), (weights.to_vec(), report.weighted_relative_error)]
                {
                    let error = relative_error(&table, &back, &weights);
                    // Products of f32 over 70 columns.
                    assert!((error - reported).abs() < 1e-5, "{quantizer:?}: {error}, reported {reported}");
                }
            }
        }
    }
}

#[test]
fn errors_are_near_what_is_to_be_expected() {
    let table = harmonic(4000, 80, 2);
    for ratio in [8.0, 16.0, 32.0] {
        for row_scale in [RowScale::Always, RowScale::Never] {
            let quantizer = Quantizer::new(Budget::Ratio(ratio)).with_row_scale(row_scale);
            let report = quantize(&quantizer.with_row_weights(counts(4000)), &table).report;
            for (achieved, expected) in [
                (report.relative_error, report.predicted_relative_error),
                (report.weighted_relative_error, report.predicted_weighted_relative_error),
            ] {
                let ratio = achieved / expected;
                assert!((0.93..1.07).contains(&ratio), "{row_scale:?}: {achieved}, expected {expected}");
            }
        }
    }
}

#[test]
fn without_weights_both_predictions_are_one() {
    // At this ratio the rows of the last groups are too short for a trellis.
    for (ratio, level) in [(8.0, Level::Scalar), (32.0, Level::Trellis)] {
        let report = quantize(&Quantizer::new(Budget::Ratio(ratio)).with_level(level), &harmonic(2000, 48, 2)).report;
        let (plain, weighted) = (report.predicted_relative_error, report.predicted_weighted_relative_error);
        assert!((plain / weighted - 1.0).abs() < 1e-9, "{plain}, weighted {weighted}");
    }
}

#[test]
fn weights_pay_where_they_are_large() {
    let table = harmonic(3000, 60, 3);
    let weights = counts(3000).with_exponent(1.0).expect("an exponent");
    let plain = quantize(&Quantizer::small(), &table);
    let weighted = quantize(&Quantizer::small().with_row_weights(weights.clone()), &table);
    let error = |factors| relative_error(&table, &decoded(factors), &weights.to_vec());
    let (plain, weighted) = (error(&plain.factors), error(&weighted.factors));
    assert!(weighted < 0.75 * plain, "{weighted}, without weights {plain}");
}

#[test]
fn trellises_err_less() {
    let table = harmonic(1500, 96, 4);
    for ratio in [10.0, 16.0, 32.0] {
        let error =
            |level| quantize(&Quantizer::new(Budget::Ratio(ratio)).with_level(level), &table).report.relative_error;
        let (scalar, trellis) = (error(Level::Scalar), error(Level::Trellis));
        assert!(trellis < 0.95 * scalar, "ratio {ratio}: {trellis}, scalar codes {scalar}");
    }
}

#[test]
fn groups_pay_where_norms_differ() {
    let mut table = random::normal((4000, 50), 5);
    for (id, mut row) in table.rows_mut().into_iter().enumerate() {
        row *= 1.0 / (1.0 + id as f32).sqrt();
    }
    let error = |groups| {
        let quantizer = Quantizer::small().with_row_scale(RowScale::Never).with_groups(groups).expect("groups");
        quantize(&quantizer, &table).report.relative_error
    };
    let (one, many) = (error(1), error(8));
    assert!(many < 0.5 * one, "{many}, in one group {one}");
}

#[test]
fn the_rotation_is_the_better_one() {
    let white = random::normal((1000, 64), 6);
    let harmonic = harmonic(1000, 64, 7);
    let weights = RowWeights::new(vec![1.0; 1000]).expect("weights");
    let quantizer = Quantizer::new(Budget::Ratio(10.0)).with_row_weights(weights);
    for (table, has_better) in [(white, RotationChoice::Hadamard), (harmonic, RotationChoice::Svd)] {
        let quantize = |rotation| quantize(&quantizer.clone().with_rotation(rotation), &table).factors;
        let automatic = quantize(RotationChoice::Automatic);
        assert!(automatic == quantize(has_better), "{has_better:?} is better");
    }
}
