//! A matrix of low rank is found again from some of its entries, the others included.

use factorized_embedding::AlternatingLeastSquares;
use ndarray::Array2;

use super::checks::{known, mask, relative_error};
use crate::support::random::normal;

const RANK: usize = 8;

/// 30 % of the entries, about 43 a row: five times as many as it has coordinates.
fn planted() -> (Array2<f32>, Array2<bool>) {
    let shape = (300, 144);
    (normal((shape.0, RANK), 1).dot(&normal((RANK, shape.1), 2)), mask(shape, 0.3, 3))
}

#[test]
fn a_planted_matrix_is_recovered_from_30_percent_of_its_entries() {
    let (table, mask) = planted();
    let als = AlternatingLeastSquares::new(RANK).with_tolerance(1e-9);
    for als in [als.clone(), als.with_ridge(1e-3)] {
        let decomposition = als.fit(&known(table.view(), &mask)).expect("a finite table");
        let error = relative_error(table.view(), &Array2::ones(table.dim()), &decomposition.factors);
        assert!(error <= 1e-3, "{als:?}: relative error {error} of all entries, {decomposition:?}");
        assert!(decomposition.relative_error <= 1e-3, "{decomposition:?}");
    }
}

#[test]
fn other_random_directions_find_the_same() {
    let (table, mask) = planted();
    for seed in [1, 2] {
        let als = AlternatingLeastSquares::new(RANK).with_tolerance(1e-9).with_seed(seed);
        let decomposition = als.fit(&known(table.view(), &mask)).expect("a finite table");
        let error = relative_error(table.view(), &Array2::ones(table.dim()), &decomposition.factors);
        assert!(error <= 1e-3, "seed {seed}: relative error {error} of all entries");
    }
}
