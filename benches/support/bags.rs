//! Bags of a stream of ids.

use std::{iter::Cycle, slice::ChunksExact};

use factorized_embedding::{Bags, Embedding, Factors, Pooling, TokenId};
use ndarray::{Array2, Axis, s};

use super::agreement::Expected;

/// Bags of a call that are checked.
const CHECKED: usize = 16;

/// Calls of `count` bags of `len` ids from a stream.
#[derive(Clone, Copy)]
pub(crate) struct Calls<'a> {
    pub(crate) stream: &'a [TokenId],
    pub(crate) len: usize,
    pub(crate) count: usize,
    pub(crate) pooling: Pooling,
}

/// Call after call, pooled into the same array.
pub(crate) struct Pooled<'a> {
    embedding: &'a dyn Embedding,
    calls: Calls<'a>,
    per_call: Cycle<ChunksExact<'a, TokenId>>,
    offsets: Vec<usize>,
    out: Array2<f32>,
}

impl<'a> Pooled<'a> {
    /// Calls, the first of which has been made and holds what the factors say.
    pub(crate) fn checked(embedding: &'a dyn Embedding, factors: &Factors, calls: Calls<'a>) -> Self {
        let mut pooled = Self {
            embedding,
            calls,
            per_call: calls.stream.chunks_exact(calls.len * calls.count).cycle(),
            offsets: (0..calls.count).map(|bag| bag * calls.len).collect(),
            out: Array2::from_elem((calls.count, embedding.dim()), f32::NAN),
        };
        pooled.check(factors);
        pooled
    }

    /// Pools the next bags; returns their ids.
    pub(crate) fn next_call(&mut self) -> &'a [TokenId] {
        let ids = self.per_call.next().expect("a stream of at least one call");
        let bags = Bags::new(ids, &self.offsets, self.calls.pooling).expect("offsets within the ids");
        self.embedding.bag_into(&bags, self.out.view_mut()).expect("ids of the vocabulary");
        ids
    }

    /// Asserts that the next bags hold what the factors say.
    fn check(&mut self, factors: &Factors) {
        let ids = self.next_call();
        assert!(self.out.iter().all(|number| number.is_finite()), "bags that were not written");
        // Some of them, from all over the call: of every chunk and thread.
        let checked = CHECKED.min(self.calls.count);
        let places: Vec<usize> = (0..checked).map(|i| i * self.calls.count / checked).collect();
        let bags = places.iter().map(|&place| &ids[place * self.calls.len..][..self.calls.len]);
        if self.calls.pooling == Pooling::Max {
            for (bag, &place) in bags.zip(&places) {
                Expected::maxima(factors, bag).assert_agrees(self.out.slice(s![place..=place, ..]));
            }
        } else {
            Expected::sums(factors, bags).assert_agrees(self.out.select(Axis(0), &places).view());
        }
    }
}
