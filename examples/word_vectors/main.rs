//! Nearest words and analogies in a table of word vectors, and in the same table made small, side by side.
//!
//! - Without arguments for GloVe word vectors: `cargo run --release --example word_vectors`.
//! - For a file of GloVe, word2vec or fastText: `cargo run --release --example word_vectors -- --help`.

mod arguments;
mod input;
mod layers;
mod report;
#[path = "../support/mod.rs"]
mod support;

use std::{
    io::{self, Write},
    process::ExitCode,
};

use clap::Parser;

use arguments::Arguments;
use input::Input;
use layers::Layers;
use report::Report;
use support::{Result, exit_code};

fn main() -> ExitCode {
    exit_code(run(&Arguments::parse(), &mut io::stdout().lock()))
}

fn run(arguments: &Arguments, out: &mut impl Write) -> Result<()> {
    let input = Input::load(arguments)?;
    // Whatever can go wrong without the long work goes wrong before it.
    let words = arguments.words(&input.vocabulary)?;
    let questions = arguments.questions(&input.vocabulary)?;
    let layers = Layers::new(&input.table)?;
    let report = Report { vocabulary: &input.vocabulary, layers: &layers, count: arguments.count };
    writeln!(out, "{}", input.description())?;
    report.write_sizes(out)?;
    report.write_neighbours(&words, out)?;
    report.write_analogies(&questions, out)
}
