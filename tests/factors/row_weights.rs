//! Row weights.

use factorized_embedding::{Error, RowWeights, TokenCounts};

use crate::support::random::ids;

const COUNTS: [f64; 6] = [120.0, 0.0, 3.0, 7.0, 1.0, 0.0];

#[test]
fn weights_are_powers_of_smoothed_counts_with_mean_1() {
    for smoothing in [0.0, 1.0, 0.25] {
        for exponent in [0.5, 0.75, 1.0, 2.0] {
            let weights = RowWeights::new(COUNTS).and_then(|weights| weights.with_smoothing(smoothing));
            let weights = weights.and_then(|weights| weights.with_exponent(exponent)).expect("valid settings");
            let powers = COUNTS.map(|count| (count + smoothing).powf(exponent));
            let mean = powers.iter().sum::<f64>() / 6.0;
            let expected: Vec<f64> = powers.iter().map(|power| power / mean).collect();
            approx::assert_relative_eq!(weights.to_vec()[..], expected[..], max_relative = 1e-14);
        }
    }
}

#[test]
fn without_settings_weights_are_in_proportion_to_counts() {
    assert_eq!(RowWeights::new([1.0, 3.0]).expect("positive").to_vec(), [0.5, 1.5]);
    assert_eq!(RowWeights::new(vec![4.0]).expect("positive").to_vec(), [1.0]);
}

#[test]
fn an_exponent_of_0_weighs_all_rows_the_same() {
    let weights = RowWeights::new(COUNTS).and_then(|weights| weights.with_exponent(0.0)).expect("valid settings");
    assert_eq!(weights.to_vec(), [1.0; 6], "rows that were never seen too");
}

#[test]
fn large_counts_and_powers_stay_finite() {
    let weights = RowWeights::new([1e300, 1e299]).and_then(|weights| weights.with_exponent(8.0));
    let weights = weights.expect("valid settings").to_vec();
    // The second power is 1e-8 of the first; together they make 2.
    approx::assert_relative_eq!(weights[0], 2.0 / (1.0 + 1e-8), max_relative = 1e-12);
    approx::assert_relative_eq!(weights[1], 2e-8 / (1.0 + 1e-8), max_relative = 1e-12);
}

#[test]
fn counts_that_are_all_zero_weigh_nothing_until_they_are_smoothed() {
    let weights = RowWeights::new([0.0; 3]).expect("not negative");
    assert_eq!(weights.to_vec(), [0.0; 3]);
    assert_eq!(weights.with_smoothing(0.5).expect("positive").to_vec(), [1.0; 3]);
}

#[test]
fn there_is_a_weight_for_each_count() {
    let weights = RowWeights::new(COUNTS).expect("not negative");
    assert_eq!((weights.len(), weights.to_vec().len(), weights.is_empty()), (6, 6, false));
}

#[test]
fn ids_are_counted_one_by_one_in_batches_and_apart() {
    let ids = ids(1000, 37, 5);
    let mut expected = [0_u64; 37];
    for &id in &ids {
        expected[id as usize] += 1;
    }
    let mut counts = TokenCounts::new(37).expect("a vocabulary");
    for batch in ids.chunks(64) {
        counts.add(batch).expect("ids of the vocabulary");
    }
    counts.add(&[]).expect("no ids");
    assert_eq!(counts.as_slice(), expected);

    let [mut merged, mut other] = [0, 1].map(|half| {
        let mut counts = TokenCounts::new(37).expect("a vocabulary");
        counts.add(&ids[500 * half..500 * (half + 1)]).expect("ids of the vocabulary");
        counts
    });
    let first = merged.clone();
    merged.merge(&other).expect("the same vocabulary");
    other.merge(&first).expect("the same vocabulary");
    assert_eq!([&merged, &other], [&counts, &counts], "the order does not matter");

    let weights = RowWeights::from_ids(37, ids).expect("ids of the vocabulary");
    assert_eq!(weights, RowWeights::from(&counts));
    assert_eq!(weights, RowWeights::new(expected.map(|count| count as f64)).expect("positive"));
}

#[test]
fn ids_that_never_occur_weigh_something_once_smoothed() {
    let weights = RowWeights::from_ids(4, [1, 1, 1]).expect("ids of the vocabulary");
    assert_eq!(weights.to_vec(), [0.0, 4.0, 0.0, 0.0]);
    let smoothed = weights.with_smoothing(1.0).expect("positive");
    for (weight, expected) in smoothed.to_vec().into_iter().zip([1.0, 4.0, 1.0, 1.0]) {
        approx::assert_relative_eq!(weight, expected * 4.0 / 7.0, max_relative = 1e-15);
    }
    let none = RowWeights::from_ids(2, []).and_then(|weights| weights.with_smoothing(1.0)).expect("positive");
    assert_eq!(none.to_vec(), [1.0, 1.0]);
}

#[test]
fn a_batch_with_an_id_out_of_range_counts_nothing() {
    let mut counts = TokenCounts::new(3).expect("a vocabulary");
    counts.add(&[2]).expect("an id of the vocabulary");
    let refused = |error| matches!(error, Error::IdOutOfRange { id: 3, position: 2, vocab_size: 3 });
    assert!(refused(counts.add(&[0, 1, 3, 4]).expect_err("no such id")));
    assert_eq!(counts.as_slice(), [0, 0, 1]);
    assert!(refused(RowWeights::from_ids(3, [0, 1, 3, 4]).expect_err("no such id")));
}
