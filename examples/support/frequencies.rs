//! Numbers for the rows of a table, from a `.npy` file.

use std::{
    fs,
    path::{Path, PathBuf},
};

use clap::Args;
use factorized_embedding::{Error, RowWeights, TokenId};
use ndarray::Array1;
use ndarray_npy::{ReadNpyError, ReadNpyExt, ReadableElement};

use super::{Result, text::grouped};

/// The options that weigh rows by how often they are used.
#[derive(Debug, Default, Args)]
pub(crate) struct Frequencies {
    /// A .npy file with one number for each row, such as how often its token occurs: the squared error of a row is weighted
    /// by its number
    #[arg(id = "frequencies", long, value_name = "FILE")]
    pub(crate) path: Option<PathBuf>,

    /// Tokens that stand in every input, such as [CLS] and [SEP], by their ids: they count as often as the most frequent one
    #[arg(long, value_name = "IDS", value_delimiter = ',', requires = "frequencies")]
    pub(crate) everywhere: Vec<TokenId>,

    /// Add this to every frequency, so that tokens that never occurred count a little too
    #[arg(long, value_name = "NUMBER", requires = "frequencies", default_value_t = 0.0)]
    pub(crate) smoothing: f64,

    /// Raise every frequency to this power: 1 weighs by frequency, 0.5 in between, 0 not at all [default: 1; codes: 0.4]
    #[arg(long, value_name = "NUMBER", requires = "frequencies")]
    pub(crate) exponent: Option<f64>,
}

impl Frequencies {
    /// The weights of all rows, where there is a file.
    pub(crate) fn row_weights(&self, vocab_size: usize, default_exponent: f64) -> Result<Option<RowWeights>> {
        let Some(path) = &self.path else { return Ok(None) };
        let weights = row_weights(path, vocab_size, self.smoothing, &self.everywhere)?;
        Ok(Some(weights.with_exponent(self.exponent.unwrap_or(default_exponent))?))
    }
}

/// The numbers of the file plus `smoothing`, one for each row; rows that `everywhere` lists count as often as the one of the
/// largest number.
pub(crate) fn row_weights(
    path: &Path,
    vocab_size: usize,
    smoothing: f64,
    everywhere: &[TokenId],
) -> Result<RowWeights> {
    let counts = counts(path, vocab_size, everywhere)?;
    let weights = valid(path, counts)?.with_smoothing(smoothing)?;
    if weights.to_vec().iter().all(|&weight| weight == 0.0) {
        return Err(format!("all numbers of {} are zero", path.display()).into());
    }
    Ok(weights)
}

/// The same numbers, without smoothing.
pub(crate) fn counts(path: &Path, vocab_size: usize, everywhere: &[TokenId]) -> Result<Vec<f64>> {
    let mut counts = read(path)?;
    if counts.len() != vocab_size {
        let (numbers, rows) = (grouped(counts.len()), grouped(vocab_size));
        return Err(format!("{} has {numbers} numbers, but the table has {rows} rows", path.display()).into());
    }
    valid(path, counts.clone())?;
    let most = counts.iter().copied().fold(0.0, f64::max);
    for (position, &id) in everywhere.iter().enumerate() {
        let count = counts.get_mut(id as usize).ok_or(Error::IdOutOfRange { id, position, vocab_size })?;
        *count = most;
    }
    Ok(counts)
}

fn valid(path: &Path, counts: Vec<f64>) -> Result<RowWeights> {
    Ok(RowWeights::new(counts).map_err(|error| format!("{}: {error}", path.display()))?)
}

/// One-dimensional integers or floats of any common type.
pub(crate) fn read(path: &Path) -> Result<Vec<f64>> {
    let bytes = fs::read(path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
    // Each reader takes its own type only.
    let readers = [
        numbers::<u64>(|x| x as f64),
        numbers::<i64>(|x| x as f64),
        numbers::<f64>(|x| x),
        numbers::<f32>(f64::from),
        numbers::<u32>(f64::from),
        numbers::<i32>(f64::from),
        numbers::<u16>(f64::from),
        numbers::<i16>(f64::from),
        numbers::<u8>(f64::from),
        numbers::<i8>(f64::from),
    ];
    for read in &readers {
        match read(&bytes) {
            Ok(numbers) => return Ok(numbers),
            Err(ReadNpyError::WrongDescriptor(_)) => {}
            Err(ReadNpyError::WrongNdim(_, dimensions)) => {
                let expected = "expected 1: one number for each row of the table";
                return Err(format!("{} has {dimensions} dimensions, {expected}", path.display()).into());
            }
            Err(error) => return Err(format!("{} is not a valid npy file: {error}", path.display()).into()),
        }
    }
    Err(format!("{} holds neither integers of 8 to 64 bits nor floats of 32 or 64 bits", path.display()).into())
}

type Reader = Box<dyn Fn(&[u8]) -> std::result::Result<Vec<f64>, ReadNpyError>>;

fn numbers<T: ReadableElement + Copy + 'static>(to_f64: fn(T) -> f64) -> Reader {
    Box::new(move |bytes| Ok(Array1::<T>::read_npy(bytes)?.iter().map(|&number| to_f64(number)).collect()))
}
