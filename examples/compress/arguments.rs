//! The command line.

use std::{path::PathBuf, str::FromStr};

use clap::{ArgGroup, Parser};
use factorized_embedding::{Rank, Shape, io::safetensors::MAX_HEADER_BYTES};

use crate::{
    job::Job,
    support::{Result, text::grouped},
};

const USAGE: &str = "\
compress [--plot FILE]
       compress INPUT --tensor NAME (--rank N | --energy SHARE | --relative-error ERROR | --bytes SIZE)
                --out OUTPUT [--frequencies FILE [--smoothing NUMBER]] [--plot FILE]";

const EXAMPLES: &str = "\
Examples (from the folder of the crate, `compress` is `cargo run --release --example compress --`):

  See on GloVe word vectors what each rank saves and costs:
    compress

  Keep 96 of the directions of a model's table:
    compress model.safetensors --tensor embeddings.word_embeddings.weight \\
        --rank 96 --out small.safetensors

  Make a file of at most a quarter of the table's size, and draw the choice:
    compress model.safetensors --tensor wte.weight --bytes 25% \\
        --out small.safetensors --plot curve.svg

  Keep frequent tokens more precisely than rare ones:
    compress model.safetensors --tensor wte.weight --relative-error 0.3 \\
        --frequencies counts.npy --smoothing 1 --out small.safetensors";

/// Compress an embedding table into low-rank factors by truncated SVD
///
/// Reads one table of a safetensors file, with a row for each token, decomposes it into factors U, D and V of a low rank,
/// saves the factors as a safetensors file, and prints how far the saved factors are from the table.
///
/// Without any argument it shows on GloVe word vectors what each rank saves and costs, and draws it.
#[derive(Debug, Parser)]
#[command(name = "compress", override_usage = USAGE, after_help = EXAMPLES)]
#[command(max_term_width = 100, allow_negative_numbers = true)]
#[command(group(ArgGroup::new("size").args(["rank", "energy", "relative_error", "bytes"])))]
pub(crate) struct Arguments {
    /// The safetensors file with the table
    #[arg(value_name = "INPUT", requires_all = ["tensor", "size", "out"])]
    pub(crate) input: Option<PathBuf>,

    /// Name of the table in the file: a two-dimensional tensor of type F32, F16 or BF16
    #[arg(long, value_name = "NAME", requires = "input")]
    pub(crate) tensor: Option<String>,

    /// Keep exactly this many directions
    #[arg(long, value_name = "N", requires = "input")]
    pub(crate) rank: Option<usize>,

    /// Keep the fewest directions that hold this share of the energy (the sum of squared singular values), such as 0.9
    #[arg(long, value_name = "SHARE", requires = "input")]
    pub(crate) energy: Option<f64>,

    /// Keep the fewest directions whose relative error (Frobenius norm) is at most this, such as 0.3
    #[arg(long, value_name = "ERROR", requires = "input")]
    pub(crate) relative_error: Option<f64>,

    /// Keep as many directions as fit into an output file of this size: bytes (1500000), kB, MB, GB, KiB, MiB, GiB (1.5MB),
    /// or a percentage (25%) of the table as 32-bit floats, which is four bytes for each of its
    /// numbers
    #[arg(long, value_name = "SIZE", requires = "input")]
    pub(crate) bytes: Option<Budget>,

    /// A .npy file with one number for each row, such as how often its token occurs: the squared error of a row is weighted
    /// by its number
    #[arg(long, value_name = "FILE", requires = "input")]
    pub(crate) frequencies: Option<PathBuf>,

    /// Add this to every frequency, so that tokens that never occurred count a little too
    #[arg(long, value_name = "NUMBER", requires = "frequencies", default_value_t = 0.0)]
    pub(crate) smoothing: f64,

    /// The file that the factors are saved in; a file that is already there is replaced
    #[arg(long, value_name = "OUTPUT", requires = "input")]
    pub(crate) out: Option<PathBuf>,

    /// Draw error against size into this .png or .svg file
    #[arg(long, value_name = "FILE")]
    pub(crate) plot: Option<PathBuf>,
}

/// How the rank is to be chosen, as the command line says it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Target {
    Rank(Rank),
    FileSize(Budget),
}

/// What the command line asks for.
pub(crate) enum Task {
    Demo { plot: Option<PathBuf> },
    Compress(Job),
}

impl Arguments {
    pub(crate) fn task(self) -> Result<Task> {
        let target = self.target();
        let Self { input, tensor, frequencies, smoothing, out, plot, .. } = self;
        let Some(input) = input else {
            return Ok(Task::Demo { plot });
        };
        let (Some(tensor), Some(target), Some(out)) = (tensor, target, out) else {
            return Err("an input needs --tensor, --out and one of --rank, --energy, --relative-error, --bytes".into());
        };
        Ok(Task::Compress(Job { input, tensor, target, frequencies, smoothing, out, plot }))
    }

    fn target(&self) -> Option<Target> {
        let rank = self.rank.map(Rank::Fixed);
        let energy = self.energy.map(Rank::Energy);
        let relative_error = self.relative_error.map(Rank::RelativeError);
        let by_rank = rank.or(energy).or(relative_error).map(Target::Rank);
        by_rank.or(self.bytes.map(Target::FileSize))
    }
}

impl Target {
    /// The same in terms of the library, for a table of this shape.
    pub(crate) fn rank(self, vocab_size: usize, dim: usize) -> Result<Rank> {
        let budget = match self {
            Self::Rank(rank) => return Ok(rank),
            Self::FileSize(budget) => budget.bytes(vocab_size, dim),
        };
        let minimum = Rank::bytes(Shape { vocab_size, rank: 1, dim }) + MAX_HEADER_BYTES;
        if budget < minimum {
            let (budget, minimum) = (grouped(budget), grouped(minimum));
            return Err(format!(
                "--bytes leaves {budget} bytes, but the smallest file of factors of this table (rank 1) takes {minimum}"
            )
            .into());
        }
        Ok(Rank::Bytes(budget - MAX_HEADER_BYTES))
    }
}

/// The size that an output file may have.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Budget {
    Bytes(usize),
    Percent(f64),
}

impl Budget {
    fn bytes(self, vocab_size: usize, dim: usize) -> usize {
        match self {
            Self::Bytes(bytes) => bytes,
            Self::Percent(percent) => (percent * (size_of::<f32>() * vocab_size * dim) as f64 / 100.0) as usize,
        }
    }
}

impl FromStr for Budget {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        if let Some(percent) = text.strip_suffix('%') {
            return match percent.trim().parse() {
                Ok(percent) if percent > 0.0 && percent <= 100.0 => Ok(Self::Percent(percent)),
                _ => Err("a percentage is a number above 0 and up to 100, such as 25%".to_owned()),
            };
        }
        let unit_start = text.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(text.len());
        let (number, unit) = text.split_at(unit_start);
        let number = match number.trim().parse::<f64>() {
            Ok(number) if number.is_finite() && number > 0.0 => number,
            _ => return Err("a size is a number above 0, such as 1500000, 1.5MB or 25%".to_owned()),
        };
        let unit = match unit {
            "" | "B" => 1.0,
            "kB" | "KB" => 1e3,
            "MB" => 1e6,
            "GB" => 1e9,
            "KiB" => 1024.0,
            "MiB" => 1024.0 * 1024.0,
            "GiB" => 1024.0 * 1024.0 * 1024.0,
            _ => return Err(format!("{unit:?} is no unit: use kB, MB, GB, KiB, MiB, GiB or %")),
        };
        Ok(Self::Bytes((number * unit) as usize))
    }
}
