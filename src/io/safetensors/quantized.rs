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
pub(in crate::io) use settings::of as settings_of;

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
    save_tensors(path.as_ref(), QUANTIZED, &settings_of(factors), QuantizedTensors::new(factors).tensors(""))
}

/// Quantized factors as they go into a file.
pub(in crate::io) struct QuantizedTensors<'a> {
    factors: &'a QuantizedFactors,
    mean: Option<Vec<u8>>,
    scales: Vec<u8>,
    widths: Vec<u8>,
    basis: Option<Vec<u8>>,
    /// The first row of each group, where groups are ranges.
    first_rows: Vec<u8>,
}

impl<'a> QuantizedTensors<'a> {
    pub(in crate::io) fn new(factors: &'a QuantizedFactors) -> Self {
        let first_rows = match factors.row_groups() {
            RowGroupIds::Ranges(first_rows) => first_rows.iter().flat_map(|first| first.to_le_bytes()).collect(),
            RowGroupIds::Numbers { .. } => Vec::new(),
        };
        Self {
            factors,
            mean: factors.mean().map(to_bytes),
            scales: scales(factors),
            widths: widths(factors),
            basis: basis(factors.rotation()),
            first_rows,
        }
    }

    /// The tensors, each name behind a prefix.
    pub(in crate::io) fn tensors(&self, prefix: &str) -> Vec<(String, Tensor<'_>)> {
        let Self { factors, mean, scales, widths, basis, first_rows } = self;
        let [dim, rank, num_groups] = [factors.dim(), factors.rank(), factors.num_groups()];
        let num_scales = scales.len() / size_of::<f16>();
        let mut tensors = Vec::new();
        tensors.extend(mean.as_ref().map(|mean| ("mean", Tensor::raw(FileDtype::F16, vec![dim], mean))));
        tensors.push(("scales", Tensor::raw(FileDtype::F16, vec![num_scales], scales)));
        tensors.push(("widths", Tensor::raw(FileDtype::U8, vec![num_groups, rank.div_ceil(2)], widths)));
        tensors.extend(basis.as_ref().map(|basis| ("basis", Tensor::of_bytes(basis))));
        match factors.row_groups() {
            RowGroupIds::Ranges(_) => {
                tensors.push(("groups", Tensor::raw(FileDtype::U32, vec![num_groups], first_rows)));
            }
            RowGroupIds::Numbers { numbers, offsets } => {
                let blocks = offsets.len() / size_of::<u32>();
                tensors.push(("offsets", Tensor::raw(FileDtype::U32, vec![blocks], offsets.as_slice())));
                tensors.push(("groups", Tensor::of_bytes(numbers.as_slice())));
            }
        }
        // The last of the file: what is read beyond the codes of a row is padding.
        tensors.push(("codes", Tensor::of_bytes(factors.codes())));
        tensors.into_iter().map(|(name, tensor)| (format!("{prefix}{name}"), tensor)).collect()
    }
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
    File::open(path.as_ref())?.checked_quantized()
}

impl File {
    /// Quantized factors of this format and version that fit together.
    pub(in crate::io) fn checked_quantized(&self) -> Result<QuantizedFactors> {
        self.check_format(QUANTIZED)?;
        QuantizedFactors::new(self.quantized()?).map_err(|reason| self.invalid(QUANTIZED, reason))
    }
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
