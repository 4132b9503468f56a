//! U in other types than `f32`.

use factorized_embedding::{Dtype, Embedding, Error, FactorizedEmbedding, Factors, Shape};
use half::{bf16, f16};
use ndarray::{Array2, Axis, array};

use crate::support::{compare::assert_same_bits, factor_parts::FactorParts, random};

const SHAPE: Shape = Shape { vocab_size: 30, rank: 6, dim: 9 };

fn factors() -> Factors {
    FactorParts::normal(SHAPE, 7).factors()
}

#[test]
fn halves_are_rounded_to_nearest() {
    let u = factors().u().into_owned();
    for (dtype, round) in [
        (Dtype::F16, (|number| f16::from_f32(number).to_f32()) as fn(f32) -> f32),
        (Dtype::Bf16, |number| bf16::from_f32(number).to_f32()),
        (Dtype::F32, |number| number),
    ] {
        let stored = factors().to_dtype(dtype).expect("small numbers");
        assert_eq!(stored.dtype(), dtype);
        assert_same_bits(&dtype.to_string(), stored.u().view(), u.mapv(round).view());
        assert_eq!(stored.num_parameters(), factors().num_parameters());
        let saved = (4 - dtype.size()) * u.len();
        assert_eq!(stored.size_in_bytes(), factors().size_in_bytes() - saved);
        let again = stored.to_dtype(Dtype::F32).expect("widening loses nothing");
        assert_same_bits("widened", again.u().view(), stored.u().view());
    }
}

/// A step is 1/127 of the largest magnitude of the column, and the error at most half of it.
#[test]
fn integers_are_off_by_half_a_step_at_most() {
    let u = factors().u().into_owned();
    let stored = factors().to_dtype(Dtype::Int8).expect("small numbers");
    let widened = stored.u().into_owned();
    for (column, original) in widened.axis_iter(Axis(1)).zip(u.axis_iter(Axis(1))) {
        let largest = original.fold(0.0_f32, |max, number| max.max(number.abs()));
        let step = largest / 127.0;
        for (&number, &original) in column.iter().zip(original) {
            assert!((number - original).abs() <= 0.5 * step + f32::EPSILON * largest, "{original} became {number}");
        }
    }
    assert!(widened != u, "something was rounded");
    let again = stored.to_dtype(Dtype::F32).and_then(|factors| factors.to_dtype(Dtype::Int8)).expect("small numbers");
    assert_eq!(again.size_in_bytes(), stored.size_in_bytes());
    approx::assert_relative_eq!(again.u().into_owned(), widened, max_relative = 1e-6);
}

#[test]
fn a_column_of_zeros_stays_zero() {
    let factors = Factors::new(array![[0.0, 1.0], [0.0, -2.0], [0.0, 0.5]], Array2::eye(2)).expect("shapes that fit");
    let stored = FactorizedEmbedding::new(factors).to_int8().expect("small numbers");
    assert_eq!(stored.lookup(&[0, 1]).expect("ids of the vocabulary").column(0), array![0.0, 0.0]);
}

#[test]
fn numbers_that_are_too_large_are_refused() {
    let factors = Factors::new(array![[1.0], [65_520.0]], array![[1.0]]).expect("shapes that fit");
    let error = factors.to_dtype(Dtype::F16).expect_err("65,504 is the largest");
    assert_eq!(error.to_string(), "u [vocab_size, rank] in f16 holds inf at [1, 0]: only finite numbers can be used");
    assert!(matches!(error, Error::NonFinite { .. }));
    factors.to_dtype(Dtype::Bf16).expect("the range of f32");
    let factors = Factors::new(array![[f32::MAX]], array![[1.0]]).expect("shapes that fit");
    let error = FactorizedEmbedding::new(factors.clone()).to_bf16().expect_err("rounds up");
    assert_eq!(error.to_string(), "u [vocab_size, rank] in bf16 holds inf at [0, 0]: only finite numbers can be used");
    let error = factors.to_dtype(Dtype::Int8).expect_err("127 steps of it round up");
    assert!(error.to_string().starts_with("u_scales · 127 [rank] in int8 holds inf at [0]"), "{error}");
}

/// The halves of a lookup know nothing of scales.
#[test]
fn rank_rows_are_those_of_u() {
    for dtype in [Dtype::F16, Dtype::Bf16, Dtype::Int8] {
        let layer = FactorizedEmbedding::new(factors().to_dtype(dtype).expect("small numbers"));
        let ids = random::ids(20, SHAPE.vocab_size, 1);
        let rank_rows = layer.lookup_rank(&ids).expect("ids of the vocabulary");
        let expected = layer.factors().u().select(Axis(0), &ids.iter().map(|&id| id as usize).collect::<Vec<_>>());
        assert_same_bits("rows of U", rank_rows.view(), expected.view());
        let projected = layer.project(rank_rows.view()).expect("shapes that fit");
        approx::assert_relative_eq!(
            projected,
            layer.lookup(&ids).expect("ids of the vocabulary"),
            max_relative = 1e-4,
            epsilon = 1e-5
        );
    }
}

#[test]
fn new_rows_are_stored_like_the_others() {
    for dtype in [Dtype::F16, Dtype::Bf16, Dtype::Int8] {
        let parts = FactorParts { bias: None, ..FactorParts::normal(SHAPE, 7) };
        let mut layer = FactorizedEmbedding::new(parts.factors().to_dtype(dtype).expect("small numbers"));
        let before = layer.clone();
        // Larger than all rows that are there.
        let rows = 10.0 * before.lookup(&[1, 2]).expect("ids of the vocabulary");
        let error = layer.append_rows(rows.view()).expect("finite rows of the dim");
        assert!(error < 0.02, "{dtype}: {error}");
        assert_eq!((layer.factors().dtype(), layer.vocab_size()), (dtype, 32));
        let difference = layer.factors().u().slice(ndarray::s![..30, ..]).to_owned() - before.factors().u();
        let largest = layer.factors().u().fold(0.0_f32, |max, number| max.max(number.abs()));
        let step = if dtype == Dtype::Int8 { largest / 127.0 } else { 0.0 };
        assert!(
            difference.iter().all(|difference| difference.abs() <= step),
            "{dtype}: old rows moved by a step at most"
        );
    }
}
