//! Compresses the token table of a whole checkpoint, and restores it.
//!
//! - Without arguments it makes a small checkpoint of GloVe word vectors, compresses and restores it, and looks at what came
//!   back: `cargo run --release --example compress_checkpoint`.
//! - With a folder of a model it works on that: `cargo run --release --example compress_checkpoint -- --help`.

mod arguments;
#[path = "../compress/budget.rs"]
mod budget;
mod compress;
mod demo;
mod report;
mod restore;
#[path = "../support/mod.rs"]
mod support;

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
        Task::Demo => demo::run(out),
        Task::Compress(job) => job.run(out),
        Task::Restore(job) => job.run(out),
    }
}
