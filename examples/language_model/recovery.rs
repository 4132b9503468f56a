//! A trained dense table, decomposed, and trained on as factors.

use factorized_embedding::{Decompose, FactorizedEmbedding, Rank, TruncatedSvd};
use rand::{SeedableRng, rngs::ChaCha8Rng};

use crate::{
    batches,
    learner::{Learn, Learner},
    plan::{DIM, Plan},
    support::Result,
    text::Text,
};

pub(crate) const RANK: usize = DIM / 4;
/// One step for so many that the dense table took.
const SHARE: usize = 10;

#[derive(Debug)]
pub(crate) struct Recovery {
    pub(crate) steps: usize,
    /// What the decomposition lost, rows weighted by how often they occur.
    pub(crate) weighted_error: f64,
    /// Perplexities with the decomposed table, before and after training.
    pub(crate) before: f64,
    pub(crate) after: f64,
}

/// The factors of least error weighted by the frequencies of tokens, in the model of the dense table; all of it is trained on.
pub(crate) fn recover(dense: &dyn Learn, text: &Text, plan: &Plan, seed: u64) -> Result<Recovery> {
    let decomposition =
        TruncatedSvd::new(Rank::Fixed(RANK)).with_row_weights(text.counts()?).decompose(dense.table()?.view())?;
    let factors = decomposition.factors.balanced()?;
    let learner = Learner::new(FactorizedEmbedding::new(factors), plan, seed)?;
    let mut learner = learner.with_variables_of(dense.variables())?;
    let before = learner.perplexity(&text.validation)?;

    let steps = plan.steps(text) / SHARE;
    let schedule = plan.fine_tuning(steps)?;
    let mut rng = ChaCha8Rng::seed_from_u64(seed + 1);
    let mut step = 0;
    while step < steps {
        for batch in batches::shuffled(&text.training, &mut rng).take(steps - step) {
            learner.step(&batch?, schedule.learning_rate(step as u64))?;
            step += 1;
        }
    }
    let after = learner.perplexity(&text.validation)?;
    let weighted_error = decomposition.weighted_relative_error.unwrap_or(decomposition.relative_error);
    Ok(Recovery { steps, weighted_error, before, after })
}
