//! Compresses an embedding table into low-rank factors, or into codes of few bits.
//!
//! - Without arguments it shows what that costs and saves on GloVe word vectors:
//!   `cargo run --release --example compress`.
//! - With a safetensors file it compresses a table of that file: `cargo run --release --example compress -- --help`.

mod arguments;
mod budget;
mod curve;
mod decomposed;
mod demo;
mod input;
mod job;
mod method;
mod quantized;
mod report;
mod settings;
mod spectral;
mod sums;
#[path = "../support/mod.rs"]
mod support;
mod whole;

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
        Task::Demo { plot } => demo::run(plot.as_deref(), out),
        Task::Compress(job) => job.run(out),
    }
}
