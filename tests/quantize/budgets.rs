//! Bytes and errors that were asked for.

use factorized_embedding::{
    Error, QuantizedFactors,
    quantize::{Budget, Level, Quantizer, RotationChoice, RowScale},
};

use crate::tables::{counts, harmonic, quantize};

fn file_bytes(factors: &QuantizedFactors) -> usize {
    factors.size_in_bytes() + QuantizedFactors::max_header_bytes(factors.vocab_size(), factors.dim())
}

#[test]
fn budgets_are_met_and_used() {
    for (vocab_size, dim) in [(3000, 100), (5000, 32), (700, 200)] {
        let table = harmonic(vocab_size, dim, 2);
        for ratio in [4.0, 8.0, 16.0, 30.0] {
            for row_scale in [RowScale::Always, RowScale::Never] {
                let quantizer = Quantizer::new(Budget::Ratio(ratio)).with_row_scale(row_scale);
                let factors = quantize(&quantizer.with_row_weights(counts(vocab_size)), &table).factors;
                let budget = (4.0 * (vocab_size * dim) as f64 / ratio) as usize;
                let taken = file_bytes(&factors);
                let what = format!("{vocab_size} × {dim}, ratio {ratio}, {row_scale:?}: {taken} of {budget}");
                assert!(taken <= budget, "{what}");
                // All codes of 8 bits take less than a fourth of f32; and a byte more in each row of the largest group may not fit.
                let is_full = factors.widths().iter().all(|&width| width == 8);
                let left = budget - taken;
                assert!(left as f64 <= 0.02 * budget as f64 || left <= vocab_size / 2 || is_full, "{what}");
            }
        }
    }
}

#[test]
fn budgets_of_all_kinds_are_the_same_bytes() {
    let table = harmonic(1000, 40, 3);
    let quantize = |budget| quantize(&Quantizer::new(budget), &table).factors;
    let bytes = quantize(Budget::Bytes(20_000));
    assert!(bytes == quantize(Budget::Ratio(8.0)) && bytes == quantize(Budget::BitsPerWeight(4.0)));
    assert!(bytes == super::tables::quantize(&Quantizer::balanced(), &table).factors);
    let sizes = [Quantizer::balanced(), Quantizer::small(), Quantizer::tiny()]
        .map(|quantizer| super::tables::quantize(&quantizer, &table).factors.size_in_bytes());
    assert!(sizes.is_sorted_by(|a, b| a > b), "{sizes:?}");
}

#[test]
fn errors_that_are_asked_for_are_met_with_few_bytes() {
    let table = harmonic(4000, 64, 4);
    for error in [0.5, 0.1, 0.02] {
        let quantizer = Quantizer::new(Budget::RelativeError(error)).with_row_weights(counts(4000));
        let quantization = quantize(&quantizer, &table);
        let achieved = quantization.report.weighted_relative_error;
        assert!(achieved <= error, "{achieved}, asked for {error}");
        assert!(achieved > 0.97 * error, "{achieved}, asked for {error}");
        let fewer = Budget::Bytes(file_bytes(&quantization.factors) * 97 / 100);
        let worse = quantize(&Quantizer::new(fewer).with_row_weights(counts(4000)), &table);
        assert!(worse.report.weighted_relative_error > error, "{error} in fewer bytes");
    }
    let impossible = Quantizer::new(Budget::RelativeError(1e-9)).quantize(table.view());
    assert!(matches!(impossible, Err(Error::InvalidSetting { name: "relative error", .. })), "{impossible:?}");
}

#[test]
fn more_bytes_never_give_more_error() {
    for (vocab_size, dim, level) in [(900, 24, Level::Scalar), (400, 70, Level::Scalar), (150, 40, Level::Trellis)] {
        let table = harmonic(vocab_size, dim, 5);
        let (mut predicted, mut achieved) = (f64::INFINITY, f64::INFINITY);
        for ratio in [40.0, 30.0, 22.0, 16.0, 12.0, 9.0, 8.0, 7.9, 6.0, 5.0, 4.2] {
            let quantizer = Quantizer::new(Budget::Ratio(ratio)).with_level(level);
            let report = match quantizer.with_row_weights(counts(vocab_size)).quantize(table.view()) {
                Ok(quantization) => quantization.report,
                Err(Error::BudgetTooSmall { .. }) => continue,
                Err(error) => panic!("{error}"),
            };
            let (expected, measured) = (report.predicted_weighted_relative_error, report.weighted_relative_error);
            assert!(expected <= predicted, "{level:?}, ratio {ratio}: {expected}, before {predicted}");
            assert!(measured <= 1.01 * achieved, "{level:?}, ratio {ratio}: {measured}, before {achieved}");
            (predicted, achieved) = (expected, measured);
        }
    }
}

#[test]
fn a_budget_that_holds_nothing_names_the_fewest_bytes() {
    let table = harmonic(300, 20, 6);
    for rotation in [RotationChoice::Automatic, RotationChoice::Svd, RotationChoice::Hadamard] {
        let quantizer = |bytes| Quantizer::new(Budget::Bytes(bytes)).with_rotation(rotation);
        let Err(Error::BudgetTooSmall { bytes: 10, minimum }) = quantizer(10).quantize(table.view()) else {
            panic!("10 bytes cannot hold a header")
        };
        let least = quantize(&quantizer(minimum), &table);
        assert!(least.report.relative_error <= 1.0 && file_bytes(&least.factors) <= minimum);
        let less = quantizer(minimum - 1).quantize(table.view());
        assert!(matches!(less, Err(Error::BudgetTooSmall { .. })), "{rotation:?}: {less:?}");
    }
}

#[test]
fn budgets_that_make_no_sense_are_refused() {
    let table = harmonic(10, 4, 7);
    let budgets = [
        Budget::Ratio(0.0),
        Budget::Ratio(f64::NAN),
        Budget::BitsPerWeight(-1.0),
        Budget::RelativeError(0.0),
        Budget::RelativeError(1.0),
    ];
    for budget in budgets {
        let refused = Quantizer::new(budget).quantize(table.view());
        assert!(matches!(refused, Err(Error::InvalidSetting { .. })), "{budget:?}: {refused:?}");
    }
    assert!(matches!(Quantizer::balanced().with_groups(0), Err(Error::InvalidSetting { .. })));
    assert!(matches!(Quantizer::balanced().with_groups(17), Err(Error::InvalidSetting { .. })));
}
