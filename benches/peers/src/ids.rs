//! Streams of token ids, cut into the batches of calls.

use factorized_embedding::TokenId;
use rand::{SeedableRng, rngs::ChaCha8Rng};
use rand_distr::{Distribution, Uniform, Zipf};

/// Ids that are gone through before they begin again.
const STREAM: usize = 1 << 18;

pub(crate) fn uniform(vocab_size: usize) -> Vec<TokenId> {
    let ids = Uniform::new(0, vocab_size as TokenId).expect("a vocabulary");
    ids.sample_iter(ChaCha8Rng::seed_from_u64(2)).take(STREAM).collect()
}

pub(crate) fn zipf(vocab_size: usize) -> Vec<TokenId> {
    let ranks = Zipf::new(vocab_size as f64, 1.0).expect("a vocabulary");
    ranks.sample_iter(ChaCha8Rng::seed_from_u64(2)).take(STREAM).map(|rank| rank as TokenId - 1).collect()
}

/// The ids of each call.
#[derive(Clone, Copy)]
pub(crate) struct Batches<'a> {
    stream: &'a [TokenId],
    pub(crate) n: usize,
}

impl<'a> Batches<'a> {
    /// So many batches that libraries with ids of their own can keep them all: 4096 at most.
    pub(crate) fn new(stream: &'a [TokenId], n: usize) -> Self {
        Self { stream: &stream[..stream.len().min(4096 * n)], n }
    }

    pub(crate) fn of_call(&self, call: usize) -> &'a [TokenId] {
        let call = call % self.len();
        &self.stream[call * self.n..][..self.n]
    }

    pub(crate) fn len(&self) -> usize {
        self.stream.len() / self.n
    }

    /// Every batch once.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &'a [TokenId]> {
        self.stream.chunks_exact(self.n)
    }
}
