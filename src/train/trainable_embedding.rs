//! What the layers that can be trained have in common.

use std::fmt;

use super::{
    FactorGradients, FactorOptimizer, Gradients, Optimizer, OptimizerState, RowGradient, TableOptimizer,
    backward::Differentiate,
};
use crate::{DenseEmbedding, Embedding, FactorizedEmbedding, Result};

/// A layer that can be trained, [`FactorizedEmbedding`] or [`DenseEmbedding`]: for code that trains either, to compare them.
///
/// [`Backward`](super::Backward) gives the gradients of every such layer. Code that knows its layer has its optimizer's methods.
///
/// # Examples
///
/// ```
/// use factorized_embedding::{
///     DenseEmbedding, FactorizedEmbedding, Factors,
///     train::{Backward, Optimizer, TrainableEmbedding},
/// };
/// use ndarray::{Array2, array};
///
/// fn pull_to_zero<L: TrainableEmbedding>(layer: &mut L, ids: &[u32]) -> factorized_embedding::Result<Array2<f32>> {
///     let mut optimizer = L::optimizer(Optimizer::sgd())?;
///     for _ in 0..100 {
///         let vectors = layer.lookup(ids)?; // ∂L/∂out of L = ‖out‖² / 2
///         let gradients = Backward::new(layer).lookup(ids, vectors.view())?;
///         layer.step(&mut optimizer, &gradients, 0.1)?;
///     }
///     layer.lookup(ids)
/// }
///
/// # fn main() -> factorized_embedding::Result<()> {
/// let mut dense = DenseEmbedding::new(array![[1.0, 2.0], [3.0, 4.0]])?;
/// let mut factorized = FactorizedEmbedding::new(Factors::new(array![[1.0], [2.0]], array![[0.5, 1.0]])?);
/// assert!(pull_to_zero(&mut dense, &[1])?.iter().all(|number| number.abs() < 1e-3));
/// assert!(pull_to_zero(&mut factorized, &[1])?.iter().all(|number| number.abs() < 1e-3));
/// # Ok(())
/// # }
/// ```
pub trait TrainableEmbedding: Embedding + Differentiate<<Self as TrainableEmbedding>::Gradients> {
    /// [`FactorGradients`] or [`RowGradient`].
    type Gradients: Gradients + Clone + fmt::Debug + Send + Sync + 'static;

    /// [`FactorOptimizer`] or [`TableOptimizer`].
    type Optimizer: Clone + fmt::Debug + Send + Sync + 'static;

    /// A new optimizer of this rule.
    ///
    /// # Errors
    /// [`InvalidSetting`](crate::Error::InvalidSetting).
    fn optimizer(rule: Optimizer) -> Result<Self::Optimizer>;

    /// What an optimizer remembers.
    fn state(optimizer: &Self::Optimizer) -> &OptimizerState;

    /// A step of the optimizer.
    ///
    /// # Errors
    /// Those of [`FactorOptimizer::step`] and [`TableOptimizer::step`].
    fn step(&mut self, optimizer: &mut Self::Optimizer, gradients: &Self::Gradients, learning_rate: f64) -> Result<()>;
}

impl TrainableEmbedding for FactorizedEmbedding {
    type Gradients = FactorGradients;
    type Optimizer = FactorOptimizer;

    fn optimizer(rule: Optimizer) -> Result<FactorOptimizer> {
        FactorOptimizer::new(rule)
    }

    fn state(optimizer: &FactorOptimizer) -> &OptimizerState {
        optimizer.state()
    }

    fn step(&mut self, optimizer: &mut FactorOptimizer, gradients: &FactorGradients, learning_rate: f64) -> Result<()> {
        optimizer.step(self, gradients, learning_rate)
    }
}

impl TrainableEmbedding for DenseEmbedding<'_> {
    type Gradients = RowGradient;
    type Optimizer = TableOptimizer;

    fn optimizer(rule: Optimizer) -> Result<TableOptimizer> {
        TableOptimizer::new(rule)
    }

    fn state(optimizer: &TableOptimizer) -> &OptimizerState {
        optimizer.state()
    }

    fn step(&mut self, optimizer: &mut TableOptimizer, gradients: &RowGradient, learning_rate: f64) -> Result<()> {
        optimizer.step(self, gradients, learning_rate)
    }
}
