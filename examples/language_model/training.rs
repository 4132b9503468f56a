//! Models in training, on the same batches.

use std::{
    num::NonZero,
    thread::{self, ScopedJoinHandle},
    time::Instant,
};

use indicatif::ProgressBar;

use crate::{
    batches,
    learner::Learn,
    plan::Plan,
    random::{Purpose, rng},
    support::Result,
    tables::Kind,
    text::Text,
};

/// How a training went.
#[derive(Debug, Default)]
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

    pub(crate) fn last_perplexity(&self) -> f64 {
        self.perplexities.last().copied().unwrap_or(f64::NAN)
    }
}

/// Models that take turns, a step each, so that whatever else the machine does meets all of them alike.
type Lane<'a> = Vec<(&'a mut Box<dyn Learn>, &'a mut Course)>;

/// In as many lanes as [`num_lanes`] says; the bar counts the steps of the first one.
pub(crate) fn train(
    learners: &mut [Box<dyn Learn>],
    text: &Text,
    plan: &Plan,
    seed: u64,
    bar: &ProgressBar,
) -> Result<Vec<Course>> {
    let mut courses: Vec<Course> = learners.iter().map(|_| Course::default()).collect();
    let mut lanes: Vec<Lane<'_>> = (0..num_lanes()).map(|_| Lane::new()).collect();
    let num_lanes = lanes.len();
    for (i, pair) in learners.iter_mut().zip(&mut courses).enumerate() {
        lanes[i % num_lanes].push(pair);
    }
    let bars = std::iter::once(Some(bar)).chain(std::iter::repeat(None));
    thread::scope(|scope| {
        let run =
            |(lane, bar)| scope.spawn(move || train_in_turns(lane, text, plan, seed, bar).map_err(|e| e.to_string()));
        let threads: Vec<ScopedJoinHandle<'_, _>> = lanes.into_iter().zip(bars).map(run).collect();
        threads.into_iter().try_for_each(|thread| thread.join().map_err(|_| "a thread has failed")?)
    })?;
    Ok(courses)
}

/// Where each model computes on one thread (`RAYON_NUM_THREADS=1`), as many train side by side as there are processors: small models gain
/// less by a second thread.
pub(crate) fn num_lanes() -> usize {
    let processors = thread::available_parallelism().map_or(1, NonZero::get);
    if rayon::current_num_threads() == 1 { processors.min(Kind::ALL.len()) } else { 1 }
}

fn train_in_turns(mut lane: Lane<'_>, text: &Text, plan: &Plan, seed: u64, bar: Option<&ProgressBar>) -> Result<()> {
    let mut rng = rng(seed, Purpose::Batches);
    let schedule = plan.schedule(plan.steps(text))?;
    let mut step = 0;
    for _ in 0..plan.epochs {
        for batch in batches::shuffled(&text.training, &mut rng).take(plan.steps_per_epoch(text)) {
            let batch = batch?;
            for (learner, course) in &mut lane {
                let start = Instant::now();
                course.losses.push(learner.step(&batch, schedule.learning_rate(step))?);
                course.seconds.push(start.elapsed().as_secs_f64());
                course.tokens_per_step = batch.num_targets;
            }
            step += 1;
            bar.inspect(|bar| bar.inc(1));
        }
        for (learner, course) in &mut lane {
            course.perplexities.push(learner.perplexity(&text.validation)?);
        }
    }
    Ok(())
}
