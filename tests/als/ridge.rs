//! The ridge term, against what is known of it: on a whole table, its optimum has the singular values σ − ridge (soft
//! thresholding; Mazumder, Hastie & Tibshirani 2010, "Spectral regularization algorithms for learning large incomplete
//! matrices", lemma 1).

use factorized_embedding::{AlternatingLeastSquares, Decompose, Decomposition, Observations, Rank, TruncatedSvd};
use ndarray::Array2;

use super::checks::{known, mask, product};
use crate::support::random::normal;

fn both_ways(als: &AlternatingLeastSquares, table: &Array2<f32>) -> [Decomposition; 2] {
    let all = Array2::from_elem(table.dim(), true);
    let observations = Observations::from_mask(table.view(), all.view()).expect("a finite table");
    [als.decompose(table.view()), als.fit(&observations)].map(|result| result.expect("a finite table"))
}

#[test]
fn a_single_column_is_shrunk_by_the_closed_form() {
    // The norm is 13, and u·v of least loss is (1 − ridge / 13)·e.
    let table = ndarray::array![[3.0_f32], [4.0], [-12.0]];
    for ridge in [0.0, 1.0, 6.5, 12.0, 13.0, 20.0] {
        let als = AlternatingLeastSquares::new(1).with_ridge(ridge).with_tolerance(0.0).with_max_iterations(3000);
        let factor = (1.0 - ridge / 13.0).max(0.0);
        let expected = table.mapv(|e| f64::from(e) * factor);
        // At 13 the loss is flat to the fourth order, and what is left goes to zero slowly.
        let tolerance = if ridge == 13.0 { 0.05 } else { 1e-5 };
        for decomposition in both_ways(&als, &table) {
            approx::assert_abs_diff_eq!(product(&decomposition.factors), expected, epsilon = tolerance);
            let loss = if ridge < 13.0 { ridge * (26.0 - ridge) } else { 169.0 };
            let last = decomposition.losses[decomposition.losses.len() - 1];
            approx::assert_relative_eq!(last, loss, epsilon = tolerance, max_relative = 1e-9);
        }
    }
}

#[test]
fn singular_values_of_a_whole_table_are_lowered_by_the_ridge() {
    let table = normal((30, 6), 41);
    let svd = TruncatedSvd::new(Rank::Fixed(6)).decompose(table.view()).expect("a finite table");
    let values = svd.spectrum.singular_values();
    let ridge = (values[3] + values[4]) / 2.0;
    let als = AlternatingLeastSquares::new(6).with_ridge(ridge).with_tolerance(1e-15).with_max_iterations(3000);
    for decomposition in both_ways(&als, &table) {
        let lowered = values.mapv(|value| (value - ridge).max(0.0));
        approx::assert_abs_diff_eq!(decomposition.spectrum.singular_values(), lowered.view(), epsilon = 1e-4);
        let scale = |factors: &factorized_embedding::Factors, values: &ndarray::Array1<f64>| {
            (factors.u().mapv(f64::from) * values).dot(&factors.v().mapv(f64::from))
        };
        let expected = scale(&svd.factors, &lowered);
        approx::assert_abs_diff_eq!(product(&decomposition.factors), expected, epsilon = 1e-4);
    }
}

#[test]
fn a_larger_ridge_makes_smaller_factors_of_larger_errors() {
    let table = normal((40, 12), 42);
    let mask = mask((40, 12), 0.6, 43);
    // At full rank the loss has no local minima but the least.
    let fit = |ridge| {
        let als = AlternatingLeastSquares::new(12).with_ridge(ridge).with_tolerance(1e-10).with_max_iterations(1000);
        als.fit(&known(table.view(), &mask)).expect("a finite table")
    };
    let fits = [0.25, 0.5, 1.0, 2.0].map(fit);
    let nuclear_norms = fits.each_ref().map(|fit| fit.spectrum.singular_values().sum());
    assert!(nuclear_norms.is_sorted_by(|a, b| a > b), "{nuclear_norms:?}");
    let errors = fits.each_ref().map(|fit| fit.relative_error);
    assert!(errors.is_sorted_by(|a, b| a < b), "{errors:?}");
}

#[test]
fn a_ridge_above_all_singular_values_leaves_nothing() {
    let table = normal((20, 5), 44);
    let decomposition = AlternatingLeastSquares::new(2).with_ridge(1e6).decompose(table.view()).expect("finite");
    assert!(decomposition.spectrum.singular_values()[0] <= 1e-6, "{:?}", decomposition.spectrum);
    approx::assert_abs_diff_eq!(decomposition.relative_error, 1.0, epsilon = 1e-6);
}
