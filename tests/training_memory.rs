//! A step takes memory for its batch, whatever the vocabulary.
//!
//! The allocator of this binary counts the bytes that are asked for, by all threads: there is one test, and no other beside it.

#[path = "support/allocator.rs"]
mod allocator;

use allocator::asked_of;
use factorized_embedding::{
    FactorizedEmbedding, Factors, TokenId,
    train::{FactorGradients, FactorOptimizer, Optimizer, RowGradient},
};
use ndarray::Array2;

const RANK: usize = 32;
const DIM: usize = 256;
const BATCH: usize = 4096;

/// The gradient of a batch of tokens that are spread over the vocabulary.
fn gradients(vocab_size: usize) -> FactorGradients {
    let ids: Vec<_> = (0..BATCH).map(|i| (i * vocab_size / BATCH) as TokenId).collect();
    let mut gradients = FactorGradients::default();
    gradients.u = Some(RowGradient::of_rows(ids, Array2::ones((BATCH, RANK))).expect("ascending ids"));
    gradients.v = Some(Array2::ones((RANK, DIM)));
    gradients
}

/// The bytes that a first step asks for beside what it remembers, and those that the next one asks for.
fn bytes_of_steps(rule: Optimizer, vocab_size: usize) -> [usize; 2] {
    let factors = Factors::new(Array2::zeros((vocab_size, RANK)), Array2::ones((RANK, DIM)));
    let mut layer = FactorizedEmbedding::new(factors.expect("shapes that multiply"));
    let mut optimizer = FactorOptimizer::new(rule).expect("a valid rule");
    let gradients = gradients(vocab_size);
    let [first, next] = [(); 2].map(|()| {
        let step = || optimizer.step(&mut layer, &gradients, 0.01).expect("shapes that fit");
        asked_of(step).1
    });
    [first - optimizer.state().size_in_bytes(), next]
}

#[test]
fn a_step_takes_no_memory_for_the_vocabulary() {
    let rules = [
        Optimizer::sgd(),
        Optimizer::adagrad(),
        Optimizer::rowwise_adagrad(),
        Optimizer::adam(),
        Optimizer::adam_w(0.01),
    ];
    for rule in rules {
        let [few, many] = [BATCH, 1_000_000].map(|vocab_size| bytes_of_steps(rule, vocab_size));
        // diag(D) · V and its packed copy, and what it takes to share the work among threads.
        let projections = 2 * size_of::<f32>() * RANK * DIM;
        for (few, many) in few.into_iter().zip(many) {
            assert!(many <= projections + (1 << 17), "{many} bytes by {rule:?}");
            assert!(many.abs_diff(few) <= 1 << 16, "{few} bytes for {BATCH} rows, {many} for 1,000,000 by {rule:?}");
        }
    }
}
