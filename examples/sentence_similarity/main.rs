//! How alike sentences are, by a whole BERT encoder (MiniLM) around a dense, a factorized or a quantized token table.
//!
//! - Without arguments it says how to get a model: `cargo run --release --features candle,tokenizers --example
//!   sentence_similarity`.
//! - With the folder of a model and two sentences it prints their cosine, with every table.
//! - With `--data STS.csv` it prints what every table loses on a benchmark of sentence similarity, its bytes and its time.
//!
//! Attention, linear layers and normalisation are candle's; the token table and its lookups are this crate's.

mod arguments;
mod benchmark;
mod config;
mod csv;
mod data;
mod encoder;
mod guide;
mod model;
mod pairs;
mod pooling;
mod report;
mod sentences;
mod spearman;
#[path = "../support/mod.rs"]
mod support;
mod tables;
mod weights;

use std::{
    io::{self, Write},
    process::ExitCode,
};

use clap::Parser;

use arguments::{Arguments, Task};
use support::{Result, exit_code};

fn main() -> ExitCode {
    exit_code(run(Arguments::parse(), &mut io::stdout().lock()))
}

fn run(arguments: Arguments, out: &mut impl Write) -> Result<()> {
    match arguments.task()? {
        Task::Guide => guide::write(out),
        Task::Pairs(job) => job.run(out),
        Task::Benchmark(job) => job.run(out),
    }
}
