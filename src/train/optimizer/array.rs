//! Steps of any array.

use std::fmt;

use ndarray::{ArrayRef, Dimension};

use super::{
    Optimizer, OptimizerState,
    part::{Change, Part},
};
use crate::Result;

static ARRAY: Part = Part {
    name: "array",
    parameters: "array",
    gradient: "gradient of array",
    state: "optimizer state of array",
    updated: "updated array",
    num_dimensions: None,
    decays: true,
};

/// Trains one array of the caller's by the same rules: the weights of a classifier behind an embedding, say.
///
/// # Examples
///
/// ```
/// use factorized_embedding::train::{ArrayOptimizer, Optimizer};
/// use ndarray::array;
///
/// # fn main() -> factorized_embedding::Result<()> {
/// let mut weight = array![[1.0, 2.0], [3.0, 4.0]];
/// let mut optimizer = ArrayOptimizer::new(Optimizer::sgd())?;
/// optimizer.step(&mut weight, &array![[0.0, 2.0], [-2.0, 0.0]], 0.5)?;
/// assert_eq!(weight, array![[1.0, 1.0], [4.0, 4.0]]);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, PartialEq)]
pub struct ArrayOptimizer {
    state: OptimizerState,
}

impl ArrayOptimizer {
    /// # Errors
    /// [`InvalidSetting`](crate::Error::InvalidSetting).
    pub fn new(rule: Optimizer) -> Result<Self> {
        Ok(Self { state: OptimizerState::new(rule)? })
    }

    /// An optimizer that goes on from what another of its kind remembers.
    ///
    /// # Errors
    /// [`InvalidOptimizerState`](crate::Error::InvalidOptimizerState) for what is remembered of other arrays.
    pub fn from_state(state: OptimizerState) -> Result<Self> {
        Ok(Self { state: state.of_parts(&[&ARRAY])? })
    }

    /// What it remembers, to be saved.
    #[must_use]
    pub fn state(&self) -> &OptimizerState {
        &self.state
    }

    /// Changes the array, which has the same shape in every step.
    ///
    /// # Shapes
    /// `gradient` as `array`. For [row-wise Adagrad](Optimizer::RowwiseAdagrad), rows are those of the first dimension.
    ///
    /// # Errors
    /// [`ShapeMismatch`](crate::Error::ShapeMismatch), [`InvalidSetting`](crate::Error::InvalidSetting) for a learning rate that
    /// is negative or not finite, [`NonFinite`](crate::Error::NonFinite), [`Overflow`](crate::Error::Overflow). Nothing is
    /// changed then.
    pub fn step<D: Dimension>(
        &mut self,
        array: &mut ArrayRef<f32, D>,
        gradient: &ArrayRef<f32, D>,
        learning_rate: f64,
    ) -> Result<()> {
        let gradient = gradient.view();
        if array.is_standard_layout() {
            return self.state.step(learning_rate, vec![Change::of_array(&ARRAY, array.view_mut(), gradient)?]);
        }
        let mut row_major = array.as_standard_layout().into_owned();
        self.state.step(learning_rate, vec![Change::of_array(&ARRAY, row_major.view_mut(), gradient)?])?;
        array.assign(&row_major);
        Ok(())
    }
}

impl fmt::Debug for ArrayOptimizer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ArrayOptimizer({:?})", self.state)
    }
}
