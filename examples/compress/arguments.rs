//! The command line.

use std::path::PathBuf;

use clap::{ArgGroup, Parser};
use factorized_embedding::Rank;

use crate::{
    budget::{Budget, Target},
    job::Job,
    method::Method,
    settings::Settings,
    support::{Result, frequencies::Frequencies},
};

const USAGE: &str = "\
compress [--plot FILE]
       compress INPUT --tensor NAME
                (--rank N | --energy SHARE | --relative-error ERROR | --bytes SIZE | --ratio R | --bits B) --out OUTPUT
                [--method METHOD] [--frequencies FILE [--everywhere IDS] [--smoothing NUMBER] [--exponent NUMBER]]
                [--block-rows N [--state FILE]] [--plot FILE] [options of the method]";

const EXAMPLES: &str = "\
Examples (from the folder of the crate, `compress` is `cargo run --release --example compress --`):

  See on GloVe word vectors what each rank and each method saves and costs:
    compress

  Keep 96 of the directions of a model's table:
    compress model.safetensors --tensor embeddings.word_embeddings.weight \\
        --rank 96 --out small.safetensors

  Make a file of at most a quarter of the table's size, and draw the choice:
    compress model.safetensors --tensor wte.weight --bytes 25% \\
        --out small.safetensors --plot curve.svg

  Keep frequent tokens more precisely than rare ones:
    compress model.safetensors --tensor wte.weight --relative-error 0.3 \\
        --frequencies counts.npy --smoothing 1 --out small.safetensors

  The same, with a rank of its own for each of six groups of tokens (the lowest error for its bytes):
    compress model.safetensors --tensor wte.weight --bytes 25% --method blockwise --row-groups 6 \\
        --frequencies counts.npy --smoothing 1 --out small.safetensors

  An eighth of the bytes at an error that is hard to notice: all directions in codes of few bits:
    compress model.safetensors --tensor wte.weight --method quantized --ratio 8 \\
        --frequencies counts.npy --smoothing 1 --out small.safetensors

  A table larger than memory, in a sharded checkpoint, with a run that can be interrupted and started again:
    compress checkpoint/ --tensor model.embed_tokens.weight --rank 256 --method gram \\
        --block-rows 8192 --state sums.bin --out small.safetensors";

/// Compress an embedding table into low-rank factors, or into codes of few bits
///
/// Reads one table of a safetensors file, with a row for each token, decomposes it into factors U, D and V of a low rank (or
/// into groups of rows with such factors each, or into codes of all directions), saves them as a safetensors file, and prints
/// how far what is saved is from the table.
///
/// Without any argument it shows on GloVe word vectors what each rank and each method saves and costs, and draws it.
#[derive(Debug, Parser)]
#[command(name = "compress", override_usage = USAGE, after_help = EXAMPLES)]
#[command(max_term_width = 100, allow_negative_numbers = true)]
#[command(group(ArgGroup::new("size").args(["rank", "energy", "relative_error", "bytes", "ratio", "bits"])))]
pub(crate) struct Arguments {
    /// The safetensors file with the table; of a sharded checkpoint its folder or its index
    #[arg(value_name = "INPUT", requires_all = ["tensor", "size", "out"])]
    pub(crate) input: Option<PathBuf>,

    /// Name of the table in the file: a two-dimensional tensor of type F32, F16 or BF16
    #[arg(long, value_name = "NAME", requires = "input")]
    pub(crate) tensor: Option<String>,

    /// Keep exactly this many directions; for blockwise, take the bytes that so many would
    #[arg(long, value_name = "N", requires = "input")]
    pub(crate) rank: Option<usize>,

    /// Keep the fewest directions that hold this share of the energy (the sum of squared singular values), such as 0.9
    #[arg(long, value_name = "SHARE", requires = "input")]
    pub(crate) energy: Option<f64>,

    /// Keep the fewest directions (quantized: bits) whose relative error (Frobenius norm) is at most this, such as 0.3
    #[arg(long, value_name = "ERROR", requires = "input")]
    pub(crate) relative_error: Option<f64>,

    /// Keep as many directions as fit into an output file of this size: bytes (1500000), kB, MB, GB, KiB, MiB, GiB (1.5MB),
    /// or a percentage (25%) of the table as 32-bit floats, which is four bytes for each of its
    /// numbers
    #[arg(long, value_name = "SIZE", requires = "input")]
    pub(crate) bytes: Option<Budget>,

    /// The same, for a file that is this many times smaller than the table as 32-bit floats, such as 8
    #[arg(long, value_name = "R", requires = "input", value_parser = ratio)]
    pub(crate) ratio: Option<Budget>,

    /// The same, for a file of so many bits for each number of the table, such as 4
    #[arg(long, value_name = "B", requires = "input", value_parser = bits)]
    pub(crate) bits: Option<Budget>,

    /// How to factorize the table
    #[arg(long, value_enum, value_name = "METHOD", requires = "input")]
    #[arg(default_value_t = Method::Svd)]
    pub(crate) method: Method,

    #[command(flatten)]
    pub(crate) frequencies: Frequencies,

    /// Read the table from the file in blocks of so many rows, several times, so that it is never whole in memory; not for
    /// als and blockwise
    #[arg(long, value_name = "N", requires = "input", value_parser = block_rows)]
    pub(crate) block_rows: Option<usize>,

    /// gram, gram-f32: keep the sums of the first pass in this file, and go on from them where it is there already: an
    /// interrupted run goes on where it was, and sums of all rows serve for any other rank
    #[arg(long, value_name = "FILE", requires = "block_rows")]
    pub(crate) state: Option<PathBuf>,

    /// The file that the factors are saved in; a file that is already there is replaced
    #[arg(long, value_name = "OUTPUT", requires = "input")]
    pub(crate) out: Option<PathBuf>,

    /// Draw error against size into this .png or .svg file; not for quantized
    #[arg(long, value_name = "FILE")]
    pub(crate) plot: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) settings: Settings,
}

fn block_rows(text: &str) -> std::result::Result<usize, String> {
    match text.parse() {
        Ok(rows) if rows > 0 => Ok(rows),
        _ => Err("a number of rows is 1 or more, such as 8192".to_owned()),
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
    Demo { plot: Option<PathBuf> },
    Compress(Box<Job>),
}

impl Arguments {
    pub(crate) fn task(self) -> Result<Task> {
        let target = self.target();
        self.check()?;
        let Self { input, tensor, method, frequencies, .. } = self;
        let Self { block_rows, state, out, plot, settings, .. } = self;
        let Some(input) = input else {
            if frequencies.path.is_some() {
                return Err("--frequencies is for the rows of an INPUT".into());
            }
            return Ok(Task::Demo { plot });
        };
        let (Some(tensor), Some(target), Some(out)) = (tensor, target, out) else {
            return Err("an input needs --tensor, --out and one of --rank, --energy, --relative-error, --bytes, --ratio, --bits".into());
        };
        let job = Job { input, tensor, target, method, settings, frequencies, block_rows, state, out, plot };
        Ok(Task::Compress(Box::new(job)))
    }

    /// What the parser cannot tell: which options belong together.
    fn check(&self) -> Result<()> {
        let given = [
            ("--rank", self.rank.is_some()),
            ("--energy", self.energy.is_some()),
            ("--relative-error", self.relative_error.is_some()),
            ("--block-rows", self.block_rows.is_some()),
            ("--state", self.state.is_some()),
            ("--plot", self.plot.is_some()),
        ];
        let given: Vec<&str> = given.into_iter().filter_map(|(option, given)| given.then_some(option)).collect();
        self.method.check(&given)?;
        self.settings.check(self.method)?;
        if self.method == Method::Blockwise && self.frequencies.path.is_none() {
            return Err("--method blockwise puts rows into groups by how often they are used: \
                        say it with --frequencies FILE"
                .into());
        }
        Ok(())
    }

    fn target(&self) -> Option<Target> {
        let rank = self.rank.map(Rank::Fixed);
        let energy = self.energy.map(Rank::Energy);
        let relative_error = self.relative_error.map(Rank::RelativeError);
        let by_rank = rank.or(energy).or(relative_error).map(Target::Rank);
        by_rank.or(self.bytes.or(self.ratio).or(self.bits).map(Target::FileSize))
    }
}
