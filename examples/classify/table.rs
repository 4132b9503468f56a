//! A table of word vectors that can be trained, whole or in factors.

use std::fmt;

use factorized_embedding::{
    Bags, DenseEmbedding, Embedding, FactorizedEmbedding, Shape,
    train::{Backward, Gradients, Optimizer, OptimizerState, TrainableEmbedding},
};
use ndarray::{Array2, ArrayView2};
use rand::Rng;
use rand_distr::{Distribution, Normal};

use crate::support::Result;

/// The length of a word vector.
pub(crate) const DIM: usize = 128;
/// Of the numbers of the table before training, whole or in factors.
const STD: f32 = 0.1;

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Kind {
    Dense,
    /// Of this rank.
    Factorized(usize),
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dense => f.pad("dense"),
            Self::Factorized(rank) => f.pad(&format!("factorized, rank {rank}")),
        }
    }
}

impl Kind {
    /// A table of random numbers.
    pub(crate) fn table(self, vocab_size: usize, rng: &mut impl Rng) -> Result<Box<dyn Table>> {
        Ok(match self {
            Self::Dense => {
                let entries = Normal::new(0.0, STD)?;
                let table = Array2::from_shape_simple_fn((vocab_size, DIM), || entries.sample(rng));
                Box::new(Trained::new(DenseEmbedding::new(table)?)?)
            }
            Self::Factorized(rank) => {
                let shape = Shape { vocab_size, rank, dim: DIM };
                Box::new(Trained::new(FactorizedEmbedding::random(shape, STD, rng)?)?)
            }
        })
    }
}

/// A layer with its optimizer.
pub(crate) trait Table: fmt::Debug {
    fn layer(&self) -> &dyn Embedding;

    /// Learns from the gradient of the vectors of bags \[b, dim\]; returns the bytes that the gradients took.
    fn step(&mut self, bags: &Bags<'_>, grad_out: ArrayView2<'_, f32>, learning_rate: f64) -> Result<usize>;

    /// What the optimizer remembers.
    fn state(&self) -> &OptimizerState;
}

#[derive(Debug)]
struct Trained<L: TrainableEmbedding> {
    layer: L,
    optimizer: L::Optimizer,
}

impl<L: TrainableEmbedding> Trained<L> {
    fn new(layer: L) -> Result<Self> {
        Ok(Self { layer, optimizer: L::optimizer(Optimizer::adam())? })
    }
}

impl<L: TrainableEmbedding> Table for Trained<L> {
    fn layer(&self) -> &dyn Embedding {
        &self.layer
    }

    fn step(&mut self, bags: &Bags<'_>, grad_out: ArrayView2<'_, f32>, learning_rate: f64) -> Result<usize> {
        let gradients = Backward::new(&self.layer).bag(bags, grad_out)?;
        self.layer.step(&mut self.optimizer, &gradients, learning_rate)?;
        Ok(gradients.size_in_bytes())
    }

    fn state(&self) -> &OptimizerState {
        L::state(&self.optimizer)
    }
}
