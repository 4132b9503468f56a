//! With a weight for each row.

use factorized_embedding::{Decompose, Decomposition, Factors, Rank, RowWeights, TruncatedSvd};
use ndarray::{Array2, ArrayView2, Axis};

use super::{
    checks::{check_decomposition, relative_error, rounding},
    tables::{BLOCK_EDGES, tables},
};
use crate::support::{compare::assert_same_bits, random};

/// Counts as words have them: a few large ones, many small ones, some zero.
fn counts(len: usize) -> Vec<f64> {
    (0..len).map(|i| if i % 4 == 3 { 0.0 } else { 1000.0 / (1.0 + i as f64) }).collect()
}

fn decompose(table: ArrayView2<'_, f32>, counts: &[f64], rank: usize) -> (Decomposition, Vec<f64>) {
    let weights = RowWeights::new(counts).expect("counts that are not negative");
    let vector = weights.to_vec();
    let svd = TruncatedSvd::new(Rank::Fixed(rank)).with_row_weights(weights);
    (svd.decompose(table).expect("a finite table and a rank that it has"), vector)
}

fn plain(table: ArrayView2<'_, f32>, rank: usize) -> Decomposition {
    TruncatedSvd::new(Rank::Fixed(rank)).decompose(table).expect("a finite table and a rank that it has")
}

#[test]
fn the_promises_hold_for_every_kind_of_table_at_every_rank() {
    for (name, table) in tables() {
        for rank in 1..=table.nrows().min(table.ncols()) {
            let (decomposition, weights) = decompose(table.view(), &counts(table.nrows()), rank);
            check_decomposition(&format!("weighted {name}"), table.view(), Some(&weights), &decomposition);
        }
    }
}

#[test]
fn the_promises_hold_across_blocks_of_rows() {
    for rows in BLOCK_EDGES {
        let table = random::normal((rows, 5), 31);
        let (decomposition, weights) = decompose(table.view(), &counts(rows), 3);
        check_decomposition(&format!("weighted {rows} rows"), table.view(), Some(&weights), &decomposition);
    }
}

#[test]
fn rows_without_weight_are_projected_too() {
    // Only the first two rows count, and they span the first two columns.
    let table = ndarray::array![[2.0, 0.0, 0.0], [0.0, 1.0, 0.0], [3.0, 4.0, 5.0], [0.0, 0.0, 7.0]];
    let (decomposition, _) = decompose(table.view(), &[1.0, 1.0, 0.0, 0.0], 2);
    let dense = decomposition.factors.to_dense();
    let expected = ndarray::array![[2.0, 0.0, 0.0], [0.0, 1.0, 0.0], [3.0, 4.0, 0.0], [0.0, 0.0, 0.0]];
    approx::assert_abs_diff_eq!(dense, expected, epsilon = 1e-6);
    let error = decomposition.weighted_relative_error.expect("there are weights");
    assert!(error <= 1e-6, "what counts is kept wholly: {error}");
}

#[test]
fn no_nearby_factors_have_a_smaller_weighted_error() {
    let table = random::normal((40, 8), 32);
    let (decomposition, weights) = decompose(table.view(), &counts(40), 3);
    let least = relative_error(table.view(), Some(&weights), &decomposition.factors);
    let factors = &decomposition.factors;
    for seed in 0..20 {
        for size in [1e-3, 1e-1] {
            let shift = |array: ArrayView2<'_, f32>, seed| &array + &(random::normal(array.dim(), seed) * size);
            let moved_u = with(factors, shift(factors.u().view(), 2 * seed), factors.v().to_owned());
            let moved_v = with(factors, factors.u().to_owned(), shift(factors.v(), 2 * seed + 1));
            for moved in [moved_u, moved_v] {
                let error = relative_error(table.view(), Some(&weights), &moved);
                let tolerance = rounding(table.view(), Some(&weights), factors);
                assert!(error >= least - tolerance, "seed {seed}, size {size}: {error} is less than {least}");
            }
        }
    }
}

fn with(factors: &Factors, u: Array2<f32>, v: Array2<f32>) -> Factors {
    let diagonal = factors.diagonal().expect("the singular values").to_owned();
    Factors::new(u, v).expect("the same shapes").with_diagonal(diagonal).expect("the same rank")
}

#[test]
fn weights_help_what_they_weigh_and_cost_the_rest() {
    let table = random::normal((40, 8), 33);
    for rank in 1..8 {
        let (weighted, weights) = decompose(table.view(), &counts(40), rank);
        let plain = plain(table.view(), rank);
        let weighted_error = |factors| relative_error(table.view(), Some(&weights), factors);
        let plain_error = |factors| relative_error(table.view(), None, factors);
        // The counts are far from equal, so that both differences are far above rounding.
        assert!(weighted_error(&weighted.factors) < 0.99 * weighted_error(&plain.factors), "rank {rank}");
        assert!(plain_error(&plain.factors) < 0.99 * plain_error(&weighted.factors), "rank {rank}");
    }
}

#[test]
fn equal_weights_are_no_weights() {
    let table = random::normal((40, 8), 34);
    let expected = plain(table.view(), 3);
    let (mut decomposition, _) = decompose(table.view(), &[3.0; 40], 3);
    assert_eq!(decomposition.weighted_relative_error.take(), Some(expected.relative_error));
    assert_eq!(decomposition, expected);
}

#[test]
fn only_ratios_of_weights_matter() {
    let table = random::normal((40, 8), 35);
    let counts: Vec<f64> = (0..40).map(|i| f64::from(i * i % 17)).collect();
    let tripled: Vec<f64> = counts.iter().map(|count| 3.0 * count).collect();
    assert_eq!(decompose(table.view(), &counts, 3), decompose(table.view(), &tripled, 3));
}

#[test]
fn a_weight_of_three_is_three_equal_rows() {
    let table = random::normal((20, 6), 36);
    let counts: Vec<f64> = (0..20).map(|i| f64::from(i % 4)).collect();
    let copies: Vec<usize> = (0..20).flat_map(|i| vec![i; i % 4]).collect();
    let (weighted, _) = decompose(table.view(), &counts, 3);
    let repeated = plain(table.select(Axis(0), &copies).view(), 3);
    // Weights are scaled to the mean 1, so the singular values differ by that.
    let scale = (20.0 / copies.len() as f64).sqrt();
    approx::assert_relative_eq!(
        weighted.spectrum.singular_values(),
        repeated.spectrum.singular_values().mapv(|value| value * scale),
        max_relative = 1e-12
    );
    approx::assert_abs_diff_eq!(weighted.factors.v(), repeated.factors.v(), epsilon = 1e-6);
    let error = weighted.weighted_relative_error.expect("there are weights");
    approx::assert_relative_eq!(error, repeated.relative_error, max_relative = 1e-6);
}

#[test]
fn the_same_weights_give_the_same_bits() {
    let table = random::normal((1100, 9), 37);
    let ((first, _), (second, _)) =
        (decompose(table.view(), &counts(1100), 4), decompose(table.view(), &counts(1100), 4));
    assert_eq!(first, second);
    assert_same_bits("U", first.factors.u().view(), second.factors.u().view());
    assert_same_bits("V", first.factors.v(), second.factors.v());
}
