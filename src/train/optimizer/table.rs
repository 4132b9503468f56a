//! Steps of a dense layer.

use std::fmt;

use super::{
    Optimizer, OptimizerState,
    part::{Change, Part},
};
use crate::{DenseEmbedding, Result, train::RowGradient};

static TABLE: Part = Part {
    name: "table",
    parameters: "table [vocab_size, dim]",
    gradient: "gradient of table [k, dim]",
    state: "optimizer state of table",
    updated: "updated table",
    num_dimensions: Some(2),
    decays: true,
};

/// Trains the table of a [`DenseEmbedding`]: what [`FactorOptimizer`](super::FactorOptimizer) is compared with.
///
/// Rows without a gradient cost nothing and stay what they are: see [`Optimizer`].
///
/// # Examples
///
/// ```
/// use factorized_embedding::{
///     DenseEmbedding,
///     train::{Optimizer, RowGradient, TableOptimizer},
/// };
/// use ndarray::array;
///
/// # fn main() -> factorized_embedding::Result<()> {
/// let mut embedding = DenseEmbedding::new(array![[1.0, 2.0], [3.0, 4.0]])?;
/// let gradient = RowGradient::of_rows(vec![1], array![[2.0, -2.0]])?;
/// TableOptimizer::new(Optimizer::sgd())?.step(&mut embedding, &gradient, 0.5)?;
/// assert_eq!(embedding.to_array(), array![[1.0, 2.0], [2.0, 5.0]]);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, PartialEq)]
pub struct TableOptimizer {
    state: OptimizerState,
}

impl TableOptimizer {
    /// # Errors
    /// [`InvalidSetting`](crate::Error::InvalidSetting).
    pub fn new(rule: Optimizer) -> Result<Self> {
        Ok(Self { state: OptimizerState::new(rule)? })
    }

    /// An optimizer that goes on from what another of its kind remembers.
    ///
    /// # Errors
    /// [`InvalidOptimizerState`](crate::Error::InvalidOptimizerState) for what is remembered of other arrays, or of
    /// arrays of other numbers of dimensions.
    pub fn from_state(state: OptimizerState) -> Result<Self> {
        Ok(Self { state: state.of_parts(&[&TABLE])? })
    }

    /// What it remembers, to be saved.
    #[must_use]
    pub fn state(&self) -> &OptimizerState {
        &self.state
    }

    /// Makes room for new tokens, whose ids come after all others: to be called when the layer has got
    /// more rows. What is remembered of the new rows is that of rows that no step has touched.
    ///
    /// # Errors
    /// [`ShapeMismatch`](crate::Error::ShapeMismatch) for fewer rows than are remembered,
    /// [`TableTooLarge`](crate::Error::TableTooLarge). Nothing is changed then.
    pub fn grow_vocabulary(&mut self, vocab_size: usize) -> Result<()> {
        self.state.grow_rows(&TABLE, vocab_size)
    }

    /// Changes the rows of the table that have a gradient.
    ///
    /// # Shapes
    /// `gradient` \[k, dim\]
    ///
    /// # Errors
    /// [`NotTrainable`](crate::Error::NotTrainable) for a table that is not `f32` in memory of its own, and the others of
    /// [`FactorOptimizer::step`](super::FactorOptimizer::step). Nothing is changed then.
    pub fn step(&mut self, layer: &mut DenseEmbedding<'_>, gradient: &RowGradient, learning_rate: f64) -> Result<()> {
        layer.update(|table| self.state.step(learning_rate, vec![Change::of_rows(&TABLE, table, gradient)?]))
    }
}

impl fmt::Debug for TableOptimizer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TableOptimizer({:?})", self.state)
    }
}
