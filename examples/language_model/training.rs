//! Models in training, on the same batches.

use std::{
    cmp::Reverse,
    io::{self, Write},
    num::NonZero,
    thread::{self, ScopedJoinHandle},
    time::Instant,
};

use indicatif::ProgressBar;
use serde::{Deserialize, Serialize};

use crate::{
    batches::{self, Batch},
    learner::Learn,
    plan::{self, Plan},
    random::{Purpose, rng},
    support::Result,
    tables::Kind,
    text::Text,
};

/// A model that is compared with others.
#[derive(Debug)]
pub(crate) struct Model {
    pub(crate) kind: Kind,
    pub(crate) seed: u64,
    pub(crate) learner: Box<dyn Learn>,
    pub(crate) course: Course,
}

/// How a training went.
#[derive(Debug, Default, Deserialize, Serialize)]
pub(crate) struct Course {
    /// Of each step.
    pub(crate) losses: Vec<f64>,
    /// Of each step.
    seconds: Vec<f64>,
    tokens_per_step: usize,
    /// Of the validation chapters, after each epoch.
    pub(crate) perplexities: Vec<f64>,
}

impl Course {
    /// By the median of all steps.
    pub(crate) fn tokens_per_second(&self) -> f64 {
        let mut seconds = self.seconds.clone();
        seconds.sort_by(f64::total_cmp);
        self.tokens_per_step as f64 / seconds[seconds.len() / 2]
    }

    pub(crate) fn is_whole(&self, epochs: usize, steps: usize) -> bool {
        let positive = |numbers: &[f64]| numbers.iter().all(|number| number.is_finite() && *number > 0.0);
        [self.perplexities.len(), self.losses.len(), self.seconds.len()] == [epochs, steps, steps]
            && [&self.perplexities, &self.losses, &self.seconds].into_iter().all(|numbers| positive(numbers))
    }

    pub(crate) fn last_perplexity(&self) -> f64 {
        self.perplexities.last().copied().unwrap_or(f64::NAN)
    }
}

/// Trains models of one seed, in as many lanes as [`num_lanes`] says; the bar counts the steps of all models.
pub(crate) fn train(models: &mut [Model], text: &Text, plan: &Plan, bar: &ProgressBar) -> Result<()> {
    thread::scope(|scope| {
        let run = |lane| scope.spawn(move || train_in_turns(lane, text, plan, bar).map_err(|error| error.to_string()));
        let threads: Vec<ScopedJoinHandle<'_, _>> = lanes(models).into_iter().map(run).collect();
        threads.into_iter().try_for_each(|thread| thread.join().map_err(|_| "a thread has failed")?)
    })?;
    Ok(())
}

/// Models that take turns, a step each, so that whatever else the machine does meets all of them alike.
type Lane<'a> = Vec<&'a mut Model>;

/// The largest models first, each into the lane that has the least to do.
fn lanes(models: &mut [Model]) -> Vec<Lane<'_>> {
    let mut lanes: Vec<(usize, Lane<'_>)> = (0..num_lanes()).map(|_| (0, Lane::new())).collect();
    let mut models: Vec<_> = models.iter_mut().map(|model| (model.learner.num_parameters(), model)).collect();
    models.sort_by_key(|(size, _)| Reverse(*size));
    for (size, model) in models {
        if let Some((sum, lane)) = lanes.iter_mut().min_by_key(|(sum, _)| *sum) {
            *sum += size;
            lane.push(model);
        }
    }
    lanes.into_iter().map(|(_, lane)| lane).collect()
}

/// Where each model computes on one thread (`RAYON_NUM_THREADS=1`), as many models of a seed train side by side as there are
/// processors: small models gain less by a second thread.
pub(crate) fn num_lanes() -> usize {
    let processors = || thread::available_parallelism().map_or(1, NonZero::get);
    if rayon::current_num_threads() == 1 { processors().min(Kind::ALL.len()) } else { 1 }
}

/// All of them see the same batches.
fn train_in_turns(mut lane: Lane<'_>, text: &Text, plan: &Plan, bar: &ProgressBar) -> Result<()> {
    let Some(seed) = lane.first().map(|model| model.seed) else { return Ok(()) };
    let mut rng = rng(seed, Purpose::Batches);
    let schedule = plan::schedule(plan.steps(text))?;
    let mut step = 0;
    for epoch in 1..=plan.epochs {
        for batch in batches::shuffled(&text.training, &mut rng).take(plan.steps_per_epoch(text)) {
            let batch = batch?;
            for model in &mut lane {
                model.step(&batch, schedule.learning_rate(step))?;
                bar.inc(1);
            }
            step += 1;
        }
        for model in &mut lane {
            let perplexity = model.learner.perplexity(&text.validation)?;
            model.course.perplexities.push(perplexity);
            let kind = model.kind;
            bar.suspend(|| writeln!(io::stderr(), "Seed {seed}, {kind}, epoch {epoch}: perplexity {perplexity:.2}."))?;
        }
    }
    Ok(())
}

impl Model {
    fn step(&mut self, batch: &Batch, factor: f64) -> Result<()> {
        let start = Instant::now();
        self.course.losses.push(self.learner.step(batch, factor)?);
        self.course.seconds.push(start.elapsed().as_secs_f64());
        self.course.tokens_per_step = batch.num_targets;
        Ok(())
    }
}
