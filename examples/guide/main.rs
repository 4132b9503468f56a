//! Measures on one table what each method, rank and number of bits loses: the tables and figures of `docs/guide.md`.
//!
//! - Without arguments for GloVe word vectors: `cargo run --release --example guide`.
//! - For a table of a safetensors file: `cargo run --release --example guide -- --help`.

mod arguments;
mod bits;
mod figure;
mod input;
mod losses;
mod markdown;
mod ranks;
mod sizes;
#[path = "../support/mod.rs"]
mod support;
mod tokens;
mod weights;

use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::Parser;

use arguments::Arguments;
use figure::GuideFigure;
use input::Input;
use support::{Result, exit_code, outputs, plot};

fn main() -> ExitCode {
    exit_code(run(&Arguments::parse(), &mut io::stdout().lock()))
}

fn run(arguments: &Arguments, out: &mut impl Write) -> Result<()> {
    // Whatever can go wrong without the long work goes wrong before it.
    let figures = figure_paths(arguments)?;
    outputs::check(arguments.inputs(), figures.iter())?;
    let input = Input::load(arguments)?;

    input.write_introduction(out)?;
    let measured = sizes::measure(&input, arguments.full)?;
    sizes::write(&input, &measured, out)?;
    tokens::write(&input, &measured, out)?;
    ranks::write(&input, out)?;
    bits::write(&input, arguments.full, out)?;
    weights::write(&input, out)?;

    let figure = GuideFigure::new(&input, &measured);
    writeln!(out)?;
    for path in &figures {
        plot::save(&figure, path)?;
        writeln!(out, "plot  {}", path.display())?;
    }
    Ok(())
}

/// The file that was asked for; for the shipped table both kinds in a folder of their own.
fn figure_paths(arguments: &Arguments) -> Result<Vec<PathBuf>> {
    if let Some(path) = &arguments.plot {
        plot::check(path)?;
        return Ok(vec![path.clone()]);
    }
    if arguments.input.is_some() {
        return Ok(Vec::new());
    }
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/guide");
    fs::create_dir_all(&folder).map_err(|error| format!("cannot create {}: {error}", folder.display()))?;
    Ok(["glove.png", "glove.svg"].map(|name| folder.join(name)).to_vec())
}
