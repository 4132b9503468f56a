//! The command line.

use std::path::PathBuf;

use clap::Parser;

use crate::support::frequencies::Frequencies;

const USAGE: &str = "\
choose_rank [INPUT --tensor NAME]
                   [--frequencies FILE [--everywhere IDS] [--smoothing NUMBER] [--exponent NUMBER]]
                   [--plot FILE]";

const EXAMPLES: &str = "\
Examples (from the folder of the crate, `choose_rank` is `cargo run --release --example choose_rank --`):

  See what each rank of GloVe word vectors keeps and costs:
    choose_rank

  The same for the table of a model, with a picture:
    choose_rank model.safetensors --tensor embeddings.word_embeddings.weight --plot ranks.png

  Weigh the rows by how often their tokens occur, between not at all and fully:
    choose_rank model.safetensors --tensor wte.weight --frequencies counts.npy --smoothing 1 --exponent 0.5";

/// Choose the rank of a factorized embedding table
///
/// Reads one table of a safetensors file, with a row for each token, computes its singular values, and prints and draws what
/// each rank keeps, loses and takes, with the ranks that common rules recommend.
///
/// Without INPUT it shows the table of GloVe word vectors that comes with the examples.
#[derive(Debug, Parser)]
#[command(name = "choose_rank", override_usage = USAGE, after_help = EXAMPLES)]
#[command(max_term_width = 100, allow_negative_numbers = true)]
pub(crate) struct Arguments {
    /// The safetensors file with the table
    #[arg(value_name = "INPUT", requires = "tensor")]
    pub(crate) input: Option<PathBuf>,

    /// Name of the table in the file: a two-dimensional tensor of type F32, F16 or BF16
    #[arg(long, value_name = "NAME", requires = "input")]
    pub(crate) tensor: Option<String>,

    #[command(flatten)]
    pub(crate) frequencies: Frequencies,

    /// Draw singular values, energy, error and bytes into this .png or .svg file
    #[arg(long, value_name = "FILE")]
    pub(crate) plot: Option<PathBuf>,
}

impl Arguments {
    /// The file and the name of its table: those that were given, or the word vectors of the examples.
    pub(crate) fn table(&self) -> (PathBuf, String) {
        let glove = ["examples", "data", "glove50-top10k-f16.safetensors"];
        let shipped = || [env!("CARGO_MANIFEST_DIR")].iter().chain(&glove).collect();
        let input = self.input.clone().unwrap_or_else(shipped);
        (input, self.tensor.clone().unwrap_or_else(|| "weight".to_owned()))
    }
}
