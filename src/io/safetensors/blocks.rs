//! Factors of rows in groups as a file.

use std::path::Path;

use ndarray::Array1;
use safetensors::Dtype as FileDtype;

use super::{
    File,
    tensors::{BLOCK_FACTORS, PARTS, Tensor, factor_tensors, save_tensors},
};
use crate::{BlockFactors, Error, Factors, Result};

/// No file of factors of so many groups spends more bytes on its header than this: its size is at most that of the
/// [factors](BlockFactors::size_in_bytes) and this together.
#[must_use]
pub const fn max_block_header_bytes(num_groups: usize) -> usize {
    320 + 640 * num_groups
}

/// Saves factors of rows in groups: see [the format](crate::io::safetensors#format-of-block-factors).
///
/// As with [`save_factors`](super::save_factors), the file is there whole or not at all, and the same factors always give the
/// same bytes.
///
/// # Errors
/// [`Io`](Error::Io), also where `path` is a folder or a device: what stood there before is then still there.
///
/// # Examples
///
/// ```
/// use factorized_embedding::{BlockFactors, Factors, io::safetensors::{load_block_factors, save_block_factors}};
/// use ndarray::array;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("factors.safetensors");
/// let used_often = Factors::new(array![[1.0], [2.0]], array![[3.0, 4.0]])?;
/// let factors = BlockFactors::new(vec![0, 1, 0], vec![Some(used_often), None], 2)?;
/// save_block_factors(&path, &factors)?;
/// assert_eq!(load_block_factors(&path)?, factors);
/// # Ok(())
/// # }
/// ```
pub fn save_block_factors(path: impl AsRef<Path>, factors: &BlockFactors) -> Result<()> {
    let mut tensors = vec![("group_of".to_owned(), Tensor::of_bytes(factors.group_of()))];
    for (group, block) in factors.blocks().iter().enumerate() {
        tensors.extend(block.iter().flat_map(|factors| factor_tensors(&prefix(group), factors)));
    }
    let metadata = [("num_groups", factors.num_groups().to_string()), ("dim", factors.dim().to_string())];
    save_tensors(path.as_ref(), BLOCK_FACTORS, &metadata, tensors)
}

/// Loads factors that [`save_block_factors`] wrote, bit for bit.
///
/// # Errors
/// [`Io`](Error::Io), [`InvalidFile`](Error::InvalidFile) also for a file of another format or of factors that do not fit
/// together, [`UnsupportedVersion`](Error::UnsupportedVersion), [`TensorNotFound`](Error::TensorNotFound),
/// [`UnsuitableTensor`](Error::UnsuitableTensor).
pub fn load_block_factors(path: impl AsRef<Path>) -> Result<BlockFactors> {
    let file = File::open(path.as_ref())?;
    file.check_format(BLOCK_FACTORS)?;
    let num_groups = file.number(BLOCK_FACTORS, "num_groups", 1..=BlockFactors::MAX_GROUPS)?;
    let dim = file.number(BLOCK_FACTORS, "dim", 1..=usize::MAX)?;
    file.check_blocks(num_groups)?;
    let group_of: Array1<u8> = file.array("group_of", FileDtype::U8, u8::from_le_bytes, "U8 [vocab_size]")?;
    let blocks = (0..num_groups).map(|group| file.block(group)).collect::<Result<_>>()?;
    let invalid = |reason| file.invalid(BLOCK_FACTORS, reason);
    let factors = BlockFactors::new(group_of.to_vec(), blocks, dim).map_err(|error| invalid(error.to_string()))?;
    if dim > MAX_UNBACKED_DIM && factors.blocks().iter().all(Option::is_none) {
        return Err(invalid(format!("it has {dim} columns and no numbers in them, at most {MAX_UNBACKED_DIM}")));
    }
    Ok(factors)
}

/// Columns of a table of zeros, of which a file has no numbers, at most: a lookup in it allocates as many.
const MAX_UNBACKED_DIM: usize = 1 << 20;

/// What the names of the tensors of a group begin with.
fn prefix(group: usize) -> String {
    format!("{PREFIX}{group}.")
}

const PREFIX: &str = "blocks.";

impl File {
    /// Every tensor that is named like one of a group is one.
    fn check_blocks(&self, num_groups: usize) -> Result<()> {
        let is_part = |name: &str| {
            let (group, part) = name.split_once('.')?;
            let number = group.parse().ok().filter(|number: &usize| number.to_string() == group)?;
            (number < num_groups && PARTS.contains(&part)).then_some(())
        };
        let mut names = self.header.tensors.keys();
        match names.find(|name| name.strip_prefix(PREFIX).is_some_and(|name| is_part(name).is_none())) {
            None => Ok(()),
            Some(name) => {
                let reason = format!("tensor {name:?} is no part of the factors of {num_groups} groups");
                Err(self.invalid(BLOCK_FACTORS, reason))
            }
        }
    }

    /// The factors of a group, if it has any.
    fn block(&self, group: usize) -> Result<Option<Factors>> {
        let prefix = prefix(group);
        if !PARTS.iter().any(|part| self.has(&format!("{prefix}{part}"))) {
            return Ok(None);
        }
        let invalid = |error: Error| self.invalid(BLOCK_FACTORS, format!("group {group}: {error}"));
        self.factors(&prefix)?.map(Some).map_err(invalid)
    }
}
