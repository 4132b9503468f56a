//! Whatever the number of threads, gradients are the same to the bit.
#![cfg(feature = "rayon")]

use std::fmt::Debug;

use factorized_embedding::{Bags, DenseEmbedding, FactorizedEmbedding, Pooling, Shape, TokenId, train::Backward};
use rayon::ThreadPoolBuilder;

use crate::{
    check::layer,
    support::{factor_parts::FactorParts, random},
};

/// Large enough for several threads everywhere.
const SHAPE: Shape = Shape { vocab_size: 5000, rank: 130, dim: 300 };
const N: usize = 3000;

/// What `compute` gives does not depend on the number of threads. Numbers that compare equal have the same bits but for
/// the sign of zero.
#[track_caller]
fn check<T: PartialEq + Debug + Send>(compute: impl Fn() -> T + Sync) {
    let of = |threads| ThreadPoolBuilder::new().num_threads(threads).build().expect("a thread pool").install(&compute);
    let alone = of(1);
    for threads in [2, 3, 7] {
        assert!(of(threads) == alone, "{threads} threads: {alone:?}");
    }
}

fn ids() -> Vec<TokenId> {
    // Half of them are few.
    let mut ids = random::ids(N, SHAPE.vocab_size, 1);
    ids.iter_mut().step_by(2).for_each(|id| *id %= 20);
    ids
}

fn subjects() -> (FactorizedEmbedding, DenseEmbedding<'static>) {
    let layer = layer(&FactorParts::normal(SHAPE, 2), Some(7));
    let dense = layer.to_dense().expect("finite products");
    (layer, dense)
}

#[test]
fn lookups_and_bags() {
    let ((layer, dense), ids) = (subjects(), ids());
    let (factors, table) = (Backward::new(&layer), Backward::new(&dense));
    let grad_out = random::normal((N, SHAPE.dim), 3);
    check(|| factors.lookup(&ids, grad_out.view()).expect("shapes that fit"));
    check(|| table.lookup(&ids, grad_out.view()).expect("shapes that fit"));
    let offsets: Vec<usize> = (0..N).step_by(3).collect();
    let grad_out = random::normal((offsets.len(), SHAPE.dim), 3);
    for pooling in [Pooling::Sum, Pooling::Mean, Pooling::Max] {
        let bags = Bags::new(&ids, &offsets, pooling).expect("rising offsets");
        check(|| factors.bag(&bags, grad_out.view()).expect("shapes that fit"));
        check(|| table.bag(&bags, grad_out.view()).expect("shapes that fit"));
    }
    let bags = Bags::new(&ids, &offsets, Pooling::Sum).expect("rising offsets");
    check(|| factors.bag_weights_gradient(&bags, grad_out.view()).expect("shapes that fit"));
    check(|| table.bag_weights_gradient(&bags, grad_out.view()).expect("shapes that fit"));
}

#[test]
fn products_with_the_table() {
    let (layer, dense) = subjects();
    let (factors, table) = (Backward::new(&layer), Backward::new(&dense));
    let (weights, vectors) = (random::normal((150, SHAPE.vocab_size), 3), random::normal((150, SHAPE.dim), 4));
    check(|| factors.soft_lookup(weights.view(), vectors.view()).expect("shapes that fit"));
    check(|| table.soft_lookup(weights.view(), vectors.view()).expect("shapes that fit"));
    check(|| factors.logits(vectors.view(), weights.view()).expect("shapes that fit"));
    let targets = random::ids(150, SHAPE.vocab_size, 5);
    check(|| factors.cross_entropy(vectors.view(), &targets, None).expect("shapes that fit"));
    check(|| table.cross_entropy(vectors.view(), &targets, None).expect("shapes that fit"));
}
