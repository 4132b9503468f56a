//! Vectors of tokens meet the states of another encoder in one attention: with the projections to queries, keys and values
//! behind the lookup, and folded into the factors.
//!
//! `cargo run --release --features candle --example attention`

mod folded;
mod fusion;
mod report;
#[path = "../support/mod.rs"]
mod support;
mod workload;

use std::{
    io::{self, Write},
    process::ExitCode,
};

use support::{Result, exit_code};
use workload::Workload;

fn main() -> ExitCode {
    exit_code(run(&mut io::stdout().lock()))
}

fn run(out: &mut impl Write) -> Result<()> {
    report::write_introduction(out)?;
    let measured = [Workload::glove()?, Workload::bert_sized()?].map(Workload::measure);
    report::write_comparison(&measured.into_iter().collect::<Result<Vec<_>>>()?, out)
}
