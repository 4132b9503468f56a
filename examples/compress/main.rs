//! Compresses an embedding table into low-rank factors.
//!
//! - Without arguments it shows what that costs and saves on GloVe word vectors:
//!   `cargo run --release --example compress`.
//! - With a safetensors file it compresses a table of that file: `cargo run --release --example compress -- --help`.

mod arguments;
mod demo;
mod frequencies;
mod job;
mod outputs;
mod plot;
mod progress;
mod text;

use std::{
    error::Error,
    io::{self, Write},
    process::ExitCode,
};

use clap::Parser;

use arguments::{Arguments, Task};

/// Errors of several libraries meet here; all of them end as a line for the user.
type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> ExitCode {
    let mut out = io::stdout().lock();
    match run(Arguments::parse(), &mut out) {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever reads the output has read enough.
        Err(error) if is_broken_pipe(error.as_ref()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nothing is left to tell when even the standard error is closed.
            let _ = writeln!(io::stderr(), "error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: Arguments, out: &mut impl Write) -> Result<()> {
    match arguments.task()? {
        Task::Demo { plot } => demo::run(plot.as_deref(), out),
        Task::Compress(job) => job.run(out),
    }
}

fn is_broken_pipe(error: &(dyn Error + 'static)) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}
