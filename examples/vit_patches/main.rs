//! The first step of a vision transformer on factors: the projection of image patches as soft lookups, and position embeddings.
//!
//! A patch is a soft lookup whose weights are its pixels: pixels · E, with a row of E for each pixel of a patch. That is the
//! convolution that such models begin with, its stride being the side of a patch.
//!
//! - Without arguments with weights that it makes itself: `cargo run --release --example vit_patches`.
//! - With the folder of a checkpoint of a vision transformer with the tables of that: `cargo run --release --example vit_patches -- MODEL_DIR`.

mod measure;
mod patches;
mod picture;
mod report;
#[path = "../support/mod.rs"]
mod support;
mod synthetic;
mod tables;

use std::{
    io::{self, Write},
    path::PathBuf,
    process::ExitCode,
};

use clap::Parser;

use support::{Result, exit_code};
use tables::Tables;

/// Image patches through a factorized projection, and factorized position embeddings
///
/// Shows what dense and factorized tables of a vision transformer take and lose, on a picture that it draws.
#[derive(Debug, Parser)]
#[command(name = "vit_patches", max_term_width = 100)]
struct Arguments {
    /// The folder of a checkpoint of a vision transformer, whose tables are used [default: synthetic ones, of its base size]
    #[arg(value_name = "MODEL_DIR")]
    model: Option<PathBuf>,
}

fn main() -> ExitCode {
    exit_code(run(&Arguments::parse(), &mut io::stdout().lock()))
}

fn run(arguments: &Arguments, out: &mut impl Write) -> Result<()> {
    let tables = match &arguments.model {
        Some(folder) => Tables::open(folder)?,
        None => Tables::synthetic(),
    };
    let layout = tables.layout()?;
    let picture = picture::draw(layout.grid * layout.patch);
    let pixels = patches::cut(&picture, layout.patch);
    report::write_introduction(&tables, layout, out)?;
    let convolution = patches::convolution(&picture, &tables.patches, layout.patch);
    let projections = measure::projections(&tables.patches, &pixels, &convolution)?;
    report::write_projections(&projections, out)?;
    let positions = measure::positions(&tables.positions)?;
    report::write_positions(&positions, out)?;
    let inputs = measure::inputs(&projections, &positions, &pixels, layout.num_extra)?;
    report::write_inputs(&inputs, out)
}
