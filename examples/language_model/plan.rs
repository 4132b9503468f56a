//! How large, how long, how fast.

use factorized_embedding::train::{PartRates, Schedule};

use crate::{arguments::Arguments, batches, support::Result, text::Text};

pub(crate) const DIM: usize = 256;
pub(crate) const NUM_BLOCKS: usize = 1;
pub(crate) const NUM_HEADS: usize = 4;
/// Tokens that a prediction sees at most.
pub(crate) const CONTEXT: usize = 64;
/// Of all variables that are not one or zero, before training.
pub(crate) const STD: f64 = 0.02;
pub(crate) const WEIGHT_DECAY: f64 = 0.05;
pub(crate) const MAX_NORM: f64 = 1.0;
/// Of factors, beside that of the rest: V belongs to all tokens, and moves all vectors at once.
pub(crate) const FACTOR_RATES: PartRates = PartRates { u: 3.0, diagonal: 1.0, v: 0.1, bias: 1.0 };

#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) seeds: Vec<u64>,
    pub(crate) epochs: usize,
    /// In each epoch, at most.
    max_steps: usize,
    pub(crate) dropout: f32,
    learning_rate: f64,
}

impl Plan {
    pub(crate) fn new(arguments: &Arguments) -> Self {
        let plan = if arguments.long { Self::long() } else { Self::short() };
        let seeds = arguments.seeds.map_or(plan.seeds, |seeds| (1..=seeds).collect());
        Self { seeds, ..plan }
    }

    /// A look at all models in a few minutes.
    fn short() -> Self {
        Self { seeds: vec![1], epochs: 1, max_steps: 200, dropout: 0.0, learning_rate: 1.5e-3 }
    }

    /// Until the dense model has learnt what it can.
    fn long() -> Self {
        Self { seeds: vec![1, 2, 3], epochs: 2, max_steps: usize::MAX, dropout: 0.1, learning_rate: 1.5e-3 }
    }

    pub(crate) fn steps_per_epoch(&self, text: &Text) -> usize {
        batches::count(&text.training).min(self.max_steps)
    }

    pub(crate) fn steps(&self, text: &Text) -> usize {
        self.epochs * self.steps_per_epoch(text)
    }

    /// A warm-up of a twentieth, then half a cosine.
    pub(crate) fn schedule(&self, steps: usize) -> Result<Schedule> {
        Ok(decay(self.learning_rate, steps)?)
    }

    /// The same for fine-tuning, at a third of the learning rate: what was learnt is to stay.
    pub(crate) fn fine_tuning(&self, steps: usize) -> Result<Schedule> {
        Ok(decay(self.learning_rate / 3.0, steps)?)
    }
}

fn decay(learning_rate: f64, steps: usize) -> factorized_embedding::Result<Schedule> {
    let steps = steps as u64;
    Schedule::constant(learning_rate)?.with_warm_up(steps / 20).with_cosine_decay(steps, learning_rate / 100.0)
}
