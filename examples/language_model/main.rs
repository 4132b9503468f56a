//! Next-token prediction: a small transformer whose token table is dense or factorized, on three novels.
//!
//! `cargo run --release --features candle,tokenizers --example language_model`
//!
//! Models of one seed see the same batches, and take turns. Attention, linear layers, normalisation and autograd are
//! candle's; lookups, the tied head with its loss, their gradients and the optimizer of the table are this crate's.
//!
//! With `RAYON_NUM_THREADS=1` as many of the four models of a seed as there are processors train side by side, which is quicker in all.

mod arguments;
mod batches;
mod block;
mod figure;
mod learner;
mod model;
mod outcome;
mod plan;
mod random;
mod recovery;
mod report;
mod state;
#[path = "../support/mod.rs"]
mod support;
mod tables;
mod text;
mod training;
mod trigram;

use std::{
    io::{self, Write},
    process::ExitCode,
};

use clap::Parser;
use indicatif::ProgressBar;

use arguments::Arguments;
use outcome::{Outcome, Trained};
use plan::Plan;
use state::State;
use support::{Result, exit_code, outputs, plot, progress};
use tables::Kind;
use text::Text;
use training::{Course, Model};
use trigram::Trigram;

fn main() -> ExitCode {
    exit_code(run(&Arguments::parse(), &mut io::stdout().lock()))
}

fn run(arguments: &Arguments, out: &mut impl Write) -> Result<()> {
    outputs::check([].iter(), arguments.plot.iter().chain(&arguments.state))?;
    arguments.plot.as_deref().map_or(Ok(()), plot::check)?;
    let text = Text::load()?;
    let plan = Plan::new(arguments);
    let mut state = State::open(arguments.state.as_deref(), &plan, &text)?;
    let trigram = Trigram::new(&text.training);
    let trigram = trigram.perplexity(&text.validation, batches::num_predicted(&text.validation));
    report::write_introduction(&text, &plan, trigram, out)?;
    let missing: Vec<u64> = plan.seeds.iter().copied().filter(|&seed| state.outcome(seed).is_none()).collect();
    let steps = Kind::ALL.len() * plan.steps(&text) + recovery::steps(&plan, &text);
    let bar = progress::rounds(missing.len() * steps);
    // What cannot be kept is told when everything has been trained and printed.
    let mut kept = Ok(());
    for seed in missing {
        let inserted = state.insert(outcome(seed, &text, &plan, &bar)?);
        kept = kept.and(inserted);
    }
    bar.finish_and_clear();
    let outcomes: Vec<&Outcome> = plan.seeds.iter().filter_map(|&seed| state.outcome(seed)).collect();
    report::write_outcomes(&outcomes, out)?;
    if let Some(path) = &arguments.plot {
        plot::save(&figure::LossCurves { models: &outcomes[0].models, trigram: trigram.ln() }, path)?;
    }
    kept
}

/// Trains a model for each kind of table, and what the dense one is decomposed to.
fn outcome(seed: u64, text: &Text, plan: &Plan, bar: &ProgressBar) -> Result<Outcome> {
    let model = |kind: Kind| Ok(Model { kind, seed, learner: kind.learner(seed)?, course: Course::default() });
    let mut models = Kind::ALL.into_iter().map(model).collect::<Result<Vec<_>>>()?;
    training::train(&mut models, text, plan, bar)?;
    let recovery = recovery::recover(&models[0], text, plan, bar)?;
    Ok(Outcome { seed, models: models.into_iter().map(Trained::from).collect(), recovery })
}
