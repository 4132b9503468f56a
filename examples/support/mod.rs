//! What the examples with a command line share.
#![allow(dead_code, reason = "every example uses its own part of this module")]

#[cfg(all(feature = "decompose", feature = "safetensors"))]
mod absmax;
pub(crate) mod books;
pub(crate) mod frequencies;
pub(crate) mod memory;
pub(crate) mod outputs;
pub(crate) mod plot;
pub(crate) mod progress;
#[cfg(all(feature = "decompose", feature = "safetensors"))]
pub(crate) mod schemes;
pub(crate) mod text;

use std::{
    error::Error,
    io::{self, Write},
    process::ExitCode,
};

/// Errors of several libraries meet here; all of them end as a line for the user.
pub(crate) type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// How a program ends: an error is told on the standard error.
pub(crate) fn exit_code(result: Result<()>) -> ExitCode {
    match result {
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

fn is_broken_pipe(error: &(dyn Error + 'static)) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}
