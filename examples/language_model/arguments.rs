//! The command line.

use std::path::PathBuf;

use clap::Parser;

/// Train a small language model with a dense token table, and with factorized ones
///
/// A transformer predicts the next token of three novels. Its token table is the input and, tied, the output of the model. Prints
/// parameters, bytes, speed and validation perplexity for a dense table and for factors of rank dim/8, dim/4 and dim/2; then
/// the dense table is decomposed and trained on as factors.
#[derive(Debug, Parser)]
#[command(name = "language_model", max_term_width = 100)]
pub(crate) struct Arguments {
    /// Train for three epochs, from three seeds: more than three hours on two cores
    #[arg(long)]
    pub(crate) long: bool,

    /// Train from so many seeds
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) seeds: Option<u64>,

    /// Keep the results of finished seeds in this file, and go on after those that are there
    #[arg(long, value_name = "FILE")]
    pub(crate) state: Option<PathBuf>,

    /// Draw the loss curves into this .png or .svg file
    #[arg(long, value_name = "FILE")]
    pub(crate) plot: Option<PathBuf>,
}
