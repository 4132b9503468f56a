//! Epochs of steps.

use std::time::{Duration, Instant};

use factorized_embedding::train::Schedule;
use rand::{SeedableRng, rngs::ChaCha8Rng};

use crate::{
    classifier::Classifier,
    model::Model,
    sentences::{Labelled, Sentences},
    support::Result,
    table::Kind,
};

const SEED: u64 = 1;
/// Sentences a step.
const BATCH: usize = 64;
const EPOCHS: usize = 3;
const LEARNING_RATE: f64 = 3e-3;

/// How long and how fast.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    pub(crate) epochs: usize,
    schedule: Schedule,
}

impl Plan {
    /// Every sentence in every epoch, at a learning rate that falls to zero.
    pub(crate) fn new(training: &Labelled) -> Result<Self> {
        let steps = training.len().div_ceil(BATCH);
        let schedule = Schedule::constant(LEARNING_RATE)?.with_linear_decay((EPOCHS * steps) as u64, 0.0)?;
        Ok(Self { epochs: EPOCHS, schedule })
    }
}

/// What came of a training.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) kind: Kind,
    pub(crate) model: Model,
    /// Bytes of parameters and of what the optimizers remember, and those that gradients took at most.
    pub(crate) bytes: usize,
    pub(crate) words_per_second: f64,
    /// Validation accuracies after each epoch.
    pub(crate) accuracies: Vec<f64>,
}

/// Trains a table of this kind from random numbers, on sentences in the same order for every kind.
pub(crate) fn run(kind: Kind, sentences: &Sentences, plan: Plan, mut after_epoch: impl FnMut()) -> Result<Run> {
    let mut rng = ChaCha8Rng::seed_from_u64(SEED);
    let table = kind.table(sentences.vocabulary.len(), &mut rng)?;
    let mut model = Model { table, classifier: Classifier::new()? };

    let mut rng = ChaCha8Rng::seed_from_u64(SEED);
    let (mut step, mut words, mut time, mut gradient_bytes) = (0, 0, Duration::ZERO, 0);
    let mut accuracies = Vec::new();
    for _ in 0..plan.epochs {
        for batch in sentences.training.shuffled(BATCH, &mut rng) {
            let start = Instant::now();
            let bytes = model.step(&batch, plan.schedule.learning_rate(step))?;
            time += start.elapsed();
            step += 1;
            words += batch.ids.len();
            gradient_bytes = gradient_bytes.max(bytes);
        }
        accuracies.push(model.accuracy(&sentences.validation)?);
        after_epoch();
    }
    let bytes = model.size_in_bytes() + gradient_bytes;
    Ok(Run { kind, model, bytes, words_per_second: words as f64 / time.as_secs_f64(), accuracies })
}
