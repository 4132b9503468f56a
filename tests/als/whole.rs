//! Whole tables: without a ridge term, the optimum is the truncated SVD.

use factorized_embedding::{
    AlternatingLeastSquares, Decompose, Decomposition, Observations, Rank, RowWeights, TruncatedSvd,
};
use ndarray::{Array2, ArrayView2, Axis, concatenate};

use super::checks::{assert_monotone, check_form, loss_rounding, product};
use crate::support::random::{integers, normal};

fn tables() -> Vec<(&'static str, Array2<f32>)> {
    let square = normal((9, 9), 51);
    vec![
        ("tall", normal((40, 7), 52)),
        ("square", square.clone()),
        ("wide", normal((5, 12), 53)),
        ("one row", normal((1, 6), 54)),
        ("one column", normal((8, 1), 55)),
        ("one number", normal((1, 1), 56)),
        ("all zero", Array2::zeros((6, 4))),
        ("rank 1", integers((10, 1), 57).dot(&integers((1, 6), 58))),
        ("rank 3 of 8", integers((30, 3), 59).dot(&integers((3, 8), 60))),
        ("duplicate rows", concatenate![Axis(0), square, square]),
        ("identity", Array2::eye(6)),
        ("fast decay", normal((30, 8), 61) * &Array2::from_shape_fn((1, 8), |(_, j)| 0.1_f32.powf(j as f32))),
        ("large numbers", normal((12, 5), 62) * 1e18),
        ("small numbers", normal((12, 5), 63) * 1e-18),
    ]
}

fn thorough(rank: usize) -> AlternatingLeastSquares {
    AlternatingLeastSquares::new(rank).with_tolerance(1e-13).with_max_iterations(3000)
}

fn all_known(table: ArrayView2<'_, f32>) -> Observations {
    Observations::from_mask(table, Array2::from_elem(table.dim(), true).view()).expect("a finite table")
}

fn svd(table: ArrayView2<'_, f32>, rank: usize) -> Decomposition {
    TruncatedSvd::new(Rank::Fixed(rank)).decompose(table).expect("a finite table")
}

#[test]
fn every_kind_of_table_at_every_rank_has_the_least_error() {
    for (name, table) in tables() {
        let ones = Array2::ones(table.dim());
        for rank in 1..=table.nrows().min(table.ncols()) {
            let name = format!("{name}, rank {rank}");
            let least = svd(table.view(), rank);
            let fits = [thorough(rank).decompose(table.view()), thorough(rank).fit(&all_known(table.view()))];
            for decomposition in fits {
                let decomposition = decomposition.expect("a finite table");
                check_form(&name, table.view(), [&ones; 2], None, &decomposition);
                assert_monotone(&name, &decomposition, loss_rounding(table.view(), &ones, &decomposition.factors));
                // Rounded factors move the error by a few ε, at any rank.
                let (error, least) = (decomposition.relative_error, least.relative_error);
                let rounding = 4.0 * (rank + 3) as f64 * f64::from(f32::EPSILON);
                assert!(error <= least * (1.0 + 1e-5) + rounding, "{name}: error {error}, the least is {least}");
                assert_eq!(decomposition.weighted_relative_error, None, "{name}");
            }
        }
    }
}

#[test]
fn the_factors_are_those_of_the_truncated_svd() {
    // Gaps between singular values, so that directions are determined.
    let table = normal((60, 8), 64) * &Array2::from_shape_fn((1, 8), |(_, j)| 0.6_f32.powf(j as f32));
    let expected = svd(table.view(), 4);
    for decomposition in [thorough(4).decompose(table.view()), thorough(4).fit(&all_known(table.view()))] {
        let decomposition = decomposition.expect("a finite table");
        approx::assert_abs_diff_eq!(decomposition.factors.v(), expected.factors.v(), epsilon = 1e-5);
        approx::assert_abs_diff_eq!(decomposition.factors.u(), expected.factors.u(), epsilon = 1e-5);
        let values = decomposition.spectrum.singular_values();
        approx::assert_relative_eq!(values[3], expected.spectrum.singular_values()[3], max_relative = 1e-9);
        for rank in 0..=4 {
            let (error, expected) = (decomposition.spectrum.error_at(rank), expected.spectrum.error_at(rank));
            approx::assert_relative_eq!(error, expected, max_relative = 1e-6);
        }
    }
}

#[test]
fn row_weights_lead_to_the_weighted_truncated_svd() {
    let table = normal((60, 8), 65) * &Array2::from_shape_fn((1, 8), |(_, j)| 0.6_f32.powf(j as f32));
    let counts: Vec<f64> = (0..60).map(|i| if i % 4 == 3 { 0.0 } else { 1000.0 / (1.0 + f64::from(i)) }).collect();
    let weights = RowWeights::new(counts).expect("not negative");
    let vector = weights.to_vec();
    let ones = Array2::ones(table.dim());
    let by_row = Array2::from_shape_fn(table.dim(), |(i, _)| vector[i]);
    for rank in [1, 3, 8] {
        let svd = TruncatedSvd::new(Rank::Fixed(rank)).with_row_weights(weights.clone());
        let expected = svd.decompose(table.view()).expect("a finite table");
        let als = thorough(rank).with_row_weights(weights.clone());
        for decomposition in [als.decompose(table.view()), als.fit(&all_known(table.view()))] {
            let decomposition = decomposition.expect("a finite table");
            check_form("weighted", table.view(), [&ones, &by_row], Some(&vector), &decomposition);
            let errors = [&decomposition, &expected].map(|d| d.weighted_relative_error.expect("weights"));
            approx::assert_relative_eq!(errors[0], errors[1], epsilon = 1e-6, max_relative = 1e-6);
            // Rows of weight 0 too.
            let [actual, expected] = [&decomposition, &expected].map(|d| product(&d.factors));
            approx::assert_abs_diff_eq!(actual, expected, epsilon = 1e-4);
        }
    }
}

#[test]
fn a_whole_table_is_one_whose_entries_are_all_known() {
    let table = normal((700, 9), 66);
    let weights = RowWeights::new((1..=700).map(f64::from).collect::<Vec<_>>()).expect("positive");
    for ridge in [0.0, 3.0] {
        let als = AlternatingLeastSquares::new(3).with_ridge(ridge).with_row_weights(weights.clone());
        let als = als.with_max_iterations(7);
        let whole = als.decompose(table.view()).expect("a finite table");
        let known = als.fit(&all_known(table.view())).expect("a finite table");
        for (a, b) in whole.losses.iter().zip(&known.losses) {
            approx::assert_relative_eq!(a, b, max_relative = 1e-11);
        }
        assert_eq!(whole.losses.len(), known.losses.len());
        approx::assert_abs_diff_eq!(product(&whole.factors), product(&known.factors), epsilon = 1e-5);
    }
}

#[test]
fn strides_of_the_table_change_nothing() {
    let table = normal((300, 6), 67);
    let transposed = table.t().to_owned();
    let als = AlternatingLeastSquares::new(2).with_max_iterations(5);
    assert_eq!(als.decompose(transposed.t()).expect("finite"), als.decompose(table.view()).expect("finite"));
}
