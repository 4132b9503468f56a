//! What the singular values of a table say about every rank.

#[cfg(feature = "serde")]
mod stored;

use std::fmt;

use ndarray::{Array1, ArrayView1};

use crate::{Error, Result, embedding::check};

/// The singular values of a decomposed matrix, and what each rank would keep, lose and take.
///
/// With row weights, a column covariance or without its mean it is the matrix so weighted that was decomposed; energies and
/// errors are then the weighted ones, and relative to the table as it was, mean included.
#[derive(Clone, PartialEq)]
pub struct Spectrum {
    singular_values: Array1<f64>,
    /// Energy Σ σ² of directions that are not listed.
    unlisted_energy: f64,
    total_energy: f64,
    /// Bytes of the first rank directions, for rank = 0..=len.
    bytes: Bytes,
    shape: [usize; 2],
}

#[derive(Clone, Debug, PartialEq)]
enum Bytes {
    /// Every direction takes as many.
    Equal { fixed: usize, per_direction: usize },
    /// Directions of groups of rows: the bytes of the first rank of them, for rank = 0..=len.
    OfBlocks(Vec<usize>),
}

impl Spectrum {
    /// The spectrum of a table \[`vocab_size`, dim\] of which all singular values are known, in any order.
    ///
    /// # Errors
    /// [`ShapeMismatch`](Error::ShapeMismatch) for another number of values than min(`vocab_size`, dim),
    /// [`Empty`](Error::Empty), [`VocabularyTooLarge`](Error::VocabularyTooLarge),
    /// [`NonFinite`](Error::NonFinite), [`InvalidSetting`](Error::InvalidSetting) for a negative value.
    pub fn new(singular_values: Array1<f64>, vocab_size: usize, dim: usize) -> Result<Self> {
        check::table("table [vocab_size, dim]", [vocab_size, dim])?;
        if singular_values.len() != vocab_size.min(dim) {
            return Err(Error::ShapeMismatch {
                what: "singular values [min(vocab_size, dim)]",
                expected: vec![vocab_size.min(dim)],
                actual: vec![singular_values.len()],
            });
        }
        for (index, &value) in singular_values.iter().enumerate() {
            if !value.is_finite() {
                return Err(Error::NonFinite { what: "singular values", index: vec![index], value });
            }
            if value < 0.0 {
                return Err(Error::InvalidSetting { name: "a singular value", value, expected: "no negative number" });
            }
        }
        let largest = singular_values.iter().fold(0.0, |largest: f64, &value| largest.max(value));
        if largest > 0.0 && !(1e-100..1e100).contains(&largest) {
            let expected = "a number between 1e-100 and 1e100, whose square can be compared";
            return Err(Error::InvalidSetting { name: "the largest singular value", value: largest, expected });
        }
        let mut values = singular_values.to_vec();
        values.sort_by(|a, b| b.total_cmp(a));
        let energy = values.iter().rev().map(|value| value * value).sum();
        Ok(Self::of_parts(values.into(), energy, energy, [vocab_size, dim], false))
    }

    /// The spectrum of what was decomposed: singular values that never increase, the energy of the decomposed matrix and that
    /// of the (weighted) table before its mean was taken off.
    pub(super) fn of_parts(
        singular_values: Array1<f64>,
        decomposed_energy: f64,
        total_energy: f64,
        shape: [usize; 2],
        has_bias: bool,
    ) -> Self {
        let [vocab_size, dim] = shape;
        let listed: f64 = singular_values.iter().rev().map(|value| value * value).sum();
        let all = singular_values.len() >= vocab_size.min(dim);
        let unlisted_energy = if all { 0.0 } else { (decomposed_energy - listed).max(0.0) };
        let per_direction = vocab_size.saturating_add(dim).saturating_add(1).saturating_mul(size_of::<f32>());
        let fixed = if has_bias { dim * size_of::<f32>() } else { 0 };
        Self { singular_values, unlisted_energy, total_energy, bytes: Bytes::Equal { fixed, per_direction }, shape }
    }

    /// The spectrum of groups of rows: singular values of all groups, in any order, each with the bytes of its direction.
    pub(super) fn of_blocks(
        mut directions: Vec<(f64, usize)>,
        total_energy: f64,
        fixed_bytes: usize,
        shape: [usize; 2],
    ) -> Self {
        // Stable: of equal values that of the lower group first.
        directions.sort_by(|(a, _), (b, _)| b.total_cmp(a));
        let mut bytes = vec![fixed_bytes];
        bytes.extend(directions.iter().scan(fixed_bytes, |sum, (_, bytes)| {
            *sum = sum.saturating_add(*bytes);
            Some(*sum)
        }));
        let singular_values = directions.into_iter().map(|(value, _)| value).collect();
        Self { singular_values, unlisted_energy: 0.0, total_energy, bytes: Bytes::OfBlocks(bytes), shape }
    }

    /// The same, though so much more energy may be lost than was measured.
    pub(super) fn with_noise(self, energy: f64) -> Self {
        Self { unlisted_energy: self.unlisted_energy + energy, ..self }
    }

    /// The spectrum of a product that is not a part of the table's SVD: its singular values, what it leaves of the table, and
    /// the energy of the table.
    pub(super) fn of_product(
        singular_values: Array1<f64>,
        residual_energy: f64,
        total_energy: f64,
        shape: [usize; 2],
    ) -> Self {
        let spectrum = Self::of_parts(singular_values, total_energy, total_energy, shape, false);
        Self { unlisted_energy: residual_energy, ..spectrum }
    }

    /// The singular values, never increasing: all of them, or the largest ones where a method computes no more.
    #[must_use]
    pub fn singular_values(&self) -> ArrayView1<'_, f64> {
        self.singular_values.view()
    }

    /// The same with values that rounding to `f32` makes of zeros counted as zeros.
    pub(super) fn significant(&self) -> Self {
        let largest = self.singular_values.first().copied().unwrap_or(0.0);
        // Of a table without its mean, what rounding the mean leaves is no direction either.
        let scale = if self.has_bias() { largest.max(self.total_energy.sqrt()) } else { largest };
        let threshold = f64::from(f32::EPSILON) * scale;
        let singular_values = self.singular_values.mapv(|value| if value > threshold { value } else { 0.0 });
        Self { singular_values, ..self.clone() }
    }

    /// Whether the factors have a bias, the mean of the table.
    pub(super) fn has_bias(&self) -> bool {
        matches!(self.bytes, Bytes::Equal { fixed, .. } if fixed > 0)
    }

    /// Whether all min(`vocab_size`, dim) singular values are listed.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.singular_values.len() >= self.shape[0].min(self.shape[1])
    }

    /// The singular values, for a rule that needs all of them.
    ///
    /// # Errors
    /// [`NeedsAllSingularValues`](Error::NeedsAllSingularValues).
    pub(super) fn all_singular_values(&self, what: &'static str) -> Result<ArrayView1<'_, f64>> {
        if self.is_complete() { Ok(self.singular_values()) } else { Err(Error::NeedsAllSingularValues { what }) }
    }

    /// ‖E‖², the squared (weighted) Frobenius norm of the table.
    #[must_use]
    pub fn total_energy(&self) -> f64 {
        self.total_energy
    }

    /// Rows and columns of the table.
    #[must_use]
    pub fn shape(&self) -> [usize; 2] {
        self.shape
    }

    /// ‖E − Ê‖² of every rank from 0 to the number of listed values; summed from the smallest value up, so that what is lost is
    /// exact where it is small.
    fn lost_energies(&self) -> Vec<f64> {
        let mut lost = vec![self.unlisted_energy; self.singular_values.len() + 1];
        for (rank, value) in self.singular_values.iter().enumerate().rev() {
            lost[rank] = lost[rank + 1] + value * value;
        }
        lost
    }

    /// The share of the energy that is kept at every rank, from 0 to the number of listed values.
    ///
    /// # Shapes
    /// \[number of listed values + 1\]
    #[must_use]
    pub fn energy_curve(&self) -> Array1<f64> {
        self.lost_energies().into_iter().map(|lost| 1.0 - self.share(lost)).collect()
    }

    /// The relative Frobenius error at every rank, from 0 to the number of listed values: see [`error_at`](Self::error_at).
    ///
    /// # Shapes
    /// \[number of listed values + 1\]
    #[must_use]
    pub fn error_curve(&self) -> Array1<f64> {
        self.lost_energies().into_iter().map(|lost| self.share(lost).sqrt()).collect()
    }

    /// The relative Frobenius error ‖E − Ê‖ / ‖E‖ at a rank; beyond the listed values, that of the last of them.
    #[must_use]
    pub fn error_at(&self, rank: usize) -> f64 {
        let lost: f64 = self.singular_values.iter().skip(rank).rev().map(|value| value * value).sum();
        self.share(lost + self.unlisted_energy).sqrt()
    }

    /// Bytes of `f32` factors of a rank: U, D, V, and the bias where there is one. For groups of rows, those of the
    /// directions with the largest singular values of all groups, and of the group of each row; beyond the listed
    /// values, those of all.
    #[must_use]
    pub fn bytes_at(&self, rank: usize) -> usize {
        match &self.bytes {
            Bytes::Equal { fixed, per_direction } => per_direction.saturating_mul(rank).saturating_add(*fixed),
            Bytes::OfBlocks(bytes) => bytes[rank.min(bytes.len() - 1)],
        }
    }

    fn share(&self, lost: f64) -> f64 {
        if lost == 0.0 { 0.0 } else { lost / self.total_energy }
    }
}

impl fmt::Debug for Spectrum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [vocab_size, dim] = self.shape;
        write!(f, "Spectrum({} singular values of [{vocab_size}, {dim}]", self.singular_values.len())?;
        if let Some(largest) = self.singular_values.first() {
            write!(f, ", largest {largest}")?;
        }
        f.write_str(")")
    }
}
