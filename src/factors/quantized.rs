//! Factors whose U is kept in codes of few bits.

mod bits;
mod check;
mod group;
mod level;
mod lloyd_max;
#[cfg(test)]
pub(crate) mod made_up;
mod places;
mod rotation;
mod row_scales;
mod trellis;

use std::fmt;

use half::f16;
use ndarray::{Array1, Array2, ArrayViewMut1, Axis};

pub(crate) use bits::{read_bits, write_bits};
pub(crate) use group::{CodeGroup, Run};
pub use level::Level;
pub(crate) use places::{BLOCK_ROWS, RowGroupIds, RowPlaces, SharedBytes};
pub(crate) use rotation::{BasisCode, CodedBasis, Rotation};
pub(crate) use row_scales::RowScales;
#[cfg(feature = "decompose")]
pub(crate) use trellis::DISTORTION as TRELLIS_DISTORTION;
pub(crate) use trellis::WINDOW_BITS;

use crate::{Factors, Result, TokenId};

/// A table whose rows are coordinates in common directions, coded in as many bits as each direction of each group of rows
/// deserves: ê = unit · (μ + s · (σ ∘ c) · V̂).
///
/// | part | shape | |
/// | --- | --- | --- |
/// | unit | | a power of two, that the rest is in |
/// | mean μ | \[dim\] | `f16`, optional |
/// | directions V̂ | \[rank, dim\] | in codes of a few bits, or a randomised Hadamard transform, which takes none |
/// | widths | \[groups, rank\] | bits of the codes of each direction, 0 for one that is left out |
/// | scales σ | \[groups, rank\] | `f16`, of the directions that are not left out |
/// | codes c | | of each row, as many bits as its group takes |
/// | scale s | \[`vocab_size`\] | of each row, optional, in steps of a logarithm |
/// | group of each row | \[`vocab_size`\] | 4 bits each, or ranges of ids |
#[derive(Clone, PartialEq)]
pub struct QuantizedFactors {
    level: Level,
    vocab_size: usize,
    unit: f32,
    mean: Option<Vec<f16>>,
    rotation: Rotation,
    groups: Vec<CodeGroup>,
    row_scales: Option<RowScales>,
    places: RowPlaces,
    codes: SharedBytes,
}

/// What [`QuantizedFactors`] are made of.
#[derive(Clone, Debug)]
pub(crate) struct QuantizedParts {
    pub(crate) level: Level,
    pub(crate) vocab_size: usize,
    /// A power of two.
    pub(crate) unit: f32,
    /// \[dim\]
    pub(crate) mean: Option<Vec<f16>>,
    pub(crate) rotation: Rotation,
    /// Bits of the codes of each direction \[groups, rank\].
    pub(crate) widths: Array2<u8>,
    /// The scales of the directions whose width is not 0, group by group.
    pub(crate) scales: Vec<f16>,
    pub(crate) row_scales: Option<RowScales>,
    pub(crate) row_groups: RowGroupIds,
    /// The codes of all rows, and [`CODE_PADDING`](QuantizedFactors::CODE_PADDING) zeros.
    pub(crate) codes: SharedBytes,
}

impl QuantizedFactors {
    /// The largest number of groups.
    pub const MAX_GROUPS: usize = 16;
    /// No file of quantized factors spends more bytes on its header than this: its size is at most that of the
    /// [factors](Self::size_in_bytes) and this together. [`max_header_bytes`](Self::max_header_bytes) is closer.
    pub const MAX_HEADER_BYTES: usize = header_bytes(usize::MAX);
    /// Bytes behind the codes, so that kernels may read beyond a row.
    pub(crate) const CODE_PADDING: usize = 16;

    /// # Errors
    /// What does not fit together.
    pub(crate) fn new(parts: QuantizedParts) -> std::result::Result<Self, String> {
        check::parts(&parts)?;
        let QuantizedParts { level, vocab_size, unit, mean, rotation, widths, scales, row_scales, row_groups, codes } =
            parts;
        let mut scales = scales.into_iter();
        let mut scale_of = |width: u8| if width == 0 { f16::ZERO } else { scales.next().unwrap_or_default() };
        let groups: Vec<CodeGroup> = widths
            .axis_iter(Axis(0))
            .map(|widths| {
                let scales = widths.iter().map(|&width| scale_of(width)).collect();
                CodeGroup::new(level, widths.to_vec(), scales, row_scales.map_or(0, |scales| usize::from(scales.bits)))
            })
            .collect();
        let places = RowPlaces::new(row_groups, &groups, vocab_size)?;
        let expected = places.code_bytes() + Self::CODE_PADDING;
        if codes.len() != expected {
            return Err(format!("{} bytes of codes, expected {expected}", codes.len()));
        }
        Ok(Self { level, vocab_size, unit, mean, rotation, groups, row_scales, places, codes })
    }

    /// Rows of the table.
    #[must_use]
    pub fn vocab_size(&self) -> usize {
        self.vocab_size
    }

    /// Columns of the table.
    #[must_use]
    pub fn dim(&self) -> usize {
        self.rotation.dim()
    }

    /// How many directions there are.
    #[must_use]
    pub fn rank(&self) -> usize {
        self.rotation.rank()
    }

    /// How the coordinates are coded.
    #[must_use]
    pub fn level(&self) -> Level {
        self.level
    }

    /// How many groups of rows there are, those that no row is in too.
    #[must_use]
    pub fn num_groups(&self) -> usize {
        self.groups.len()
    }

    /// Bits of the code of each direction in each group of rows, 0 where it is left out \[groups, rank\].
    #[must_use]
    pub fn widths(&self) -> Array2<u8> {
        Array2::from_shape_fn((self.num_groups(), self.rank()), |(group, direction)| {
            self.groups[group].widths[direction]
        })
    }

    /// The group of a row, if there is such a row.
    #[must_use]
    pub fn group_of(&self, id: TokenId) -> Option<usize> {
        ((id as usize) < self.vocab_size).then(|| self.places.group_of(id as usize))
    }

    /// How many numbers the factors are made of: codes, and what they are decoded with.
    #[must_use]
    pub fn num_parameters(&self) -> usize {
        let is_used = |group: &CodeGroup| usize::from(group.row_scale_bits > 0);
        let per_row: Vec<usize> = self.groups.iter().map(|group| group.order.len() + is_used(group)).collect();
        let codes: usize = self.places.rows_of_groups().iter().zip(per_row).map(|(rows, numbers)| rows * numbers).sum();
        let scales: usize = self.groups.iter().map(|group| group.order.len()).sum();
        let directions = match &self.rotation {
            Rotation::Basis(_) => self.rank() * self.dim(),
            Rotation::Hadamard { .. } => 0,
        };
        codes + scales + directions + self.mean.as_ref().map_or(0, Vec::len)
    }

    /// Bytes of all parts as they are stored, without names and sizes.
    #[must_use]
    pub fn size_in_bytes(&self) -> usize {
        let parts = self.part_bytes();
        parts.codes + parts.directions + parts.scales + parts.groups + parts.mean
    }

    /// No file of quantized factors of such a table spends more bytes on its header than this.
    #[must_use]
    pub const fn max_header_bytes(vocab_size: usize, dim: usize) -> usize {
        // Offsets, numbers of groups, a code of 8 bits for each number and each row; then what the directions take.
        let rows = vocab_size.saturating_mul(dim.saturating_add(2));
        header_bytes(rows.saturating_add(dim.saturating_add(64).saturating_mul(dim)).saturating_add(128))
    }

    /// The bytes of each part.
    #[must_use]
    pub fn part_bytes(&self) -> PartBytes {
        let used: usize = self.groups.iter().map(|group| group.order.len()).sum();
        PartBytes {
            codes: self.codes.len(),
            directions: self.rotation.size_in_bytes(),
            scales: 2 * used + self.num_groups() * self.rank().div_ceil(2),
            groups: self.places.size_in_bytes(),
            mean: self.mean.as_ref().map_or(0, |mean| 2 * mean.len()),
        }
    }

    /// The same table as factors of `f32`: U \[`vocab_size`, rank\] decoded, V̂ and the mean as they are.
    ///
    /// # Errors
    /// [`RankOutOfRange`](crate::Error::RankOutOfRange) where there are more directions than rows.
    pub fn to_factors(&self) -> Result<Factors> {
        let mut u = Array2::zeros((self.vocab_size, self.rank()));
        for (id, row) in u.axis_iter_mut(Axis(0)).enumerate() {
            self.decode(id, row);
        }
        let factors = Factors::new(u, self.directions())?;
        match self.bias() {
            Some(bias) => factors.with_bias(bias),
            None => Ok(factors),
        }
    }

    /// unit · V̂ \[rank, dim\]
    pub(crate) fn directions(&self) -> Array2<f32> {
        self.rotation.to_matrix() * self.unit
    }

    /// unit · μ \[dim\]
    pub(crate) fn bias(&self) -> Option<Array1<f32>> {
        self.mean.as_ref().map(|mean| mean.iter().map(|number| self.unit * number.to_f32()).collect())
    }

    pub(crate) fn unit(&self) -> f32 {
        self.unit
    }

    pub(crate) fn mean(&self) -> Option<&[f16]> {
        self.mean.as_deref()
    }

    pub(crate) fn rotation(&self) -> &Rotation {
        &self.rotation
    }

    pub(crate) fn groups(&self) -> &[CodeGroup] {
        &self.groups
    }

    pub(crate) fn row_scales(&self) -> Option<RowScales> {
        self.row_scales
    }

    pub(crate) fn row_groups(&self) -> &RowGroupIds {
        self.places.groups()
    }

    pub(crate) fn places(&self) -> &RowPlaces {
        &self.places
    }

    /// The codes of all rows, with the padding behind them.
    #[inline]
    pub(crate) fn codes(&self) -> &[u8] {
        self.codes.as_slice()
    }

    /// The coordinates of a row \[rank\], one number after the other: what kernels are compared with.
    pub(crate) fn decode(&self, row: usize, mut out: ArrayViewMut1<'_, f32>) {
        out.fill(0.0);
        let (group, place) = self.places.find(row);
        let group = &self.groups[group];
        let bytes = &self.codes.as_slice()[place..][..group.row_bytes()];
        group.decode(bytes, |direction, value| out[direction] = value);
        if let Some(scales) = self.row_scales {
            let code = read_bits(bytes, group.row_scale_start(), group.row_scale_bits);
            out *= scales.table()[code as usize];
        }
    }
}

/// Bytes of the parts of [`QuantizedFactors`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct PartBytes {
    /// Codes and scales of rows.
    pub codes: usize,
    /// Directions.
    pub directions: usize,
    /// Widths and scales of the directions of each group.
    pub scales: usize,
    /// Which group each row is in, and where its codes begin.
    pub groups: usize,
    /// The mean.
    pub mean: usize,
}

/// Bytes of the longest header of a file whose tensors take so many bytes.
pub(crate) const fn header_bytes(tensors: usize) -> usize {
    let digits = match tensors.checked_ilog10() {
        Some(log) => log as usize + 1,
        None => 1,
    };
    // No other number in a header is larger than this one: three in the metadata, eight in shapes, fourteen offsets.
    (8 + 609 + 25 * digits).next_multiple_of(8)
}

impl fmt::Debug for QuantizedFactors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [vocab_size, rank, dim] = [self.vocab_size(), self.rank(), self.dim()];
        let level = match self.level {
            Level::Scalar => "scalar",
            Level::Trellis => "trellis",
        };
        write!(f, "QuantizedFactors([{vocab_size}, {dim}], rank {rank}, {level}, {} bytes)", self.size_in_bytes())
    }
}
