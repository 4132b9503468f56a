//! A dense table becomes factors, and the factors a layer: `cargo run --release --example quickstart`.
#![allow(clippy::print_stdout)] // What an example has to say goes to the standard output.

use factorized_embedding::{Decompose, Embedding, FactorizedEmbedding, Rank, TruncatedSvd};
use ndarray::{Array2, s};
use rand::{SeedableRng, rngs::ChaCha8Rng};
use rand_distr::{Distribution, StandardNormal};

fn main() -> factorized_embedding::Result<()> {
    // A table of 2,000 tokens in 128 dimensions, most of which lies in 16 directions; the rest is noise.
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let mut normal = |rows, columns| -> Array2<f32> {
        Array2::from_shape_simple_fn((rows, columns), || StandardNormal.sample(&mut rng))
    };
    let table = normal(2000, 16).dot(&normal(16, 128)) + normal(2000, 128) * 0.5;

    // The best factors of rank 16, and a layer that uses them.
    let decomposition = TruncatedSvd::new(Rank::Fixed(16)).decompose(table.view())?;
    println!("relative error: {:.4}", decomposition.relative_error);
    let embedding = FactorizedEmbedding::new(decomposition.factors);
    println!("{embedding:?}");
    println!("{} bytes instead of {}", embedding.size_in_bytes(), size_of::<f32>() * table.len());

    // Vectors of some tokens.
    let ids = [3, 14, 159, 3];
    let vectors = embedding.lookup(&ids)?;
    println!("vectors of {} ids: {:?}", ids.len(), vectors.shape());

    // The same table as an output head: the scores of all tokens for a hidden state, and the best three of them.
    let hidden = vectors.slice(s![1..2, ..]);
    println!("logits: {:?}", embedding.logits(hidden)?.shape());
    let best = embedding.top_k(hidden, 3)?;
    println!("best tokens: {} with scores {:.1}", best.ids.row(0), best.scores.row(0));
    Ok(())
}
