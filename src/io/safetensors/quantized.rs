//! Quantized factors as a file.

mod read;
mod settings;
#[cfg(test)]
mod tests;

use std::path::Path;

use half::f16;
use safetensors::Dtype as FileDtype;

use super::{
    File,
    tensors::{QUANTIZED, Tensor, save_tensors},
};
use crate::{
    QuantizedFactors, Result,
    factors::{BasisCode, Rotation, RowGroupIds},
};

/// Saves quantized factors: see [the format](crate::io::safetensors#format-of-quantized-factors).
///
/// As with [`save_factors`](super::save_factors), the file is there whole or not at all, and the same factors always give the
/// same bytes.
///
/// # Errors
/// [`Io`](crate::Error::Io), also where `path` is a folder or a device: what stood there before is then still there.
///
/// # Examples
///
/// ```
/// use factorized_embedding::io::safetensors::{load_quantized, save_quantized};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("factors.safetensors");
/// let factors = load_quantized("tests/data/quantized-factors-v1.safetensors")?;
/// save_quantized(&path, &factors)?;
/// assert_eq!(load_quantized(&path)?, factors);
/// # Ok(())
/// # }
/// ```
pub fn save_quantized(path: impl AsRef<Path>, factors: &QuantizedFactors) -> Result<()> {
    let [dim, rank, num_groups] = [factors.dim(), factors.rank(), factors.num_groups()];
    let mean = factors.mean().map(to_bytes);
    let scales = scales(factors);
    let num_scales = scales.len() / size_of::<f16>();
    let widths = widths(factors);
    let basis = basis(factors.rotation());
    let mut tensors = Vec::new();
    tensors.extend(mean.as_ref().map(|mean| ("mean", Tensor::raw(FileDtype::F16, vec![dim], mean))));
    tensors.push(("scales", Tensor::raw(FileDtype::F16, vec![num_scales], &scales)));
    tensors.push(("widths", Tensor::raw(FileDtype::U8, vec![num_groups, rank.div_ceil(2)], &widths)));
    tensors.extend(basis.as_ref().map(|basis| ("basis", Tensor::of_bytes(basis))));
    let ranges: Vec<u8>;
    match factors.row_groups() {
        RowGroupIds::Ranges(first_rows) => {
            ranges = first_rows.iter().flat_map(|first| first.to_le_bytes()).collect();
            tensors.push(("groups", Tensor::raw(FileDtype::U32, vec![num_groups], &ranges)));
        }
        RowGroupIds::Numbers { numbers, offsets } => {
            let blocks = offsets.len() / size_of::<u32>();
            tensors.push(("offsets", Tensor::raw(FileDtype::U32, vec![blocks], offsets.as_slice())));
            tensors.push(("groups", Tensor::of_bytes(numbers.as_slice())));
        }
    }
    // The last of the file: what is read beyond the codes of a row is padding.
    tensors.push(("codes", Tensor::of_bytes(factors.codes())));
    let tensors = tensors.into_iter().map(|(name, tensor)| (name.to_owned(), tensor)).collect();
    save_tensors(path.as_ref(), QUANTIZED, &settings::of(factors), tensors)
}

/// Loads quantized factors that [`save_quantized`] wrote, bit for bit.
///
/// The codes, the groups of rows and where rows begin stay in the [mapped](crate::io::safetensors#memory-maps) file. The groups
/// are looked at once; codes are read when their rows are.
///
/// # Errors
/// [`Io`](crate::Error::Io), [`InvalidFile`](crate::Error::InvalidFile) also for a file of another format or of parts that do not
/// fit together, [`UnsupportedVersion`](crate::Error::UnsupportedVersion), [`TensorNotFound`](crate::Error::TensorNotFound),
/// [`UnsuitableTensor`](crate::Error::UnsuitableTensor).
pub fn load_quantized(path: impl AsRef<Path>) -> Result<QuantizedFactors> {
    let file = File::open(path.as_ref())?;
    file.check_format(QUANTIZED)?;
    QuantizedFactors::new(file.quantized()?).map_err(|reason| file.invalid(QUANTIZED, reason))
}

fn to_bytes(numbers: &[f16]) -> Vec<u8> {
    numbers.iter().flat_map(|number| number.to_le_bytes()).collect()
}

/// The scales of the directions, then those of each group for the directions that it has codes of.
fn scales(factors: &QuantizedFactors) -> Vec<u8> {
    let mut bytes = match factors.rotation() {
        Rotation::Basis(basis) => to_bytes(&basis.scales),
        Rotation::Hadamard { .. } => Vec::new(),
    };
    for group in factors.groups() {
        let used = group.widths.iter().zip(&group.scales).filter(|&(&width, _)| width > 0);
        bytes.extend(used.flat_map(|(_, scale)| scale.to_le_bytes()));
    }
    bytes
}

/// Two widths in a byte, the lower half first; a row of bytes for each group.
fn widths(factors: &QuantizedFactors) -> Vec<u8> {
    let pair = |pair: &[u8]| pair[0] | pair.get(1).map_or(0, |second| second << 4);
    factors.groups().iter().flat_map(|group| group.widths.chunks(2).map(pair)).collect()
}

/// The codes of the directions, then a bit for each of them that says how it is coded.
fn basis(rotation: &Rotation) -> Option<Vec<u8>> {
    let Rotation::Basis(basis) = rotation else { return None };
    let bit = |(i, &kind): (usize, &BasisCode)| u8::from(kind == BasisCode::LloydMax) << i;
    let kinds = basis.kinds.chunks(8).map(|kinds| kinds.iter().enumerate().map(bit).sum());
    Some(basis.codes.iter().copied().chain(kinds).collect())
}
