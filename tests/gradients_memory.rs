//! The backward pass of lookups and bags takes memory for its batch, not for the vocabulary; that of a tied head holds
//! no logits.
//!
//! The allocator of this binary counts the bytes that are alive, of all threads: there is one test, and no other beside
//! it.

#[path = "support/allocator.rs"]
mod allocator;

use allocator::peak_of;
use factorized_embedding::{
    Bags, DenseEmbedding, FactorizedEmbedding, Factors, Pooling, Result, TokenId,
    train::{Backward, Gradients},
};
use ndarray::Array2;

const VOCAB_SIZES: [usize; 2] = [1000, 1_000_000];
const RANK: usize = 4;
const DIM: usize = 12;
const BATCH: usize = 2000;
/// Bytes that names and the like may take.
const NOISE: usize = 1024;

fn numbers(shape: (usize, usize)) -> Array2<f32> {
    Array2::from_shape_fn(shape, |(i, j)| ((7 * i + 3 * j) % 101) as f32 / 50.0 - 1.0)
}

/// What a call allocates at its peak, once the thread has made one like it.
fn peak<T>(call: impl Fn() -> Result<T>) -> usize {
    let call = || drop(call().expect("shapes that fit"));
    call();
    peak_of(call).1
}

/// Of lookups and bags, of factors and of a dense table, and of the sum of two gradients.
fn peaks(vocab_size: usize) -> Vec<usize> {
    let factors = Factors::new(numbers((vocab_size, RANK)), numbers((RANK, DIM))).expect("shapes that multiply");
    let layer = FactorizedEmbedding::new(factors.with_bias(numbers((1, DIM)).row(0).to_owned()).expect("a bias"));
    let dense = DenseEmbedding::new(numbers((vocab_size, DIM))).expect("finite numbers");
    // The same number of different ids, spread over the vocabulary.
    let ids: Vec<TokenId> = (0..BATCH).map(|i| (i % 700 * (vocab_size / 700)) as TokenId).collect();
    let offsets: Vec<usize> = (0..BATCH).step_by(10).collect();
    let (factors, table) = (Backward::new(&layer), Backward::new(&dense));
    let (of_lookup, of_bags) = (numbers((BATCH, DIM)), numbers((offsets.len(), DIM)));
    let mut peaks = vec![
        peak(|| factors.lookup(&ids, of_lookup.view())),
        peak(|| table.lookup(&ids, of_lookup.view())),
        peak(|| {
            let mut sum = factors.lookup(&ids[..BATCH / 2], of_lookup.slice(ndarray::s![..BATCH / 2, ..]))?;
            sum.add(&factors.lookup(&ids[BATCH / 2..], of_lookup.slice(ndarray::s![BATCH / 2.., ..]))?)?;
            sum.clip_global_norm(1.0)
        }),
    ];
    for pooling in [Pooling::Sum, Pooling::Mean, Pooling::Max] {
        let bags = Bags::new(&ids, &offsets, pooling).expect("rising offsets");
        peaks.push(peak(|| factors.bag(&bags, of_bags.view())));
        peaks.push(peak(|| table.bag(&bags, of_bags.view())));
    }
    let bags = Bags::new(&ids, &offsets, Pooling::Sum).expect("rising offsets");
    peaks.push(peak(|| factors.bag_weights_gradient(&bags, of_bags.view())));
    peaks.push(peak(|| table.bag_weights_gradient(&bags, of_bags.view())));
    peaks
}

/// Of the loss of a tied head with its gradients, which are of all rows.
fn check_head() {
    let (vocab_size, n) = (30_000, 500);
    let factors = Factors::new(numbers((vocab_size, RANK)), numbers((RANK, DIM))).expect("shapes that multiply");
    let layer = FactorizedEmbedding::new(factors);
    let dense = DenseEmbedding::new(numbers((vocab_size, DIM))).expect("finite numbers");
    let (hidden, targets) = (numbers((n, DIM)), vec![7; n]);
    let (factors, table) = (Backward::new(&layer), Backward::new(&dense));
    for (width, peak) in [
        (RANK, peak(|| factors.cross_entropy(hidden.view(), &targets, None))),
        (DIM, peak(|| table.cross_entropy(hidden.view(), &targets, None))),
    ] {
        let gradient = vocab_size * (width + 1) * size_of::<f32>();
        // Logits of a block, its rows and their transpose; hidden states and their gradients, as they are and in rank
        // space.
        let block = (1 << 20) + (1 << 20) / n * 2 * (width + 1);
        let states = n * (4 * DIM + 6 * RANK) * size_of::<f32>();
        let logits = n * vocab_size * size_of::<f32>();
        assert!(peak <= gradient + block + states + (1 << 16), "{peak} bytes, all logits would be {logits}");
    }
}

#[test]
fn memory_goes_with_the_batch() {
    check_head();
    let [few, many] = VOCAB_SIZES.map(peaks);
    for (call, (few, many)) in few.iter().zip(&many).enumerate() {
        assert!(
            few.abs_diff(*many) <= NOISE,
            "call {call}: {few} bytes at {}, {many} at {}",
            VOCAB_SIZES[0],
            VOCAB_SIZES[1]
        );
        // ∂L/∂out, its sums, rows of U and their gradients, twice over; and what ids take to be sorted.
        let batch = BATCH * (2 * (DIM + RANK) * size_of::<f32>() + 64);
        assert!(*many <= batch, "call {call}: {many} bytes, expected no more than {batch}");
    }
}
