//! Shows what each rank of a table keeps and costs, and which ranks the usual rules would choose.
//!
//! - Without arguments for GloVe word vectors: `cargo run --release --example choose_rank`.
//! - For a table of a safetensors file: `cargo run --release --example choose_rank -- --help`.

mod arguments;
mod figure;
mod flags;
mod recommendations;
mod report;
#[path = "../support/mod.rs"]
mod support;

use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::Parser;
use factorized_embedding::{Decompose, Embedding, Rank, TruncatedSvd, io::safetensors::load_table};

use arguments::Arguments;
use figure::SpectrumFigure;
use recommendations::recommendations;
use report::Report;
use support::{Result, exit_code, outputs, plot, progress, text::grouped};

fn main() -> ExitCode {
    exit_code(run(&Arguments::parse(), &mut io::stdout().lock()))
}

fn run(arguments: &Arguments, out: &mut impl Write) -> Result<()> {
    // Whatever can go wrong without the long work goes wrong before it.
    let (input, tensor) = arguments.table();
    let table = load_table(&input, &tensor)?;
    let (vocab_size, dim) = (table.vocab_size(), table.dim());
    let weights = arguments.frequencies.row_weights(vocab_size, 1.0)?;
    let figures = figure_paths(arguments)?;
    let inputs = [Some(&input), arguments.frequencies.path.as_ref()];
    outputs::check(inputs.into_iter().flatten(), figures.iter())?;

    let progress = progress::steps();
    progress.set_message(format!("decomposing {} × {dim} numbers", grouped(vocab_size)));
    let weighted = weights.is_some();
    let mut method = TruncatedSvd::new(Rank::Fixed(1));
    if let Some(weights) = weights {
        method = method.with_row_weights(weights);
    }
    let spectrum = method.decompose(table.to_array().view())?.spectrum;
    progress.finish_and_clear();

    let recommendations = recommendations(&spectrum)?;
    let file = input.file_name().map_or(Path::new(""), Path::new).display();
    let name = format!("{tensor} of {file}");
    Report { name: &name, weighted, spectrum: &spectrum, recommendations: &recommendations }.write(out)?;
    let figure = SpectrumFigure::new(&name, weighted, &spectrum, &recommendations)?;
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
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/choose_rank");
    fs::create_dir_all(&folder).map_err(|error| format!("cannot create {}: {error}", folder.display()))?;
    Ok(["glove.png", "glove.svg"].map(|name| folder.join(name)).to_vec())
}
