//! Bad input is refused by name, before anything is computed. Messages are tested in `tests/errors`.

use factorized_embedding::{
    AlternatingLeastSquares, Decompose, Decomposition, Error, Factors, Observations, Result, RowWeights,
};
use ndarray::{Array2, array};

use crate::support::random::normal;

#[track_caller]
fn refused<T: std::fmt::Debug>(result: Result<T>) -> Error {
    result.expect_err("this is refused")
}

/// By both ways to use a method.
#[track_caller]
fn both_refused(als: &AlternatingLeastSquares, check: impl Fn(&Error) -> bool) {
    let table = normal((6, 4), 1);
    let all = Array2::from_elem((6, 4), true);
    let known = Observations::from_mask(table.view(), all.view()).expect("a finite table");
    for result in [als.decompose(table.view()), als.fit(&known)] {
        let error = refused(result);
        assert!(check(&error), "another error: {error:?}");
    }
}

#[test]
fn settings() {
    let new = AlternatingLeastSquares::new;
    for rank in [0, 5, usize::MAX] {
        both_refused(&new(rank), |error| matches!(error, Error::RankOutOfRange { max: 4, .. }));
    }
    for ridge in [-1.0, f64::NAN, f64::INFINITY] {
        let kind = |error: &Error| matches!(error, Error::InvalidSetting { name: "ridge", .. });
        both_refused(&new(2).with_ridge(ridge), kind);
    }
    for tolerance in [-1e-9, 1.0, f64::NAN] {
        let kind = |error: &Error| matches!(error, Error::InvalidSetting { name: "tolerance", .. });
        both_refused(&new(2).with_tolerance(tolerance), kind);
    }
    let kind = |error: &Error| matches!(error, Error::InvalidSetting { name: "the number of iterations", .. });
    both_refused(&new(2).with_max_iterations(0), kind);
    both_refused(&new(2).with_ridge(f64::MAX), |error| matches!(error, Error::Overflow { what: "loss" }));
}

#[test]
fn row_weights() {
    let weighted = |counts: Vec<f64>| {
        let weights = RowWeights::new(counts).expect("not negative");
        AlternatingLeastSquares::new(2).with_row_weights(weights)
    };
    both_refused(&weighted(vec![1.0; 5]), |error| matches!(error, Error::ShapeMismatch { .. }));
    both_refused(&weighted(vec![0.0; 6]), |error| matches!(error, Error::AllWeightsZero { len: 6 }));
    // Only the first row has known entries, and it weighs nothing.
    let known = Observations::from_triplets(6, 4, [(0, 0, 1.0)]).expect("one entry");
    let error = refused(weighted(vec![0.0, 1.0, 1.0, 1.0, 1.0, 1.0]).fit(&known));
    assert!(matches!(error, Error::NoKnownEntries { vocab_size: 6, dim: 4 }), "{error:?}");
}

#[test]
fn warm_starts() {
    let warm = |vocab_size, rank, dim| {
        Factors::new(Array2::ones((vocab_size, rank)), Array2::ones((rank, dim))).expect("shapes that fit")
    };
    let als = AlternatingLeastSquares::new(2);
    for factors in [warm(7, 2, 4), warm(6, 2, 5)] {
        let kind = |error: &Error| matches!(error, Error::ShapeMismatch { .. });
        both_refused(&als.clone().with_warm_start(factors), kind);
    }
    let kind = |error: &Error| matches!(error, Error::InvalidSetting { name: "the rank of the warm start", .. });
    both_refused(&als.clone().with_warm_start(warm(6, 3, 4)), kind);
    let biased = warm(6, 2, 4).with_bias(ndarray::Array1::ones(4)).expect("the dim");
    both_refused(&als.with_warm_start(biased), |error| matches!(error, Error::UnusableBias { .. }));
}

#[test]
fn tables() {
    let decompose =
        |table: Array2<f32>| -> Result<Decomposition> { AlternatingLeastSquares::new(1).decompose(table.view()) };
    for shape in [(0, 3), (3, 0), (0, 0)] {
        assert!(matches!(refused(decompose(Array2::zeros(shape))), Error::Empty { .. }));
        let (table, mask) = (Array2::zeros(shape), Array2::from_elem(shape, true));
        assert!(matches!(refused(Observations::from_mask(table.view(), mask.view())), Error::Empty { .. }));
        assert!(matches!(refused(Observations::from_triplets(shape.0, shape.1, [])), Error::Empty { .. }));
    }
    for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let table = array![[1.0, 2.0], [3.0, value]];
        assert!(matches!(refused(decompose(table.clone())), Error::NonFinite { index, .. } if index == [1, 1]));
        let mask = array![[true, false], [false, true]];
        let error = refused(Observations::from_mask(table.view(), mask.view()));
        assert!(matches!(error, Error::NonFinite { index, .. } if index == [1, 1]));
        let error = refused(Observations::from_triplets(2, 2, [(0, 1, 1.0), (1, 0, value)]));
        assert!(matches!(error, Error::NonFinite { index, .. } if index == [1, 0]));
    }
}

#[test]
fn entries() {
    let triplets = |entries: &[(u32, u32, f32)]| refused(Observations::from_triplets(3, 2, entries.iter().copied()));
    assert!(matches!(triplets(&[]), Error::NoKnownEntries { vocab_size: 3, dim: 2 }));
    let error = triplets(&[(0, 0, 1.0), (3, 0, 1.0)]);
    assert!(matches!(error, Error::IdOutOfRange { id: 3, position: 1, vocab_size: 3 }), "{error:?}");
    let error = triplets(&[(0, 0, 1.0), (2, 2, 1.0)]);
    assert!(matches!(error, Error::ColumnOutOfRange { column: 2, position: 1, dim: 2 }), "{error:?}");
    let error = triplets(&[(2, 1, 1.0), (0, 0, 1.0), (2, 1, 1.0)]);
    assert!(matches!(error, Error::DuplicateEntry { row: 2, column: 1 }), "{error:?}");
    let weighted = [(1, 0, 1.0, 1.0), (1, 0, 1.0, 0.0)];
    let error = refused(Observations::from_weighted_triplets(3, 2, weighted));
    assert!(matches!(error, Error::DuplicateEntry { row: 1, column: 0 }), "known and missing: {error:?}");
    let too_many = refused(Observations::from_triplets(1 << 32, 1, []));
    assert!(matches!(too_many, Error::VocabularyTooLarge { .. }), "{too_many:?}");
    let too_wide = refused(Observations::from_triplets(1, 1 << 32, []));
    assert!(matches!(too_wide, Error::TableTooLarge { .. }), "{too_wide:?}");
}

#[test]
fn masks_and_weights() {
    let table = normal((3, 2), 2);
    let mask = Array2::from_elem((2, 3), true);
    assert!(matches!(refused(Observations::from_mask(table.view(), mask.view())), Error::ShapeMismatch { .. }));
    let weights = Array2::ones((3, 3));
    let error = refused(Observations::from_entry_weights(table.view(), weights.view()));
    assert!(matches!(error, Error::ShapeMismatch { .. }));
    let nothing = refused(Observations::from_mask(table.view(), Array2::from_elem((3, 2), false).view()));
    assert!(matches!(nothing, Error::NoKnownEntries { .. }));
    let nothing = refused(Observations::from_entry_weights(table.view(), Array2::zeros((3, 2)).view()));
    assert!(matches!(nothing, Error::NoKnownEntries { .. }));
    for weight in [-1.0, f32::NAN, f32::INFINITY] {
        let mut weights = Array2::ones((3, 2));
        weights[[2, 1]] = weight;
        let error = refused(Observations::from_entry_weights(table.view(), weights.view()));
        assert!(matches!(error, Error::InvalidEntryWeight { row: 2, column: 1, .. }), "{error:?}");
        let error = refused(Observations::from_weighted_triplets(3, 2, [(0, 1, 1.0, weight)]));
        assert!(matches!(error, Error::InvalidEntryWeight { row: 0, column: 1, .. }), "{error:?}");
    }
}
