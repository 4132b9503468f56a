//! Numbers, settings and what cannot be computed.

use factorized_embedding::{
    ArrayRows, BlockFactors, Decompose, DenseEmbedding, Embedding, Error, FactorizedEmbedding, MeanRemoval,
    RandomizedSvd, Rank, Result, RowBlocks, RowWeights, Shape, TruncatedSvd,
};
use ndarray::{Array2, array, s};

use crate::{assert_refused, decompose, factors, random};

#[test]
fn overflow() {
    let kind = |error: &Error| matches!(error, Error::Overflow { .. });
    let message = "the decomposition of the table is beyond the range of f32";
    assert_refused(TruncatedSvd::new(Rank::Fixed(1)).decompose(array![[3e38], [3e38]].view()), kind, message);
}

#[test]
fn non_finite() {
    let kind = |error: &Error| matches!(error, Error::NonFinite { .. });
    let table = array![[1.0, 2.0], [f32::NAN, f32::INFINITY]];
    let message = "table [vocab_size, dim] holds NaN at [1, 0]: only finite numbers can be used";
    assert_refused(DenseEmbedding::new(&table), kind, message);
    assert_refused(TruncatedSvd::new(Rank::Fixed(1)).decompose(table.view()), kind, message);
    // The index is that of the view, whatever its strides.
    let message = "table [vocab_size, dim] holds inf at [0, 0]: only finite numbers can be used";
    assert_refused(DenseEmbedding::new(table.slice(s![..;-1, ..;-1])), kind, message);
    let bad = array![f32::NEG_INFINITY];
    let message = "diagonal [rank] holds -inf at [0]: only finite numbers can be used";
    assert_refused(factors().with_diagonal(bad), kind, message);
    let mut layer = FactorizedEmbedding::new(factors());
    let message = "rows [n, dim] holds NaN at [0, 1]: only finite numbers can be used";
    assert_refused(layer.append_rows(array![[1.0, f32::NAN]].view()), kind, message);
    assert_eq!(layer.vocab_size(), 3, "nothing was added");
}

#[test]
fn invalid_setting() {
    let kind = |error: &Error| matches!(error, Error::InvalidSetting { .. });
    for (share, printed) in [(0.0, "0"), (-0.5, "-0.5"), (1.5, "1.5"), (f64::NAN, "NaN")] {
        let message = format!("energy is {printed}, expected a share above 0 and up to 1");
        assert_refused(decompose(Rank::Energy(share)), kind, &message);
    }
    for (error, printed) in [(1.0, "1"), (-0.1, "-0.1"), (f64::NAN, "NaN"), (f64::INFINITY, "inf")] {
        let message = format!("relative error is {printed}, expected a number from 0 to below 1");
        assert_refused(decompose(Rank::RelativeError(error)), kind, &message);
    }
    for (std, printed) in [(-1.0, "-1"), (f32::NAN, "NaN"), (f32::INFINITY, "inf")] {
        let message = format!("std is {printed}, expected a finite standard deviation that is not negative");
        assert_refused(random(Shape { vocab_size: 3, rank: 1, dim: 2 }, std), kind, &message);
    }
    for num_groups in [0, 257] {
        let message = format!("number of groups is {num_groups}, expected 1 to 256 groups");
        assert_refused(BlockFactors::new(vec![0], vec![None; num_groups], 2), kind, &message);
    }
    let weights = RowWeights::new([1.0, 1e308]).expect("finite");
    let message = "smoothing is -1, expected a finite number that is not negative";
    assert_refused(weights.clone().with_smoothing(-1.0), kind, message);
    let message = format!("smoothing is {}, expected a finite sum with each count", f64::MAX);
    assert_refused(weights.clone().with_smoothing(f64::MAX), kind, &message);
    let message = "exponent is -0.5, expected a finite number that is not negative";
    assert_refused(weights.with_exponent(-0.5), kind, message);
    let table = Array2::zeros((3, 2));
    let message = "row is 4, expected a row of the table, or its end";
    assert_refused(ArrayRows::new(table.view()).seek(4), kind, message);
    for (level, printed) in [(-1.0, "-1"), (f64::NAN, "NaN"), (f64::INFINITY, "inf")] {
        let message = format!("noise level is {printed}, expected a finite standard deviation that is not negative");
        assert_refused(decompose(Rank::NoiseLevel(level)), kind, &message);
    }
}

#[test]
fn invalid_weight() {
    let kind = |error: &Error| matches!(error, Error::InvalidWeight { row: 1, .. });
    for (weight, printed) in [(-1.0, "-1"), (f64::NAN, "NaN"), (f64::INFINITY, "inf")] {
        let message = format!("the weight of row 1 is {printed}: weights are finite and not negative");
        assert_refused(RowWeights::new([0.0, weight, -2.0]), kind, &message);
    }
}

#[test]
fn all_weights_zero() {
    let kind = |error: &Error| matches!(error, Error::AllWeightsZero { len: 3 });
    let svd = TruncatedSvd::new(Rank::Fixed(1));
    let svd = svd.with_row_weights(RowWeights::new([0.0; 3]).expect("not negative"));
    assert_refused(svd.decompose(Array2::ones((3, 2)).view()), kind, "all 3 row weights are zero");
}

#[test]
fn budget_too_small() {
    let kind = |error: &Error| matches!(error, Error::BudgetTooSmall { .. });
    // Rank 1 takes 3 numbers of U, 1 of D and 2 of V.
    let minimum = 4 * (3 + 1 + 2);
    let message = format!("{} bytes cannot hold any factors of this table: the smallest take {minimum}", minimum - 1);
    assert_refused(decompose(Rank::Bytes(minimum - 1)), kind, &message);
    assert!(decompose(Rank::Bytes(minimum)).is_ok());
}

/// Finite numbers have always converged so far, so that this one cannot be provoked.
#[test]
fn no_convergence() {
    let kind = |error: &Error| matches!(error, Error::NoConvergence { .. });
    let result: Result<()> = Err(Error::NoConvergence { what: "singular value decomposition" });
    assert_refused(result, kind, "the singular value decomposition did not converge");
}

#[test]
fn needs_all_singular_values() {
    let kind = |error: &Error| matches!(error, Error::NeedsAllSingularValues { .. });
    let message = "mean removal if better needs all singular values, which this method does not compute";
    let svd = RandomizedSvd::new(Rank::Fixed(1)).with_mean_removal(MeanRemoval::IfBetter);
    assert_refused(svd.decompose(array![[1.0, 2.0], [3.0, 4.0]].view()), kind, message);
    let rules = [
        (Rank::Effective, "effective rank"),
        (Rank::HardThreshold, "hard threshold"),
        (Rank::NoiseLevel(1.0), "hard threshold"),
        (Rank::Knee, "knee"),
    ];
    for (rule, name) in rules {
        let message = format!("the {name} needs all singular values, which this method does not compute");
        assert_refused(RandomizedSvd::new(rule).decompose(Array2::eye(5).view()), kind, &message);
    }
}
