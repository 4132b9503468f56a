//! The mean of a table as the bias of its factors.

use factorized_embedding::{
    Decompose, Decomposition, Error, MeanRemoval, Products, RandomizedSvd, Rank, RowWeights, SvdRoute, TruncatedSvd,
};
use ndarray::{Array1, Array2, ArrayView2, Axis};

use crate::support::{
    compare::widened,
    eigenvalues::{eigenvalues, gram},
    random,
};

const ROUTES: [SvdRoute; 2] = [SvdRoute::Qr, SvdRoute::Gram];

/// Rows around a point far from zero, or around zero.
fn table(far: bool) -> Array2<f32> {
    let centre = random::normal((1, 8), 51) * if far { 5.0 } else { 0.0 };
    random::normal((150, 8), 52) + centre
}

fn weights() -> RowWeights {
    RowWeights::new((0..150).map(|i| f64::from(i % 5)).collect::<Vec<_>>()).expect("weights")
}

fn weighted_mean(table: ArrayView2<'_, f32>, weights: &[f64]) -> Array1<f64> {
    let rows = widened(table);
    let sum = rows.rows().into_iter().zip(weights).fold(Array1::zeros(8), |sum, (row, &weight)| sum + &row * weight);
    sum / weights.iter().sum::<f64>()
}

fn decompose(
    table: &Array2<f32>,
    rank: Rank,
    mean: MeanRemoval,
    route: SvdRoute,
    weights: Option<RowWeights>,
) -> Decomposition {
    let mut svd = TruncatedSvd::new(rank).with_mean_removal(mean).with_route(route);
    if let Some(weights) = weights {
        svd = svd.with_row_weights(weights);
    }
    svd.decompose(table.view()).expect("a finite table")
}

#[test]
fn the_rest_is_decomposed_and_the_mean_is_the_bias() {
    let table = table(true);
    for route in ROUTES {
        for given in [None, Some(weights())] {
            let vector = given.as_ref().map_or(vec![1.0; 150], RowWeights::to_vec);
            let mean = weighted_mean(table.view(), &vector);
            let centred = widened(table.view()) - mean.view().insert_axis(Axis(0));
            let values = eigenvalues(gram(centred.mapv(|x| x as f32).view(), Some(&vector)));
            let total: f64 =
                widened(table.view()).rows().into_iter().zip(&vector).map(|(row, w)| w * row.dot(&row)).sum();
            for rank in 1..=8 {
                let found = decompose(&table, Rank::Fixed(rank), MeanRemoval::Always, route, given.clone());
                approx::assert_abs_diff_eq!(
                    found.factors.bias().expect("a mean").mapv(f64::from),
                    mean,
                    epsilon = 1e-5
                );
                let lost: f64 = values.iter().skip(rank).sum();
                let error = found.weighted_relative_error.unwrap_or(found.relative_error);
                assert!((error - (lost / total).sqrt()).abs() < 1e-6, "{route:?}, rank {rank}: {error}");
                assert!((found.spectrum.error_at(rank) - error).abs() < 1e-6);
                assert_eq!(found.spectrum.bytes_at(rank), found.factors.size_in_bytes());
            }
        }
    }
}

#[test]
fn a_table_of_equal_rows_is_its_mean() {
    let table = Array2::from_shape_fn((150, 8), |(_, j)| j as f32 + 0.5);
    for route in ROUTES {
        let found = decompose(&table, Rank::Fixed(1), MeanRemoval::Always, route, None);
        assert!(found.relative_error < 1e-7, "{found:?}");
    }
    let one_row = random::normal((1, 8), 53);
    for route in ROUTES {
        let found = decompose(&one_row, Rank::Fixed(1), MeanRemoval::Always, route, None);
        assert!(found.relative_error < 1e-7, "{found:?}");
    }
}

#[test]
fn what_rounding_leaves_of_equal_rows_is_no_direction() {
    let table = Array2::from_elem((150, 8), 1.0 / 3.0);
    for route in [SvdRoute::Qr, SvdRoute::Gram, SvdRoute::GramF32] {
        for rank in [Rank::Knee, Rank::Effective, Rank::Energy(1.0)] {
            let found = decompose(&table, rank, MeanRemoval::Always, route, None);
            // Products in f32 leave more, and say so.
            let most = if route == SvdRoute::GramF32 { 3 } else { 1 };
            assert!(found.factors.rank() <= most, "{route:?}, {rank:?}: {found:?}");
        }
    }
}

#[test]
fn it_is_taken_off_where_that_is_better() {
    for far in [true, false] {
        let table = table(far);
        for route in ROUTES {
            for rank in 1..8 {
                let bytes = Rank::Bytes(4 * rank * (150 + 8 + 1) + 4 * 8);
                let [without, with, chosen] = [MeanRemoval::Never, MeanRemoval::Always, MeanRemoval::IfBetter]
                    .map(|mean| decompose(&table, bytes, mean, route, None));
                assert!(chosen.relative_error <= without.relative_error.min(with.relative_error));
                // Just too little for a bias as well: a direction is better than the mean.
                let tight = Rank::Bytes(4 * rank * (150 + 8 + 1) + 4 * 8 - 1);
                let tight = decompose(&table, tight, MeanRemoval::IfBetter, route, None);
                assert_eq!(tight.factors.bias(), None, "{route:?}, rank {rank}, far {far}");
            }
            for rule in [Rank::Energy(0.9), Rank::RelativeError(0.3)] {
                let [without, with, chosen] = [MeanRemoval::Never, MeanRemoval::Always, MeanRemoval::IfBetter]
                    .map(|mean| decompose(&table, rule, mean, route, None).factors.size_in_bytes());
                assert_eq!(chosen, without.min(with));
            }
            let fixed = decompose(&table, Rank::Fixed(2), MeanRemoval::IfBetter, route, None);
            assert_eq!(fixed.factors.bias().is_some(), far, "a bias of noise is no better than a part of a direction");
        }
    }
}

#[test]
fn a_randomized_svd_takes_it_off_too() {
    let table = table(true);
    for given in [None, Some(weights())] {
        let mut random = RandomizedSvd::new(Rank::Fixed(3)).with_mean_removal(MeanRemoval::Always);
        random = random.with_products(Products::F64);
        if let Some(weights) = given.clone() {
            random = random.with_row_weights(weights);
        }
        let exact = decompose(&table, Rank::Fixed(3), MeanRemoval::Always, SvdRoute::Qr, given);
        let random = random.decompose(table.view()).expect("a finite table");
        approx::assert_abs_diff_eq!(
            random.factors.bias().expect("a mean"),
            exact.factors.bias().expect("a mean"),
            epsilon = 1e-5
        );
        // Eight columns are all met: nothing is left to chance.
        approx::assert_abs_diff_eq!(random.factors.to_dense(), exact.factors.to_dense(), epsilon = 1e-4);
    }
}

#[test]
fn a_bias_needs_its_bytes() {
    let table = table(true);
    let budget = Rank::Bytes(4 * (150 + 8 + 1) + 4 * 8 - 1);
    let svd = TruncatedSvd::new(budget).with_mean_removal(MeanRemoval::Always);
    assert!(matches!(svd.decompose(table.view()), Err(Error::BudgetTooSmall { minimum: 668, .. })));
    let random = RandomizedSvd::new(budget).with_mean_removal(MeanRemoval::Always);
    assert!(matches!(random.decompose(table.view()), Err(Error::BudgetTooSmall { minimum: 668, .. })));
}
