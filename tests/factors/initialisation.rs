//! Random factors have the moments that were asked for.

use factorized_embedding::{Embedding, FactorizedEmbedding, Factors, Shape};
use ndarray::Array2;

use crate::support::{
    compare::{assert_same_bits, widened},
    random::rng,
};

const VOCAB_SIZE: usize = 400;
const DIM: usize = 300;
/// Standard deviations that an estimate may be off by.
const SIGMAS: f64 = 5.0;

fn random(rank: usize, std: f32, seed: u64) -> Factors {
    Factors::random(Shape { vocab_size: VOCAB_SIZE, rank, dim: DIM }, std, &mut rng(seed)).expect("a valid shape")
}

fn product(factors: &Factors) -> Array2<f64> {
    widened(factors.u().view()).dot(&widened(factors.v()))
}

#[test]
fn the_product_has_the_standard_deviation_whatever_the_rank() {
    let (n, m) = (VOCAB_SIZE as f64, DIM as f64);
    for (seed, rank) in [1, 4, 32, 128].into_iter().enumerate() {
        for std in [0.02, 1.0, 30.0] {
            let product = product(&random(rank, std, seed as u64));
            let (variance, r) = (f64::from(std).powi(2), rank as f64);
            // The mean is 1ᵀU·V1 / nm, whose variance is that of an entry over nm, as if all entries were independent.
            let mean = product.sum() / (n * m);
            assert!(mean.abs() <= SIGMAS * (variance / (n * m)).sqrt(), "rank {rank}, std {std}: mean {mean}");
            // The mean square is tr(UᵀU·VVᵀ) / nm, the trace of a product of two Wishart matrices: its relative variance is
            // 2/(mr) · (1 + (m + r + 1)/n).
            let square = product.mapv(|value| value * value).sum() / (n * m);
            let tolerance = SIGMAS * (2.0 / (m * r) * (1.0 + (m + r + 1.0) / n)).sqrt();
            assert!(
                (square / variance - 1.0).abs() <= tolerance,
                "rank {rank}, std {std}: the mean square is {} times what it should be, tolerance {tolerance}",
                square / variance,
            );
        }
    }
}

#[test]
fn a_seed_gives_the_same_bits_and_another_one_others() {
    let (first, second, other) = (random(4, 0.02, 7), random(4, 0.02, 7), random(4, 0.02, 8));
    assert_same_bits("u", first.u().view(), second.u().view());
    assert_same_bits("v", first.v(), second.v());
    assert_ne!(first.u(), other.u());
    let shape = first.shape();
    let layer = FactorizedEmbedding::random(shape, 0.02, &mut rng(7)).expect("a valid shape");
    assert_eq!(layer.factors(), &first, "a random layer is one of random factors");
    assert_eq!(layer.num_parameters(), 4 * (VOCAB_SIZE + DIM));
}

#[test]
fn no_deviation_gives_zeros() {
    assert_eq!(random(2, 0.0, 1).to_dense(), Array2::<f32>::zeros((VOCAB_SIZE, DIM)));
}
