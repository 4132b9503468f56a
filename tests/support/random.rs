//! Seeded test data.

use factorized_embedding::TokenId;
use ndarray::Array2;
use rand::{RngExt, SeedableRng, rngs::ChaCha8Rng};
use rand_distr::{Distribution, StandardNormal};

pub(crate) fn rng(seed: u64) -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(seed)
}

/// Standard normal numbers.
pub(crate) fn normal(shape: (usize, usize), seed: u64) -> Array2<f32> {
    let mut rng = rng(seed);
    Array2::from_shape_simple_fn(shape, || StandardNormal.sample(&mut rng))
}

/// Integers from −2 to 2: their sums and products are exact, and ties are plenty.
pub(crate) fn integers(shape: (usize, usize), seed: u64) -> Array2<f32> {
    let mut rng = rng(seed);
    Array2::from_shape_simple_fn(shape, || f32::from(rng.random_range(-2_i8..=2)))
}

/// Ids of a vocabulary, any of them more than once.
pub(crate) fn ids(len: usize, vocab_size: usize, seed: u64) -> Vec<TokenId> {
    let mut rng = rng(seed);
    let last = TokenId::try_from(vocab_size - 1).expect("a small vocabulary");
    (0..len).map(|_| rng.random_range(0..=last)).collect()
}
