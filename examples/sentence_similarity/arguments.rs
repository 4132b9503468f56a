//! The command line.

use std::path::PathBuf;

use clap::{Parser, ValueEnum};

use crate::{benchmark::Benchmark, pairs::Pairs, support::Result};

const USAGE: &str = "\
sentence_similarity
       sentence_similarity MODEL_DIR [SENTENCE SENTENCE] [--frequencies FILE]
       sentence_similarity MODEL_DIR --data STS.csv [--tables LIST] [--exponents LIST] [--frequencies FILE]";

const EXAMPLES: &str = "\
Examples (from the folder of the crate, `sentence_similarity` is
`cargo run --release --features candle,tokenizers --example sentence_similarity --`):

  See how to get a model:
    sentence_similarity

  How alike are two sentences, with the dense table and with compressed ones?
    sentence_similarity target/minilm \"A dog runs.\" \"A puppy is running.\"

  What does a benchmark lose?
    sentence_similarity target/minilm --data stsb-en-dev.csv";

/// How alike sentences are, by a sentence encoder around a dense, a factorized or a quantized token table
///
/// Reads a BERT encoder with mean pooling (MiniLM) from the folder that sentence-transformers saves: config.json,
/// model.safetensors, tokenizer.json. Without sentences and without --data it compares some pairs of its own.
#[derive(Debug, Parser)]
#[command(name = "sentence_similarity", override_usage = USAGE, after_help = EXAMPLES)]
#[command(max_term_width = 100, allow_negative_numbers = true)]
pub(crate) struct Arguments {
    /// The folder of the model
    #[arg(value_name = "MODEL_DIR")]
    model: Option<PathBuf>,

    /// Two sentences to compare
    #[arg(value_name = "SENTENCE", num_args = 2, conflicts_with = "data")]
    sentences: Vec<String>,

    /// A CSV file of two sentences and a score in each line, such as stsb-en-dev.csv
    #[arg(long, value_name = "STS.csv", requires = "model")]
    data: Option<PathBuf>,

    /// Which tables to compare with the dense one, separated by commas
    #[arg(long, value_enum, value_name = "LIST", value_delimiter = ',', requires = "data", default_values_t = Kind::ALL)]
    tables: Vec<Kind>,

    /// The powers that frequencies are raised to: results are averaged over them
    #[arg(long, value_name = "LIST", value_delimiter = ',', requires = "data", default_values_t = [0.3, 0.4, 0.5])]
    exponents: Vec<f64>,

    /// A .npy file of how often each token occurs [default: counts of English text, shipped for the vocabulary of MiniLM];
    /// those that the tokenizer puts around sentences count as often as the most frequent one
    #[arg(long, value_name = "FILE", requires = "model")]
    frequencies: Option<PathBuf>,
}

/// How a table is made small.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    /// Factors of the least error
    Svd,
    /// Factors of the least error of rows weighted by their frequencies
    WeightedSvd,
    /// Codes of few bits, each for itself
    Scalar,
    /// Codes of few bits, those of a row together: less error in the same bytes, slower to make and to read
    Trellis,
}

impl Kind {
    const ALL: [Self; 4] = [Self::Svd, Self::WeightedSvd, Self::Scalar, Self::Trellis];
}

/// What the command line asks for.
pub(crate) enum Task {
    Guide,
    Pairs(Pairs),
    Benchmark(Benchmark),
}

impl Arguments {
    pub(crate) fn task(self) -> Result<Task> {
        let Self { model, sentences, data, tables, exponents, frequencies } = self;
        let Some(model) = model else { return Ok(Task::Guide) };
        if let Some(data) = data {
            return Ok(Task::Benchmark(Benchmark { model, data, kinds: tables, exponents, frequencies }));
        }
        Ok(Task::Pairs(match <[String; 2]>::try_from(sentences) {
            Ok(pair) => Pairs::new(model, frequencies, vec![pair]),
            Err(_) => Pairs::new(model, frequencies, Pairs::shown()),
        }))
    }
}
