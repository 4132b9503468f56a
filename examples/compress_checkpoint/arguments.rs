//! The command line.

use std::path::PathBuf;

use clap::{ArgGroup, Parser, ValueEnum};
use factorized_embedding::{Rank, quantize};

use crate::{
    budget::{Budget, Target},
    compress::Compression,
    restore::Restoration,
    support::{Result, frequencies::Frequencies},
};

const USAGE: &str = "\
compress_checkpoint
       compress_checkpoint MODEL_DIR --out DIR (--rank N | --bytes SIZE | --ratio R | --bits B)
                [--tensor NAME] [--method METHOD] [--level LEVEL]
                [--frequencies FILE [--everywhere IDS] [--smoothing NUMBER] [--exponent NUMBER]]
       compress_checkpoint MODEL_DIR --out DIR --restore";

const EXAMPLES: &str = "\
Examples (from the folder of the crate, `compress_checkpoint` is `cargo run --release --example compress_checkpoint --`):

  See on a small checkpoint what happens:
    compress_checkpoint

  Keep the token table of a model in an eighth of the bytes, in codes, finer where tokens are frequent:
    compress_checkpoint model/ --out small/ --method quantized --ratio 8 --frequencies counts.npy --smoothing 1

  The same of a BERT whose tokenizer puts [CLS] and [SEP], 101 and 102, around every text, which counts of words do not know:
    compress_checkpoint bert/ --out small/ --method quantized --ratio 8 --frequencies counts.npy --smoothing 1 --everywhere 101,102

  Keep 96 of its directions:
    compress_checkpoint model/ --out small/ --rank 96

  Make an ordinary checkpoint of it again, for other programs:
    compress_checkpoint small/ --out whole/ --restore";

/// Compress the token table of a checkpoint into low-rank factors, or into codes of few bits
///
/// Reads a model as Hugging Face libraries save it (a folder with model.safetensors or its shards, config.json, a tokenizer),
/// and writes another folder in which factors or codes stand in place of the token table. Everything else is copied as it is.
/// With --restore the table is dense again.
///
/// Without any argument it does both on a small checkpoint of GloVe word vectors, and shows what came back.
#[derive(Debug, Parser)]
#[command(name = "compress_checkpoint", override_usage = USAGE, after_help = EXAMPLES)]
#[command(max_term_width = 100, allow_negative_numbers = true)]
#[command(group(ArgGroup::new("size").args(["rank", "bytes", "ratio", "bits"])))]
pub(crate) struct Arguments {
    /// The folder of the model; or a single safetensors file, or the index of several
    #[arg(value_name = "MODEL_DIR", requires = "out")]
    pub(crate) model: Option<PathBuf>,

    /// The folder that is written; there must be nothing of its name
    #[arg(long, value_name = "DIR", requires = "model")]
    pub(crate) out: Option<PathBuf>,

    /// Make the table of a compressed checkpoint dense again
    #[arg(long, requires = "model", conflicts_with_all = ["size", "tensor", "method", "level"])]
    #[arg(conflicts_with_all = ["frequencies", "everywhere", "smoothing", "exponent"])]
    pub(crate) restore: bool,

    /// Name of the table [default: that of the token table of BERT, GPT-2, T5, LLaMA, ALBERT, sentence-transformers, model2vec]
    #[arg(long, value_name = "NAME", requires = "model")]
    pub(crate) tensor: Option<String>,

    /// What to make of the table
    #[arg(long, value_enum, value_name = "METHOD", requires = "model", default_value_t = Method::Svd)]
    pub(crate) method: Method,

    /// svd: keep exactly this many directions
    #[arg(long, value_name = "N", requires = "model")]
    pub(crate) rank: Option<usize>,

    /// Keep as much as fits into so many bytes: 1500000, kB, MB, GB, KiB, MiB, GiB (1.5MB), or a percentage (25%) of the table
    /// as 32-bit floats
    #[arg(long, value_name = "SIZE", requires = "model")]
    pub(crate) bytes: Option<Budget>,

    /// The same, this many times smaller than the table as 32-bit floats, such as 8
    #[arg(long, value_name = "R", requires = "model", value_parser = ratio)]
    pub(crate) ratio: Option<Budget>,

    /// The same, in so many bits for each number of the table, such as 4
    #[arg(long, value_name = "B", requires = "model", value_parser = bits)]
    pub(crate) bits: Option<Budget>,

    /// quantized: how coordinates are coded [default: scalar]
    #[arg(long, value_enum, value_name = "LEVEL", hide_default_value = true, requires = "model")]
    pub(crate) level: Option<Level>,

    #[command(flatten)]
    pub(crate) frequencies: Frequencies,
}

/// What is made of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Method {
    /// Factors of a low rank by truncated SVD
    Svd,
    /// All directions in codes of few bits: the lowest error for its bytes
    Quantized,
}

/// How coordinates are coded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Level {
    /// Each for itself
    Scalar,
    /// All of a row together: less error in the same bytes, slower to make and to read
    Trellis,
}

impl Method {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Svd => "svd",
            Self::Quantized => "quantized",
        }
    }

    /// Of the frequencies, where it is not given.
    pub(crate) fn exponent(self) -> f64 {
        if self == Self::Quantized { 0.4 } else { 1.0 }
    }
}

impl From<Level> for quantize::Level {
    fn from(level: Level) -> Self {
        match level {
            Level::Scalar => Self::Scalar,
            Level::Trellis => Self::Trellis,
        }
    }
}

fn ratio(text: &str) -> std::result::Result<Budget, String> {
    positive(text).map(Budget::Ratio).ok_or_else(|| "a ratio is a number above 0, such as 8".to_owned())
}

fn bits(text: &str) -> std::result::Result<Budget, String> {
    positive(text).map(Budget::BitsPerWeight).ok_or_else(|| "bits are a number above 0, such as 4 or 2.5".to_owned())
}

fn positive(text: &str) -> Option<f64> {
    text.parse().ok().filter(|number: &f64| number.is_finite() && *number > 0.0)
}

/// What the command line asks for.
pub(crate) enum Task {
    Demo,
    Compress(Box<Compression>),
    Restore(Restoration),
}

impl Arguments {
    pub(crate) fn task(self) -> Result<Task> {
        let Self { model, out, restore, tensor, method, rank, bytes, ratio, bits, level, frequencies } = self;
        let (Some(model), Some(out)) = (model, out) else {
            if frequencies.path.is_some() {
                return Err("--frequencies is for the rows of a MODEL_DIR".into());
            }
            return Ok(Task::Demo);
        };
        if restore {
            return Ok(Task::Restore(Restoration { model, out }));
        }
        let by_size = bytes.or(ratio).or(bits).map(Target::FileSize);
        let Some(target) = rank.map(Rank::Fixed).map(Target::Rank).or(by_size) else {
            return Err("say how much to keep with one of --rank, --bytes, --ratio, --bits, or --restore".into());
        };
        if method == Method::Quantized && rank.is_some() {
            return Err(
                "--rank is for --method svd: say with --bytes, --ratio or --bits how small codes are to be".into()
            );
        }
        if method == Method::Svd && level.is_some() {
            return Err("--level is for --method quantized".into());
        }
        Ok(Task::Compress(Box::new(Compression { model, out, tensor, method, target, level, frequencies })))
    }
}
