//! The command line.

use std::path::PathBuf;

use clap::Parser;
use factorized_embedding::TokenId;

const USAGE: &str = "\
guide [--full] [--plot FILE]
       guide INPUT --tensor NAME --frequencies FILE
             [--everywhere IDS] [--smoothing NUMBER] [--exponent NUMBER] [--full] [--plot FILE]";

const EXAMPLES: &str = "\
Examples (from the folder of the crate, `guide` is `cargo run --release --example guide --`):

  See on GloVe word vectors what methods, ranks, bits and weights do:
    guide

  The same for the table of a model, trellis codes included, with a picture:
    guide model.safetensors --tensor embeddings.word_embeddings.weight --frequencies counts.npy --full --plot guide.svg";

/// Measure what each method, rank and number of bits loses on a table
///
/// Reads one table of a safetensors file, with a row for each token, and how often each token occurs. Makes it small by every
/// method at the same sizes, and prints as Markdown what that loses, for all tokens and for frequent ones, what it takes,
/// which ranks common rules choose, and what bits, groups and the power of frequencies change.
///
/// Without INPUT it does so for the table of GloVe word vectors that comes with the examples.
#[derive(Debug, Parser)]
#[command(name = "guide", override_usage = USAGE, after_help = EXAMPLES)]
#[command(max_term_width = 100, allow_negative_numbers = true)]
pub(crate) struct Arguments {
    /// The safetensors file with the table
    #[arg(value_name = "INPUT", requires_all = ["tensor", "frequencies"])]
    pub(crate) input: Option<PathBuf>,

    /// Name of the table in the file: a two-dimensional tensor of type F32, F16 or BF16
    #[arg(long, value_name = "NAME", requires = "input")]
    pub(crate) tensor: Option<String>,

    /// A .npy file with one number for each row: how often its token occurs
    #[arg(long, value_name = "FILE", requires = "input")]
    pub(crate) frequencies: Option<PathBuf>,

    /// Tokens that stand in every input, such as [CLS] and [SEP], by their ids: they count as often as the most frequent one
    #[arg(long, value_name = "IDS", value_delimiter = ',', requires = "frequencies")]
    pub(crate) everywhere: Vec<TokenId>,

    /// Add this to every frequency, so that tokens that never occurred count a little too
    #[arg(long, value_name = "NUMBER", default_value_t = 1.0)]
    pub(crate) smoothing: f64,

    /// Raise frequencies to this power where the table is quantized [default: 0.4; without INPUT: 0.5]
    #[arg(long, value_name = "NUMBER")]
    pub(crate) exponent: Option<f64>,

    /// Code as a trellis, too, which takes minutes for a large table
    #[arg(long)]
    pub(crate) full: bool,

    /// Draw errors against size and against frequency into this .png or .svg file
    #[arg(long, value_name = "FILE")]
    pub(crate) plot: Option<PathBuf>,
}

impl Arguments {
    /// The files that are read, as far as they were named.
    pub(crate) fn inputs(&self) -> impl Iterator<Item = &PathBuf> {
        [&self.input, &self.frequencies].into_iter().flatten()
    }

    /// The table, its name and the frequencies: those that were given, or the word vectors of the examples.
    pub(crate) fn table(&self) -> (PathBuf, String, PathBuf) {
        let shipped = |name| [env!("CARGO_MANIFEST_DIR"), "examples", "data", name].iter().collect();
        (
            self.input.clone().unwrap_or_else(|| shipped("glove50-top10k-f16.safetensors")),
            self.tensor.clone().unwrap_or_else(|| "weight".to_owned()),
            self.frequencies.clone().unwrap_or_else(|| shipped("glove50-top10k.freq.npy")),
        )
    }

    /// The power of frequencies where a table is quantized: what suits static vectors, or else the table of a model.
    pub(crate) fn code_exponent(&self) -> f64 {
        self.exponent.unwrap_or(if self.input.is_some() { 0.4 } else { 0.5 })
    }
}
