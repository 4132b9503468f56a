//! Steps of a factorized layer.

use std::fmt;

use super::{
    Optimizer, OptimizerState, PartRates,
    part::{Change, Part},
};
use crate::{Error, FactorizedEmbedding, Result, train::FactorGradients};

pub(super) static U: Part = Part {
    name: "u",
    parameters: "u [vocab_size, rank]",
    gradient: "gradient of u [k, rank]",
    state: "optimizer state of u",
    updated: "updated u",
    num_dimensions: Some(2),
    decays: true,
};
pub(super) static DIAGONAL: Part = Part {
    name: "diagonal",
    parameters: "diagonal [rank]",
    gradient: "gradient of diagonal [rank]",
    state: "optimizer state of diagonal",
    updated: "updated diagonal",
    num_dimensions: Some(1),
    decays: false,
};
pub(super) static V: Part = Part {
    name: "v",
    parameters: "v [rank, dim]",
    gradient: "gradient of v [rank, dim]",
    state: "optimizer state of v",
    updated: "updated v",
    num_dimensions: Some(2),
    decays: true,
};
static BIAS: Part = Part {
    name: "bias",
    parameters: "bias [dim]",
    gradient: "gradient of bias [dim]",
    state: "optimizer state of bias",
    updated: "updated bias",
    num_dimensions: Some(1),
    decays: false,
};

/// Trains the factors of a [`FactorizedEmbedding`]: a rule, and what it remembers of each of them.
///
/// Rows of U that have no gradient cost nothing and stay what they are: see [`Optimizer`]. D, V and b, which every row takes
/// part in, are trained as wholes. What is remembered of a part, as many numbers as it has or twice as many, is allocated in the
/// first step that has a gradient of it. Systems that hand out pages when they are written to (of 2 MiB, where Linux offers
/// them) keep none for rows far from all that were ever touched, as long as a state begins with zeros, is not loaded, and neither the
/// vocabulary nor the rank grows.
///
/// # Examples
///
/// One step towards a target for a token, with gradients as they stand in a textbook:
///
/// ```
/// use factorized_embedding::{
///     Embedding, FactorizedEmbedding, Factors,
///     train::{FactorGradients, FactorOptimizer, Optimizer, RowGradient},
/// };
/// use ndarray::array;
///
/// # fn main() -> factorized_embedding::Result<()> {
/// let mut embedding = FactorizedEmbedding::new(Factors::new(array![[1.0], [2.0]], array![[3.0, 4.0]])?);
/// let mut optimizer = FactorOptimizer::new(Optimizer::adam())?;
///
/// let error = embedding.lookup(&[1])? - array![[5.0, 8.0]]; // ∂L/∂out of L = ‖out − target‖² / 2
/// let mut gradients = FactorGradients::default();
/// gradients.u = Some(RowGradient::of_rows(vec![1], error.dot(&embedding.factors().v().t()))?);
/// optimizer.step(&mut embedding, &gradients, 0.01)?;
///
/// let closer = embedding.lookup(&[1])? - array![[5.0, 8.0]];
/// assert!(closer[[0, 0]].abs() < error[[0, 0]].abs());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, PartialEq)]
pub struct FactorOptimizer {
    state: OptimizerState,
    rates: PartRates,
}

impl FactorOptimizer {
    /// # Errors
    /// [`InvalidSetting`](Error::InvalidSetting).
    pub fn new(rule: Optimizer) -> Result<Self> {
        Ok(Self { state: OptimizerState::new(rule)?, rates: PartRates::default() })
    }

    /// An optimizer that goes on from what another of its kind remembers.
    ///
    /// # Errors
    /// [`InvalidOptimizerState`](Error::InvalidOptimizerState) for what is remembered of other arrays, or of
    /// arrays of other numbers of dimensions.
    pub fn from_state(state: OptimizerState) -> Result<Self> {
        let state = state.of_parts(&[&U, &DIAGONAL, &V, &BIAS])?;
        Ok(Self { state, rates: PartRates::default() })
    }

    /// The same with a learning rate of its own for each part. Like the learning rate itself, it is not a part of what is
    /// [remembered](Self::state): who goes on from a saved state gives it again.
    ///
    /// # Errors
    /// [`InvalidSetting`](Error::InvalidSetting) for a factor that is negative or not finite.
    pub fn with_part_rates(self, rates: PartRates) -> Result<Self> {
        Ok(Self { rates: rates.check()?, ..self })
    }

    /// What the learning rate is multiplied with for each part.
    #[must_use]
    pub fn part_rates(&self) -> PartRates {
        self.rates
    }

    /// What it remembers, to be saved.
    #[must_use]
    pub fn state(&self) -> &OptimizerState {
        &self.state
    }

    #[cfg(feature = "decompose")]
    pub(super) fn state_mut(&mut self) -> &mut OptimizerState {
        &mut self.state
    }

    /// Makes room for new tokens, whose ids come after all others: to be called when the layer has got
    /// [more rows](FactorizedEmbedding::append_rows). What is remembered of the new rows is that of rows that no step has touched.
    ///
    /// # Errors
    /// [`ShapeMismatch`](crate::Error::ShapeMismatch) for fewer rows than are remembered,
    /// [`TableTooLarge`](crate::Error::TableTooLarge). Nothing is changed then.
    pub fn grow_vocabulary(&mut self, vocab_size: usize) -> Result<()> {
        self.state.grow_rows(&U, vocab_size)
    }

    /// Changes the parts of the layer that have a gradient.
    ///
    /// The layer packs diag(D) · V anew, once, if a gradient of D, V or b is given, and drops its
    /// [hot rows](FactorizedEmbedding::with_hot_rows) and norms. Everything else takes time and memory for the rows that have a
    /// gradient, whatever the vocabulary. Only the first steps take longer for a larger one: pages for what is remembered are
    /// handed out then.
    ///
    /// # Shapes
    /// Gradients of U \[k, rank\], D \[rank\], V \[rank, dim\], b \[dim\].
    ///
    /// # Errors
    /// [`NotTrainable`](Error::NotTrainable) for a gradient of a U that is narrow (the other parts can be trained while it is
    /// frozen), [`ShapeMismatch`](Error::ShapeMismatch) also for a gradient of a part that the layer does not have, and for what is
    /// remembered of another layer,
    /// [`IdOutOfRange`](Error::IdOutOfRange), [`InvalidSetting`](Error::InvalidSetting) for a learning rate that is negative or
    /// not finite, [`NonFinite`](Error::NonFinite), [`Overflow`](Error::Overflow) for a step that leaves the range of `f32`.
    /// Nothing is changed then, neither of the layer nor of what is remembered.
    pub fn step(
        &mut self,
        layer: &mut FactorizedEmbedding,
        gradients: &FactorGradients,
        learning_rate: f64,
    ) -> Result<()> {
        let Self { state, rates } = self;
        let FactorGradients { u, diagonal, v, bias } = gradients;
        if let (None, None, None) = (diagonal, v, bias) {
            return match u {
                Some(u) => layer.update_rows(|rows| {
                    state.step(learning_rate, vec![Change::of_rows(&U, rows, u)?.at_rate(rates.u)])
                }),
                None => state.step(learning_rate, Vec::new()),
            };
        }
        layer.update(|factors| {
            let mut changes = Vec::new();
            if let Some(gradient) = u {
                changes.push(Change::of_rows(&U, factors.u?, gradient)?.at_rate(rates.u));
            }
            if let Some(gradient) = diagonal {
                let parameters =
                    factors.diagonal.ok_or_else(|| no_such_part("gradient of a diagonal [0]", gradient.shape()))?;
                changes.push(Change::of_array(&DIAGONAL, parameters, gradient.view())?.at_rate(rates.diagonal));
            }
            if let Some(gradient) = v {
                changes.push(Change::of_array(&V, factors.v, gradient.view())?.at_rate(rates.v));
            }
            if let Some(gradient) = bias {
                let parameters =
                    factors.bias.ok_or_else(|| no_such_part("gradient of a bias [0]", gradient.shape()))?;
                changes.push(Change::of_array(&BIAS, parameters, gradient.view())?.at_rate(rates.bias));
            }
            state.step(learning_rate, changes)
        })
    }
}

fn no_such_part(what: &'static str, actual: &[usize]) -> Error {
    Error::ShapeMismatch { what, expected: vec![0], actual: actual.to_vec() }
}

impl fmt::Debug for FactorOptimizer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FactorOptimizer({:?})", self.state)
    }
}
