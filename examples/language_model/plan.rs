//! How large, how long, how fast.

use factorized_embedding::train::{PartRates, Schedule};

use crate::{arguments::Arguments, batches, recovery, support::Result, text::Text, training};

pub(crate) const DIM: usize = 512;
pub(crate) const NUM_BLOCKS: usize = 1;
pub(crate) const NUM_HEADS: usize = 8;
/// Hidden numbers of a block's feed-forward layer: twice as many as a token has, so that a long run takes hours, not a day.
pub(crate) const FEED_FORWARD_DIM: usize = 2 * DIM;
/// Tokens that a prediction sees at most.
pub(crate) const CONTEXT: usize = 64;
/// Of all variables that are not one or zero, before training.
pub(crate) const STD: f64 = 0.02;
pub(crate) const WEIGHT_DECAY: f64 = 0.05;
pub(crate) const MAX_NORM: f64 = 1.0;

/// Learning rate of a table, dense or U, where the schedule is highest: its rows begin small, and have far to go.
pub(crate) const TABLE_RATE: f64 = 1e-2;
/// The same of all else.
pub(crate) const TRANSFORMER_RATE: f64 = 3.5e-4;
/// Beside that of U: V belongs to all tokens, and moves all vectors at once.
pub(crate) const FACTOR_RATES: PartRates = PartRates { u: 1.0, diagonal: 1.0, v: 0.03, bias: 1.0 };
/// What fine-tuning multiplies learning rates with: what was learnt is to stay.
pub(crate) const FINE_TUNING: f64 = 0.01;

#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) seeds: Vec<u64>,
    pub(crate) epochs: usize,
    /// In each epoch, at most.
    max_steps: usize,
}

impl Plan {
    pub(crate) fn new(arguments: &Arguments) -> Self {
        let plan = if arguments.long { Self::long() } else { Self::short() };
        let seeds = arguments.seeds.map_or(plan.seeds, |seeds| (1..=seeds).collect());
        Self { seeds, ..plan }
    }

    /// A look at all models in a few minutes.
    fn short() -> Self {
        Self { seeds: vec![1], epochs: 1, max_steps: 100 }
    }

    /// Until all models predict better than a trigram, and the dense one begins to know its text by heart.
    fn long() -> Self {
        Self { seeds: vec![1, 2, 3], epochs: 3, max_steps: usize::MAX }
    }

    /// The sizes and rates of a training, in short; its speed depends on the lanes, too.
    pub(crate) fn setup(&self, text: &Text) -> String {
        let tokens = format!("{} + {} tokens", text.training.len(), text.validation.len());
        let sizes = [NUM_BLOCKS, NUM_HEADS, DIM, FEED_FORWARD_DIM, CONTEXT, recovery::RANK];
        let steps = self.steps_per_epoch(text);
        let rates = [TABLE_RATE, TRANSFORMER_RATE, FACTOR_RATES.v, FINE_TUNING, WEIGHT_DECAY, STD, MAX_NORM];
        let lanes = training::num_lanes();
        format!("{tokens}, sizes {sizes:?}, {} × {steps} steps, rates {rates:?}, {lanes} lanes", self.epochs)
    }

    pub(crate) fn steps_per_epoch(&self, text: &Text) -> usize {
        batches::count(&text.training).min(self.max_steps)
    }

    pub(crate) fn steps(&self, text: &Text) -> usize {
        self.epochs * self.steps_per_epoch(text)
    }
}

/// What learning rates are multiplied with: a warm-up of a twentieth of the steps, then half a cosine.
pub(crate) fn schedule(steps: usize) -> Result<Schedule> {
    let steps = steps as u64;
    Ok(Schedule::constant(1.0)?.with_warm_up(steps / 20).with_cosine_decay(steps, 0.01)?)
}
