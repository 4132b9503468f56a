//! Every way to choose the rank keeps its promise, and no other rank would keep it better.

use factorized_embedding::{Decompose, Decomposition, Rank, RowWeights, Shape, TruncatedSvd};
use ndarray::Array2;

use super::checks::rounding;
use crate::support::{eigenvalues::optimal_errors, random};

fn table() -> Array2<f32> {
    let scales = Array2::from_shape_fn((1, 10), |(_, j)| 1.0 / (1.0 + j as f32));
    random::normal((50, 10), 41) * scales
}

/// Without and with weights, in which energies and errors are then meant.
fn decompose(rank: Rank) -> [Decomposition; 2] {
    let svd = TruncatedSvd::new(rank);
    let weights = RowWeights::new((1..=50).map(f64::from).collect::<Vec<_>>()).expect("positive counts");
    let weighted = svd.clone().with_row_weights(weights);
    [svd, weighted].map(|svd| svd.decompose(table().view()).expect("a finite table"))
}

/// The least error of every rank, by the singular values.
fn errors(decomposition: &Decomposition) -> Vec<f64> {
    optimal_errors(&decomposition.spectrum.singular_values().mapv(|value| value * value))
}

#[test]
fn a_fixed_rank_is_that_rank() {
    for rank in 1..=10 {
        for decomposition in decompose(Rank::Fixed(rank)) {
            assert_eq!(decomposition.factors.shape(), Shape { vocab_size: 50, rank, dim: 10 });
        }
    }
}

#[test]
fn energy_takes_the_fewest_directions_that_keep_it() {
    let mut ranks = Vec::new();
    for share in [1e-9, 0.3, 0.7, 0.8, 0.9, 0.95, 0.99, 0.999, 1.0] {
        for decomposition in decompose(Rank::Energy(share)) {
            let (rank, errors) = (decomposition.factors.rank(), errors(&decomposition));
            let energy = |rank: usize| 1.0 - errors[rank] * errors[rank];
            assert!(energy(rank) >= share - f64::EPSILON, "rank {rank} keeps {} of {share}", energy(rank));
            assert!(energy(rank - 1) < share, "rank {rank} where one less keeps {share} too");
            ranks.push(rank);
        }
    }
    ranks.sort_unstable();
    ranks.dedup();
    assert!(ranks.len() >= 6, "the shares should lead to different ranks, not just {ranks:?}");
}

#[test]
fn a_relative_error_takes_the_fewest_directions_that_keep_below_it() {
    for bound in [0.99, 0.7, 0.5, 0.3, 0.2, 0.1, 0.05, 0.0] {
        for decomposition in decompose(Rank::RelativeError(bound)) {
            let (rank, errors) = (decomposition.factors.rank(), errors(&decomposition));
            assert!(errors[rank] <= bound, "rank {rank} has the error {}, above {bound}", errors[rank]);
            assert!(errors[rank - 1] > bound, "rank {rank} where one less is within {bound} too");
            let measured = decomposition.weighted_relative_error.unwrap_or(decomposition.relative_error);
            let weights: Vec<f64> = (1..=50).map(|count| f64::from(count) / 25.5).collect();
            let weights = decomposition.weighted_relative_error.map(|_| weights.as_slice());
            let tolerance = rounding(table().view(), weights, &decomposition.factors);
            assert!(measured <= bound + tolerance, "measured error {measured} above {bound}");
        }
    }
}

#[test]
fn bytes_take_as_many_directions_as_fit() {
    let one = Rank::bytes(Shape { vocab_size: 50, rank: 1, dim: 10 });
    for bytes in [one, one + 1, 2 * one - 1, 2 * one, 5 * one + 7, 10 * one, 11 * one, 1_000_000] {
        for decomposition in decompose(Rank::Bytes(bytes)) {
            let Decomposition { factors, .. } = decomposition;
            let (rank, size) = (factors.rank(), factors.size_in_bytes());
            assert_eq!(size, Rank::bytes(factors.shape()), "the formula is that of the factors");
            assert!(size <= bytes, "{size} bytes at rank {rank}, {bytes} were allowed");
            let next = Rank::bytes(Shape { rank: rank + 1, ..factors.shape() });
            assert!(rank == 10 || next > bytes, "rank {} would fit into {bytes} bytes too", rank + 1);
        }
    }
}

#[test]
fn directions_that_hold_nothing_are_not_taken() {
    let rank_2 = random::integers((30, 2), 42).dot(&random::integers((2, 7), 43));
    for rank in [Rank::Energy(1.0), Rank::RelativeError(0.0)] {
        let decomposition = TruncatedSvd::new(rank).decompose(rank_2.view()).expect("a finite table");
        assert_eq!(decomposition.factors.rank(), 2, "{rank:?}");
        let zero = TruncatedSvd::new(rank).decompose(Array2::zeros((3, 4)).view()).expect("a finite table");
        assert_eq!(zero.factors.rank(), 1, "{rank:?}: factors have at least one direction");
    }
}
