//! Lookups of a stream of ids.

use std::{iter::Cycle, slice::ChunksExact};

use factorized_embedding::{Embedding, Factors, TokenId};
use ndarray::{Array2, Axis};

use super::agreement::Expected;

/// Rows of a batch whose numbers are checked.
const CHECKED: usize = 100;

/// Batch after batch of a stream of ids, looked up into the same array.
pub(crate) struct Lookups<'a> {
    embedding: &'a dyn Embedding,
    batches: Cycle<ChunksExact<'a, TokenId>>,
    out: Array2<f32>,
}

impl<'a> Lookups<'a> {
    /// Batches of n ids, the first of which has been looked up and is what the factors say.
    pub(crate) fn checked(embedding: &'a dyn Embedding, factors: &Factors, stream: &'a [TokenId], n: usize) -> Self {
        let out = Array2::from_elem((n, embedding.dim()), f32::NAN);
        let mut lookups = Self { embedding, batches: stream.chunks_exact(n).cycle(), out };
        lookups.check(factors);
        lookups
    }

    /// Looks up the next ids; returns them.
    pub(crate) fn next_batch(&mut self) -> &'a [TokenId] {
        let ids = self.batches.next().expect("a stream of at least one batch");
        self.embedding.lookup_into(ids, self.out.view_mut()).expect("ids of the vocabulary");
        ids
    }

    /// Asserts that the next batch holds what the factors say: in rows that are spread over it, first and last among them,
    /// and in no other row a number that nobody wrote.
    fn check(&mut self, factors: &Factors) {
        let ids = self.next_batch();
        assert!(self.out.iter().all(|number| number.is_finite()), "rows that were not written");
        let last = ids.len() - 1;
        let checked: Vec<usize> =
            (0..ids.len().min(CHECKED)).map(|i| i * last / (CHECKED - 1).min(last).max(1)).collect();
        let ids: Vec<TokenId> = checked.iter().map(|&row| ids[row]).collect();
        Expected::rows(factors, &ids).assert_agrees(self.out.select(Axis(0), &checked).view());
    }
}
