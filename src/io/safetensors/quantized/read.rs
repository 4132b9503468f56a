//! The parts of quantized factors from a file, not yet checked against each other.

use half::f16;
use ndarray::{Array1, Array2, s};
use safetensors::{Dtype as FileDtype, tensor::TensorInfo};

use super::{
    File, Result,
    settings::{Directions, Settings},
};
use crate::{
    QuantizedFactors,
    factors::{BasisCode, CodedBasis, QuantizedParts, Rotation, RowGroupIds, SharedBytes},
};

const GROUPS: &str = "U8 [(vocab_size + 1) / 2] or U32 [groups]";

impl File {
    /// Nothing here is larger than the file: sizes that the metadata say are only compared with those of tensors.
    pub(super) fn quantized(&self) -> Result<QuantizedParts> {
        let Settings { level, vocab_size, rank, dim, unit, row_scales, directions } = self.settings()?;
        let mean = match self.has("mean") {
            true => Some(self.halves("mean", "F16 [dim]")?),
            false => None,
        };
        let widths = self.widths(rank)?;
        let mut scales = self.halves("scales", "F16 [scales]")?;
        let rotation = match directions {
            Directions::Basis { .. } if scales.len() < rank => {
                return Err(self.refused(&format!("{} scales for {rank} directions", scales.len())));
            }
            Directions::Basis { bits } => {
                let of_groups = scales.split_off(rank);
                Rotation::Basis(self.basis(bits, dim, std::mem::replace(&mut scales, of_groups))?)
            }
            Directions::Hadamard { .. } if rank != dim => {
                return Err(self.refused(&format!("{rank} directions of a Hadamard transform, expected {dim}")));
            }
            Directions::Hadamard { seed } => Rotation::Hadamard { seed, dim },
        };
        let row_groups = self.row_groups()?;
        let codes = self.mapped_bytes("codes", FileDtype::U8, "U8 [bytes]")?;
        Ok(QuantizedParts { level, vocab_size, unit, mean, rotation, widths, scales, row_scales, row_groups, codes })
    }

    fn halves(&self, name: &str, expected: &'static str) -> Result<Vec<f16>> {
        let numbers: Array1<f16> = self.array(name, FileDtype::F16, f16::from_le_bytes, expected)?;
        Ok(numbers.to_vec())
    }

    /// Bits of the codes of each direction \[groups, rank\].
    fn widths(&self, rank: usize) -> Result<Array2<u8>> {
        let pairs: Array2<u8> =
            self.array("widths", FileDtype::U8, u8::from_le_bytes, "U8 [groups, (rank + 1) / 2]")?;
        if !(1..=QuantizedFactors::MAX_GROUPS).contains(&pairs.nrows()) {
            let (actual, max) = (pairs.nrows(), QuantizedFactors::MAX_GROUPS);
            return Err(self.refused(&format!("widths of {actual} groups, expected 1 to {max}")));
        }
        if pairs.ncols() != rank.div_ceil(2) {
            let actual = pairs.ncols();
            return Err(
                self.refused(&format!("{actual} bytes of widths for each group, expected those of rank {rank}"))
            );
        }
        let widths = Array2::from_shape_fn((pairs.nrows(), 2 * pairs.ncols()), |(group, direction)| {
            pairs[[group, direction / 2]] >> (4 * (direction % 2)) & 15
        });
        match widths.slice(s![.., rank..]).iter().all(|&width| width == 0) {
            true => Ok(widths.slice_move(s![.., ..rank])),
            false => Err(self.refused("widths behind those of the last direction")),
        }
    }

    fn basis(&self, bits: u8, dim: usize, scales: Vec<f16>) -> Result<CodedBasis> {
        let basis: Array1<u8> = self.array("basis", FileDtype::U8, u8::from_le_bytes, "U8 [bytes]")?;
        let mut codes = basis.to_vec();
        let rank = scales.len();
        let kinds = codes.split_off(codes.len().saturating_sub(rank.div_ceil(8)));
        let bit = |direction: usize| kinds.get(direction / 8).is_some_and(|kinds| kinds >> (direction % 8) & 1 == 1);
        if (rank..8 * kinds.len()).any(bit) {
            return Err(self.refused("a bit behind those of the last direction"));
        }
        let kind = |direction| if bit(direction) { BasisCode::LloydMax } else { BasisCode::Uniform };
        Ok(CodedBasis { dim, bits, kinds: (0..rank).map(kind).collect(), scales, codes })
    }

    fn row_groups(&self) -> Result<RowGroupIds> {
        if self.tensor("groups")?.dtype == FileDtype::U32 {
            let first_rows: Array1<u32> = self.array("groups", FileDtype::U32, u32::from_le_bytes, GROUPS)?;
            return Ok(RowGroupIds::Ranges(first_rows.to_vec()));
        }
        let numbers = self.mapped_bytes("groups", FileDtype::U8, GROUPS)?;
        let offsets = self.mapped_bytes("offsets", FileDtype::U32, "U32 [(vocab_size + 63) / 64]")?;
        Ok(RowGroupIds::Numbers { numbers, offsets })
    }

    /// The bytes of a list of numbers, which stay in the file.
    fn mapped_bytes(&self, name: &str, dtype: FileDtype, expected: &'static str) -> Result<SharedBytes> {
        let tensor = self.tensor(name)?;
        match tensor {
            TensorInfo { dtype: actual, shape, .. } if *actual == dtype && shape.len() == 1 => {
                Ok(SharedBytes::new(self.mapped(tensor)))
            }
            _ => Err(self.unsuitable(name, tensor, expected)),
        }
    }
}
