//! Bad input, by name.

use factorized_embedding::{BlockwiseSvd, Decompose, MeanRemoval, Result, RowGroups, RowWeights};
use ndarray::{Array2, array};

fn groups() -> RowGroups {
    RowGroups::from_group_of([0, 1, 1]).expect("rows")
}

#[track_caller]
fn assert_refused<T: std::fmt::Debug>(result: Result<T>, message: &str) {
    assert_eq!(result.expect_err("this is refused").to_string(), message);
}

#[track_caller]
fn refused(method: &BlockwiseSvd, table: &Array2<f32>, message: &str) {
    assert_refused(method.decompose(table.view()), message);
}

#[test]
fn groups_that_cannot_be() {
    let weights = RowWeights::new([1.0, 2.0]).expect("positive");
    assert_refused(RowGroups::by_frequency(&weights, 0), "number of groups is 0, expected 1 to 256 groups");
    assert_refused(RowGroups::by_frequency(&weights, 257), "number of groups is 257, expected 1 to 256 groups");
    for (ratio, printed) in [(0.9, "0.9"), (-1.0, "-1"), (f64::NAN, "NaN"), (f64::INFINITY, "inf")] {
        let message = format!("ratio of group sizes is {printed}, expected a finite number from 1 up");
        assert_refused(RowGroups::by_frequency_with_ratio(&weights, 2, ratio), &message);
    }
    assert_refused(RowGroups::from_group_of([]), "row groups [vocab_size] is empty: its shape is [0]");
}

#[test]
fn tables_that_do_not_fit() {
    let method = BlockwiseSvd::new(groups(), 1000);
    refused(&method, &Array2::ones((4, 2)), "row groups [vocab_size] has shape [3], expected [4]");
    refused(&method, &Array2::ones((2, 2)), "row groups [vocab_size] has shape [3], expected [2]");
    refused(&method, &Array2::ones((3, 0)), "table [vocab_size, dim] is empty: its shape is [3, 0]");
    for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let table = array![[1.0, 2.0], [3.0, 4.0], [value, 6.0]];
        let message = format!("table [vocab_size, dim] holds {value} at [2, 0]: only finite numbers can be used");
        refused(&method, &table, &message);
    }
}

#[test]
fn weights_that_do_not_fit() {
    let with = |weights: &[f64]| {
        BlockwiseSvd::new(groups(), 1000).with_row_weights(RowWeights::new(weights).expect("not negative"))
    };
    let table = Array2::ones((3, 2));
    refused(&with(&[1.0, 2.0]), &table, "row weights [vocab_size] has shape [2], expected [3]");
    refused(&with(&[0.0, 0.0, 0.0]), &table, "all 3 row weights are zero");
}

#[test]
fn a_budget_too_small() {
    let table = Array2::ones((3, 2));
    // A byte a row, and a direction of the group of one row; with means, its mean too.
    let (plain, centred) = (3 + 4 * (1 + 2), 3 + 4 * (1 + 2 + 2));
    for bytes in [0, plain - 1] {
        let message = format!("{bytes} bytes cannot hold any factors of this table: the smallest take {plain}");
        refused(&BlockwiseSvd::new(groups(), bytes), &table, &message);
    }
    assert!(BlockwiseSvd::new(groups(), plain).decompose(table.view()).is_ok());
    let message = format!("{} bytes cannot hold any factors of this table: the smallest take {centred}", centred - 1);
    refused(&BlockwiseSvd::new(groups(), centred - 1).with_mean_removal(MeanRemoval::IfBetter), &table, &message);
    assert!(
        BlockwiseSvd::new(groups(), centred).with_mean_removal(MeanRemoval::IfBetter).decompose(table.view()).is_ok()
    );
}

#[test]
fn numbers_beyond_f32() {
    // Finite, but the length of the row is not.
    let method = BlockwiseSvd::new(RowGroups::from_group_of([0]).expect("rows"), 1000);
    let table = Array2::from_elem((1, 4), f32::MAX);
    refused(&method, &table, "the decomposition of the table is beyond the range of f32");
}
