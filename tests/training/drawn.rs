//! Rules and gradients for the tests.

use factorized_embedding::{
    FactorizedEmbedding, Shape, TokenId,
    train::{FactorGradients, Momentum, Optimizer, RowGradient},
};
use ndarray::{Array1, Array2, Axis};
use rand::RngExt;

use crate::support::{factor_parts::FactorParts, random};

/// Every rule, with settings that show in the numbers.
pub(crate) fn rules() -> [Optimizer; 10] {
    [
        Optimizer::sgd(),
        Optimizer::Sgd { momentum: Momentum::Polyak(0.9) },
        Optimizer::Sgd { momentum: Momentum::Nesterov(0.8) },
        Optimizer::adagrad(),
        Optimizer::Adagrad { initial_accumulator: 0.5, epsilon: 0.1 },
        Optimizer::rowwise_adagrad(),
        Optimizer::RowwiseAdagrad { initial_accumulator: 0.5, epsilon: 0.1 },
        Optimizer::adam(),
        Optimizer::Adam { betas: [0.8, 0.95], epsilon: 0.1 },
        Optimizer::AdamW { betas: [0.9, 0.999], epsilon: 1e-8, weight_decay: 0.5 },
    ]
}

/// Numbers of either sign whose magnitudes are between ½ and 2, so that no quotient of theirs is large.
pub(crate) fn gradient(shape: (usize, usize), seed: u64) -> Array2<f32> {
    let mut rng = random::rng(seed);
    Array2::from_shape_simple_fn(shape, || {
        let magnitude = rng.random_range(0.5_f32..2.0);
        if rng.random_bool(0.5) { magnitude } else { -magnitude }
    })
}

/// Some ids of a vocabulary, ascending, each once: about one in `one_in`.
pub(crate) fn some_ids(vocab_size: usize, one_in: u32, seed: u64) -> Vec<TokenId> {
    let mut rng = random::rng(seed);
    (0..vocab_size as TokenId).filter(|_| rng.random_ratio(1, one_in)).collect()
}

pub(crate) fn row_gradient(ids: Option<Vec<TokenId>>, (rows, width): (usize, usize), seed: u64) -> RowGradient {
    match ids {
        Some(ids) => {
            let values = gradient((ids.len(), width), seed);
            RowGradient::of_rows(ids, values).expect("ascending ids")
        }
        None => RowGradient::of_all_rows(gradient((rows, width), seed)),
    }
}

fn vector(len: usize, seed: u64) -> Array1<f32> {
    gradient((1, len), seed).remove_axis(Axis(0))
}

/// Gradients of all parts, of U at these ids.
pub(crate) fn factor_gradients(shape: Shape, ids: Option<Vec<TokenId>>, seed: u64) -> FactorGradients {
    let Shape { vocab_size, rank, dim } = shape;
    let mut gradients = FactorGradients::default();
    gradients.u = Some(row_gradient(ids, (vocab_size, rank), 4 * seed));
    gradients.diagonal = Some(vector(rank, 4 * seed + 1));
    gradients.v = Some(gradient((rank, dim), 4 * seed + 2));
    gradients.bias = Some(vector(dim, 4 * seed + 3));
    gradients
}

/// A layer with all four parts.
pub(crate) fn layer(shape: Shape, seed: u64) -> FactorizedEmbedding {
    FactorizedEmbedding::new(FactorParts::normal(shape, seed).factors())
}
