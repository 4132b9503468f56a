//! A step through candle's autograd takes memory for its batch, not for the vocabulary.
//!
//! The allocator of this binary counts the bytes that are alive, of all threads: there is one test, and no other beside
//! it.

#[path = "support/allocator.rs"]
mod allocator;

use allocator::peak_of;
use candle_core::{Device, Module, Result, Tensor};
use factorized_embedding::{
    FactorizedEmbedding, Factors,
    candle::AutogradEmbedding,
    train::{FactorOptimizer, Optimizer},
};
use ndarray::Array2;

const RANK: usize = 4;
const DIM: usize = 12;
const BATCH: usize = 2000;
/// Bytes that names and the like may take.
const NOISE: usize = 4096;

fn numbers(shape: (usize, usize)) -> Array2<f32> {
    Array2::from_shape_fn(shape, |(i, j)| ((7 * i + 3 * j) % 101) as f32 / 50.0 - 1.0)
}

/// Of a lookup, its backward pass and a step of Adam, once its state is there.
fn peak_of_step(vocab_size: usize) -> Result<usize> {
    let factors = Factors::new(numbers((vocab_size, RANK)), numbers((RANK, DIM)))?;
    let optimizer = FactorOptimizer::new(Optimizer::adam())?;
    let embedding = AutogradEmbedding::new(FactorizedEmbedding::new(factors), optimizer)?;
    // The same number of different ids, spread over the vocabulary.
    let ids: Vec<u32> = (0..BATCH).map(|i| (i % 700 * (vocab_size / 700)) as u32).collect();
    let ids = Tensor::from_vec(ids, BATCH, &Device::Cpu)?;
    let step = || {
        embedding.forward(&ids)?.sqr()?.sum_all()?.backward()?;
        embedding.step(&embedding.take_gradients().expect("gradients"), 1e-3)
    };
    step()?;
    let (result, peak) = peak_of(step);
    result.map(|()| peak)
}

#[test]
fn memory_goes_with_the_batch() -> Result<()> {
    let (few, many) = (peak_of_step(1000)?, peak_of_step(1_000_000)?);
    assert!(few.abs_diff(many) <= NOISE, "{few} bytes of a thousand rows, {many} of a million");
    // A batch of vectors, squares and gradients, in candle's graph and in ours; a dense gradient of U would take 16 MB.
    let batch = BATCH * (10 * (DIM + RANK) * size_of::<f32>() + 64);
    assert!(many <= batch, "{many} bytes, expected no more than {batch}");
    Ok(())
}
