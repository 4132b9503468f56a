//! Who wrote this sentence? Trains a table of word vectors and a linear layer behind it, dense and as factors of several ranks:
//! the words of a sentence are a bag, its mean goes through the linear layer, and the loss is the cross-entropy of three authors.
//!
//! `cargo run --release --example classify`

mod classifier;
mod model;
mod report;
mod sentences;
#[path = "../support/mod.rs"]
mod support;
mod table;
mod training;
mod words;

use std::{
    io::{self, Write},
    process::ExitCode,
};

use sentences::Sentences;
use support::{Result, exit_code, progress};
use table::{DIM, Kind};
use training::Plan;

fn main() -> ExitCode {
    exit_code(run(&mut io::stdout().lock()))
}

fn run(out: &mut impl Write) -> Result<()> {
    let sentences = Sentences::load()?;
    report::write_introduction(&sentences, out)?;
    let kinds = [Kind::Dense, Kind::Factorized(DIM / 8), Kind::Factorized(DIM / 4), Kind::Factorized(DIM / 2)];
    let plan = Plan::new(&sentences.training)?;
    let bar = progress::rounds(kinds.len() * plan.epochs);
    let mut runs = Vec::new();
    for kind in kinds {
        bar.set_message(kind.to_string());
        runs.push(training::run(kind, &sentences, plan, || bar.inc(1))?);
    }
    bar.finish_and_clear();
    report::write_runs(&runs, out)
}
