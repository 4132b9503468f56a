//! A trained dense table, decomposed, and trained on as factors.

use factorized_embedding::{Decompose, FactorizedEmbedding, Rank, TruncatedSvd, train::FactorOptimizer};
use indicatif::ProgressBar;
use serde::{Deserialize, Serialize};

use crate::{
    batches,
    learner::{Learn, Learner},
    plan::{self, DIM, FINE_TUNING, Plan},
    random::{Purpose, rng},
    support::Result,
    tables::RULE,
    text::Text,
    training::Model,
};

pub(crate) const RANK: usize = DIM / 4;
/// One step for so many that the dense table took.
const SHARE: usize = 10;

#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct Recovery {
    pub(crate) steps: usize,
    /// What the decomposition lost, rows weighted by how often they occur.
    pub(crate) weighted_error: f64,
    /// Perplexities with the decomposed table, before and after training.
    pub(crate) before: f64,
    pub(crate) after: f64,
}

/// How many steps of fine-tuning there are.
pub(crate) fn steps(plan: &Plan, text: &Text) -> usize {
    plan.steps(text) / SHARE
}

/// The factors of least error weighted by the frequencies of tokens, in the model of the dense table; all of it is trained on.
pub(crate) fn recover(dense: &Model, text: &Text, plan: &Plan, bar: &ProgressBar) -> Result<Recovery> {
    let Model { seed, learner: dense, .. } = dense;
    let decomposition =
        TruncatedSvd::new(Rank::Fixed(RANK)).with_row_weights(text.counts()?).decompose(dense.table()?.view())?;
    let weighted_error =
        decomposition.weighted_relative_error.ok_or("a weighted decomposition has no weighted error")?;
    let layer = FactorizedEmbedding::new(decomposition.factors.balanced()?);
    let learner = Learner::new(layer, FactorOptimizer::new(RULE)?, *seed)?;
    let mut learner = learner.with_variables_of(dense.variables())?;
    let before = learner.perplexity(&text.validation)?;

    let steps = steps(plan, text);
    let schedule = plan::schedule(steps)?;
    let mut rng = rng(*seed, Purpose::FineTuning);
    let mut step = 0;
    while step < steps {
        for batch in batches::shuffled(&text.training, &mut rng).take(steps - step) {
            learner.step(&batch?, FINE_TUNING * schedule.learning_rate(step as u64))?;
            step += 1;
            bar.inc(1);
        }
    }
    let after = learner.perplexity(&text.validation)?;
    Ok(Recovery { steps, weighted_error, before, after })
}
