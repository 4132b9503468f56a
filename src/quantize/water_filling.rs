//! Bits for every direction of every group of rows.

mod solve;

use std::fmt;

use ndarray::{Array1, Array2, ArrayView1, ArrayView2};

use super::{
    Level,
    distortion::{Distortions, distortions},
};
use crate::{Error, QuantizedFactors, Result, factors::CodeGroup};

/// Reverse water-filling over groups of rows × directions: the widths of codes that lose the least within a number of bytes
/// (Cover & Thomas, "Elements of Information Theory", § 10.3.3; with codes of whole bits, by a price of the byte: Shoham & Gersho 1988,
/// "Efficient bit allocation for an arbitrary set of quantizers").
///
/// A code of b bits for direction j of group g leaves the share D(b) of its energy, those of Gaussian coordinates, and costs b bits in
/// each row of the group. Rows are whole bytes, and every byte is counted: what a direction takes in V̂ if any group uses it, its scale in
/// each group that uses it, the width table, and what a row takes beside its codes.
///
/// At [`Level::Scalar`] more bytes never give more error. Of a trellis that is so but for groups whose rows are about as short as a
/// trellis can be: whether they have one changes all their distortions at once.
///
/// # Examples
///
/// ```
/// use factorized_embedding::quantize::{Level, WaterFilling};
/// use ndarray::array;
///
/// # fn main() -> factorized_embedding::Result<()> {
/// // Two groups of 10 and 90 rows, and two directions of very different energies.
/// let energies = array![[1000.0, 10.0], [200.0, 1.0]];
/// let water = WaterFilling::new(energies.view(), &[10, 90], Level::Scalar)?;
/// let Some(allocation) = water.allocate(120) else { panic!("120 bytes hold something") };
/// assert_eq!(allocation.widths, array![[8, 8], [6, 2]]);
/// assert_eq!(allocation.bytes, 10 * 2 + 90 + 4 * 2 + 2); // rows, scales, and half a byte for each width
/// # Ok(())
/// # }
/// ```
#[derive(Clone, PartialEq)]
pub struct WaterFilling {
    level: Level,
    /// Σ w·y² of each direction in each group, as shares of their sum \[groups, rank\].
    energies: Array2<f64>,
    /// Of what codes are made of, where that is more: coordinates in directions that are not quite orthogonal \[groups, rank\].
    coded: Array2<f64>,
    /// The sum of the energies.
    total: f64,
    /// What using a direction costs beside the distortion of its codes, in shares of the sum \[groups, rank\].
    surcharges: Array2<f64>,
    /// Rows of each group \[groups\].
    rows: Vec<usize>,
    /// Bits of a direction that is used, in V̂; `None` where directions cost nothing, and all are there.
    direction_bits: Option<usize>,
    /// Bits of a row beside its codes.
    row_bits: usize,
}

/// Widths of codes, what they take and what they lose.
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub struct BitAllocation {
    /// Bits of the code of each direction in each group, 0 where it is left out \[groups, rank\].
    pub widths: Array2<u8>,
    /// Bytes of rows, directions, scales and widths.
    pub bytes: usize,
    /// The energy that is lost.
    pub error: f64,
}

impl WaterFilling {
    /// Directions that cost nothing by themselves, and rows of nothing but codes.
    ///
    /// # Shapes
    /// `energies` \[groups, rank\], of all rows of a group together; `rows` \[groups\], how many these are
    ///
    /// # Errors
    /// [`Empty`](Error::Empty), [`ShapeMismatch`](Error::ShapeMismatch), [`NonFinite`](Error::NonFinite),
    /// [`InvalidSetting`](Error::InvalidSetting) for a negative energy or more than
    /// [`MAX_GROUPS`](QuantizedFactors::MAX_GROUPS) groups; [`Overflow`](Error::Overflow) for energies whose sum is beyond `f64`, or more
    /// rows than there are token ids.
    pub fn new(energies: ArrayView2<'_, f64>, rows: &[usize], level: Level) -> Result<Self> {
        let (num_groups, rank) = energies.dim();
        if num_groups == 0 || rank == 0 {
            return Err(Error::Empty { what: "energies [groups, rank]", shape: vec![num_groups, rank] });
        }
        if num_groups > QuantizedFactors::MAX_GROUPS {
            return Err(Error::InvalidSetting {
                name: "number of groups",
                value: num_groups as f64,
                expected: "1 to 16 groups",
            });
        }
        if rows.len() != num_groups {
            let (expected, actual) = (vec![num_groups], vec![rows.len()]);
            return Err(Error::ShapeMismatch { what: "rows [groups]", expected, actual });
        }
        if let Some(((group, direction), &value)) = energies.indexed_iter().find(|(_, energy)| !energy.is_finite()) {
            return Err(Error::NonFinite { what: "energies [groups, rank]", index: vec![group, direction], value });
        }
        if let Some(&value) = energies.iter().find(|&&energy| energy < 0.0) {
            let expected = "a number that is not negative";
            return Err(Error::InvalidSetting { name: "energy", value, expected });
        }
        // Shares of the largest first, so that their sum is finite.
        let largest = energies.iter().copied().fold(0.0, f64::max);
        let scale = if largest > 0.0 { largest } else { 1.0 };
        let sum: f64 = energies.iter().map(|energy| energy / scale).sum();
        let share = if sum > 0.0 { sum } else { 1.0 };
        if !(sum * scale).is_finite()
            || rows.iter().try_fold(0, |all: u32, &rows| all.checked_add(u32::try_from(rows).ok()?)).is_none()
        {
            return Err(Error::Overflow { what: "energies or rows" });
        }
        let energies = energies.mapv(|energy| energy / scale / share);
        Ok(Self {
            level,
            coded: energies.clone(),
            total: sum * scale,
            surcharges: Array2::zeros(energies.raw_dim()),
            energies,
            rows: rows.to_vec(),
            direction_bits: None,
            row_bits: 0,
        })
    }

    /// With directions that take so many bits of their own, and none where no group uses them (one is always kept).
    #[must_use]
    pub fn with_direction_bits(self, bits: usize) -> Self {
        Self { direction_bits: Some(bits), ..self }
    }

    /// With so many bits beside the codes, in rows that have any.
    #[must_use]
    pub fn with_row_bits(self, bits: usize) -> Self {
        Self { row_bits: bits, ..self }
    }

    /// With energies of what is coded that are larger than what is lost without codes; and with an energy that is lost (or, if it is
    /// negative, saved) wherever a direction is used.
    ///
    /// # Shapes
    /// `coded` and `surcharges` \[groups, rank\], those of the energies
    pub(super) fn with_coded(self, coded: &Array2<f64>, surcharges: &Array2<f64>) -> Self {
        debug_assert!(coded.dim() == self.energies.dim() && surcharges.dim() == self.energies.dim());
        let total = if self.total > 0.0 { self.total } else { 1.0 };
        Self { coded: coded / total, surcharges: surcharges / total, ..self }
    }

    /// The best widths that take at most so many bytes; `None` where not even rows without any codes do.
    #[must_use]
    pub fn allocate(&self, bytes: usize) -> Option<BitAllocation> {
        let tables = [distortions(Level::Scalar), distortions(self.level)];
        let num_groups = self.rows.len();
        let mut best: Option<BitAllocation> = None;
        // Rows of few bits have no trellis: those of the last groups, if any.
        for with_trellis in (0..=num_groups).rev() {
            let of_groups: Vec<Distortions> =
                (0..num_groups).map(|group| tables[usize::from(group < with_trellis)]).collect();
            let widths = solve::solve(self, &of_groups, bytes)?;
            let error = self.error(&widths);
            let is_done = self.level == Level::Scalar
                || (0..with_trellis).all(|group| has_trellis(self.level, widths.row(group)));
            if best.as_ref().is_none_or(|best| error < best.error) {
                best = Some(BitAllocation { bytes: self.bytes(&widths), error, widths });
            }
            if is_done {
                break;
            }
        }
        best
    }

    /// The fewest bytes of any allocation.
    #[must_use]
    pub fn min_bytes(&self) -> usize {
        self.bytes(&Array2::zeros(self.energies.raw_dim()))
    }

    /// The bytes of an allocation.
    pub(super) fn bytes(&self, widths: &Array2<u8>) -> usize {
        let used: usize = widths.iter().filter(|&&width| width > 0).count();
        let rows: usize = widths
            .rows()
            .into_iter()
            .zip(&self.rows)
            .map(|(widths, &rows)| {
                rows.saturating_mul(self.row_bytes(widths.iter().map(|&width| usize::from(width)).sum()))
            })
            .fold(0, usize::saturating_add);
        let directions = widths.columns().into_iter().filter(|widths| widths.iter().any(|&width| width > 0)).count();
        rows.saturating_add(2 * used).saturating_add(self.direction_bytes(directions))
    }

    /// What is lost, by the codes that groups of these widths are really made of.
    pub(super) fn error(&self, widths: &Array2<u8>) -> f64 {
        self.total * self.losses(widths).sum()
    }

    /// The share that is lost in each group.
    pub(super) fn losses(&self, widths: &Array2<u8>) -> Array1<f64> {
        let group = |group: usize| -> f64 {
            let table = self.distortions_of(widths.row(group));
            let cell = |(direction, &width): (usize, &u8)| match width {
                0 => self.energies[[group, direction]],
                width => self.loss([group, direction], table[usize::from(width)]),
            };
            widths.row(group).iter().enumerate().map(cell).sum()
        };
        (0..self.rows.len()).map(group).collect()
    }

    /// The errors of codes in rows of these widths.
    pub(super) fn distortions_of(&self, widths: ArrayView1<'_, u8>) -> Distortions {
        distortions(if has_trellis(self.level, widths) { self.level } else { Level::Scalar })
    }

    /// What a cell loses with codes of this distortion.
    fn loss(&self, cell: [usize; 2], distortion: f64) -> f64 {
        self.coded[cell] * distortion + self.surcharges[cell]
    }

    /// Bytes of a row of codes of so many bits.
    fn row_bytes(&self, code_bits: usize) -> usize {
        if code_bits == 0 { 0 } else { code_bits.saturating_add(self.row_bits).div_ceil(8) }
    }

    /// Bytes of V̂ and of the width table when so many directions are used.
    fn direction_bytes(&self, used: usize) -> usize {
        let (stored, bits) = match self.direction_bits {
            Some(bits) => (used.max(1), bits),
            None => (self.energies.ncols(), 0),
        };
        stored.saturating_mul(bits).div_ceil(8).saturating_add(self.rows.len() * stored.div_ceil(2))
    }
}

/// Whether rows of these widths are steps of a trellis, not only numbers by themselves.
fn has_trellis(level: Level, widths: ArrayView1<'_, u8>) -> bool {
    CodeGroup::new(level, widths.to_vec(), Vec::new(), 0).trellis_bits > 0
}

impl fmt::Debug for WaterFilling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (groups, rank) = self.energies.dim();
        write!(f, "WaterFilling({groups} groups × {rank} directions, {:?})", self.level)
    }
}

impl fmt::Debug for BitAllocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { widths, bytes, error } = self;
        write!(f, "BitAllocation(widths {:?}, {bytes} bytes, error {error})", widths.shape())
    }
}
