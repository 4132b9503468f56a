//! Next-token prediction: a small transformer whose token table is dense or factorized, on three novels.
//!
//! `cargo run --release --features candle,tokenizers --example language_model`
//!
//! Models of one seed see the same batches, and models take turns. Attention, linear layers, normalisation and autograd are
//! candle's; lookups, the tied head with its loss, their gradients and the optimizer of the table are this crate's.
//!
//! With `RAYON_NUM_THREADS=1` as many models as there are processors train side by side, which is quicker in all.

mod arguments;
mod batches;
mod block;
mod figure;
mod learner;
mod model;
mod plan;
mod random;
mod recovery;
mod report;
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

use arguments::Arguments;
use plan::Plan;
use report::Outcome;
use support::{Result, exit_code, outputs, plot, progress};
use tables::Kind;
use text::Text;
use training::{Course, Model};
use trigram::Trigram;

fn main() -> ExitCode {
    exit_code(run(&Arguments::parse(), &mut io::stdout().lock()))
}

fn run(arguments: &Arguments, out: &mut impl Write) -> Result<()> {
    outputs::check([].iter(), arguments.plot.iter())?;
    arguments.plot.as_deref().map_or(Ok(()), plot::check)?;
    let text = Text::load()?;
    let plan = Plan::new(arguments);
    let trigram = Trigram::new(&text.training);
    let trigram = trigram.perplexity(&text.validation, batches::num_predicted(&text.validation));
    report::write_introduction(&text, &plan, trigram, out)?;
    let mut models = Vec::new();
    for &seed in &plan.seeds {
        for kind in Kind::ALL {
            models.push(Model { kind, seed, learner: kind.learner(seed)?, course: Course::default() });
        }
    }
    let bar = progress::rounds(models.len() * plan.steps(&text) + plan.seeds.len() * recovery::steps(&plan, &text));
    training::train(&mut models, &text, &plan, &bar)?;
    let mut outcomes = Vec::new();
    for models in models.chunks(Kind::ALL.len()) {
        outcomes.push(Outcome { models, recovery: recovery::recover(&models[0], &text, &plan, &bar)? });
    }
    bar.finish_and_clear();
    report::write_outcomes(&outcomes, out)?;
    if let Some(path) = &arguments.plot {
        plot::save(&figure::LossCurves { models: outcomes[0].models, trigram: trigram.ln() }, path)?;
    }
    Ok(())
}
