//! How the rank is chosen.

use ndarray::Array1;

use super::{Spectrum, effective_rank::EFFECTIVE_RANK, hard_threshold::HARD_THRESHOLD, knee::KNEE};
use crate::{Error, Result, Shape};

/// How many directions a decomposition keeps.
///
/// Energies and errors are those of the decomposed matrix: with row weights, the weighted ones.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case", deny_unknown_fields))]
#[non_exhaustive]
pub enum Rank {
    /// Just so many.
    Fixed(usize),
    /// The fewest that keep at least this share of Σ σ², in (0, 1].
    Energy(f64),
    /// The fewest whose relative Frobenius error √(Σ dropped σ² / Σ σ²) is at most this, in [0, 1). Storing the factors in
    /// `f32` adds about 1e-7.
    RelativeError(f64),
    /// As many as fit into this number of bytes: 4 · rank · (`vocab_size` + dim + 1), the 1 for the diagonal.
    Bytes(usize),
    /// The [effective rank](Spectrum::effective_rank), rounded to the nearest number.
    Effective,
    /// Those above the [optimal hard threshold](Spectrum::hard_threshold) for noise of unknown level.
    HardThreshold,
    /// Those above the [optimal hard threshold](Spectrum::hard_threshold_of_noise) for white noise of this standard
    /// deviation, in the entries of the decomposed matrix.
    NoiseLevel(f64),
    /// Up to the [knee](Spectrum::knee) of the error curve; where it has none, all that are not zero.
    Knee,
}

impl Rank {
    /// Bytes of U, D and V in `f32`.
    #[must_use]
    pub fn bytes(shape: Shape) -> usize {
        let Shape { vocab_size, rank, dim } = shape;
        vocab_size.saturating_add(dim).saturating_add(1).saturating_mul(rank).saturating_mul(size_of::<f32>())
    }

    /// What can be said of the rank before the singular values are known.
    ///
    /// # Errors
    /// [`RankOutOfRange`](Error::RankOutOfRange), [`InvalidSetting`](Error::InvalidSetting),
    /// [`BudgetTooSmall`](Error::BudgetTooSmall).
    pub(crate) fn check(self, vocab_size: usize, dim: usize) -> Result<()> {
        match self {
            Self::Fixed(rank) => Shape { vocab_size, rank, dim }.check(),
            Self::Bytes(bytes) => {
                let minimum = Self::bytes(Shape { vocab_size, rank: 1, dim });
                if bytes < minimum { Err(Error::BudgetTooSmall { bytes, minimum }) } else { Ok(()) }
            }
            other => other.check_setting(),
        }
    }

    /// # Errors
    /// [`InvalidSetting`](Error::InvalidSetting).
    pub(super) fn check_setting(self) -> Result<()> {
        match self {
            Self::Energy(share) if !(share > 0.0 && share <= 1.0) => {
                Err(Error::InvalidSetting { name: "energy", value: share, expected: "a share above 0 and up to 1" })
            }
            Self::RelativeError(error) if !(0.0..1.0).contains(&error) => Err(Error::InvalidSetting {
                name: "relative error",
                value: error,
                expected: "a number from 0 to below 1",
            }),
            Self::NoiseLevel(level) if !(level >= 0.0 && level.is_finite()) => Err(Error::InvalidSetting {
                name: "noise level",
                value: level,
                expected: "a finite standard deviation that is not negative",
            }),
            Self::Fixed(_)
            | Self::Energy(_)
            | Self::RelativeError(_)
            | Self::Bytes(_)
            | Self::NoiseLevel(_)
            | Self::Effective
            | Self::HardThreshold
            | Self::Knee => Ok(()),
        }
    }

    /// The rank, as far as the shape of the table says it; `None` where it follows from the largest singular values.
    ///
    /// # Errors
    /// [`BudgetTooSmall`](Error::BudgetTooSmall); [`NeedsAllSingularValues`](Error::NeedsAllSingularValues) where the largest
    /// ones do not tell.
    pub(crate) fn before_the_spectrum(self, shape: [usize; 2], has_bias: bool) -> Result<Option<usize>> {
        let [vocab_size, dim] = shape;
        let zeros = || Spectrum::of_parts(Array1::zeros(vocab_size.min(dim)), 0.0, 0.0, shape, has_bias);
        match self {
            Self::Fixed(rank) => Ok(Some(rank)),
            Self::Bytes(_) => self.select(&zeros()).map(Some),
            Self::Energy(_) | Self::RelativeError(_) => Ok(None),
            Self::Effective => Err(Error::NeedsAllSingularValues { what: EFFECTIVE_RANK }),
            Self::HardThreshold | Self::NoiseLevel(_) => Err(Error::NeedsAllSingularValues { what: HARD_THRESHOLD }),
            Self::Knee => Err(Error::NeedsAllSingularValues { what: KNEE }),
        }
    }

    /// The rank that is chosen for a table of this spectrum: at least 1, since factors have a direction at least. One
    /// decomposition so answers for all rules.
    ///
    /// Of a spectrum that lists the largest values only, [`Energy`](Self::Energy), [`RelativeError`](Self::RelativeError)
    /// and [`Bytes`](Self::Bytes) take all that are listed where more would be needed or would fit.
    ///
    /// # Errors
    /// [`RankOutOfRange`](Error::RankOutOfRange), [`InvalidSetting`](Error::InvalidSetting),
    /// [`BudgetTooSmall`](Error::BudgetTooSmall); [`NeedsAllSingularValues`](Error::NeedsAllSingularValues) where values
    /// that are not listed could change the answer of another rule.
    ///
    /// # Examples
    ///
    /// ```
    /// use factorized_embedding::{Rank, Spectrum};
    /// use ndarray::array;
    ///
    /// # fn main() -> factorized_embedding::Result<()> {
    /// let spectrum = Spectrum::new(array![4.0, 2.0, 2.0, 1.0], 100, 4)?;
    /// assert_eq!(Rank::Energy(0.9).select(&spectrum)?, 3);
    /// assert_eq!(Rank::RelativeError(0.5).select(&spectrum)?, 2);
    /// # Ok(())
    /// # }
    /// ```
    pub fn select(self, spectrum: &Spectrum) -> Result<usize> {
        self.check_setting()?;
        let max = spectrum.singular_values().len();
        // The fewest directions that lose no more; a loss that is not to be had at all takes all of them.
        let fewest = |enough: &dyn Fn(usize) -> bool| (1..max).find(|&rank| enough(rank)).unwrap_or(max);
        Ok(match self {
            Self::Fixed(rank) if (1..=max).contains(&rank) => rank,
            Self::Fixed(rank) => {
                let [vocab_size, dim] = spectrum.shape();
                if max == vocab_size.min(dim) {
                    return Err(Error::RankOutOfRange { rank, max, vocab_size, dim });
                }
                let expected = "1 to the number of singular values that are listed";
                return Err(Error::InvalidSetting { name: "rank", value: rank as f64, expected });
            }
            Self::Energy(share) => {
                let curve = spectrum.energy_curve();
                fewest(&|rank| curve[rank] >= share)
            }
            Self::RelativeError(error) => {
                let curve = spectrum.error_curve();
                fewest(&|rank| curve[rank] <= error)
            }
            Self::Bytes(bytes) => {
                let fits = (1..=max).take_while(|&rank| spectrum.bytes_at(rank) <= bytes).last();
                fits.ok_or(Error::BudgetTooSmall { bytes, minimum: spectrum.bytes_at(1) })?
            }
            Self::Effective => (spectrum.effective_rank()?.round() as usize).max(1),
            Self::HardThreshold => spectrum.num_above(spectrum.hard_threshold()?).max(1),
            Self::NoiseLevel(level) => {
                let above = spectrum.num_above(spectrum.hard_threshold_of_noise(level));
                if above == max && !spectrum.is_complete() {
                    return Err(Error::NeedsAllSingularValues { what: HARD_THRESHOLD });
                }
                above.max(1)
            }
            Self::Knee => spectrum.knee()?.unwrap_or_else(|| spectrum.num_above(0.0).max(1)),
        })
    }
}

#[cfg(test)]
mod tests {
    use ndarray::{Array1, array};

    use super::{Error, Rank, Spectrum};

    fn spectrum(values: Array1<f64>, vocab_size: usize) -> Spectrum {
        let dim = values.len();
        Spectrum::new(values, vocab_size, dim).expect("a value for each column")
    }

    #[test]
    fn the_fewest_directions_that_keep_the_promise() {
        // Energies 16, 4, 4, 1 of 25.
        let spectrum = spectrum(array![4.0, 2.0, 2.0, 1.0], 10);
        let select = |rank: Rank| rank.select(&spectrum).expect("all values, and valid settings");
        assert_eq!(select(Rank::Fixed(3)), 3);
        for (share, rank) in [(0.01, 1), (0.64, 1), (0.65, 2), (0.8, 2), (0.81, 3), (0.96, 3), (0.97, 4), (1.0, 4)] {
            assert_eq!(select(Rank::Energy(share)), rank, "energy {share}");
        }
        for (error, rank) in [(0.99, 1), (0.6, 1), (0.59, 2), (0.447, 3), (0.2, 3), (0.19, 4), (0.0, 4)] {
            assert_eq!(select(Rank::RelativeError(error)), rank, "relative error {error}");
        }
        for (bytes, rank) in [(60, 1), (119, 1), (120, 2), (240, 4), (10_000, 4)] {
            assert_eq!(select(Rank::Bytes(bytes)), rank, "{bytes} bytes");
        }
    }

    #[test]
    fn zero_directions_are_never_needed() {
        let two = spectrum(array![3.0, 1.0, 0.0, 0.0, 0.0], 10);
        let rules =
            [Rank::Energy(1.0), Rank::RelativeError(0.0), Rank::HardThreshold, Rank::NoiseLevel(0.0), Rank::Knee];
        for rule in rules {
            assert_eq!(rule.select(&two).expect("all values"), 2, "{rule:?}");
        }
        let zeros = spectrum(array![0.0, 0.0], 2);
        for rule in [Rank::Energy(1.0), Rank::HardThreshold, Rank::NoiseLevel(1.0), Rank::Effective, Rank::Knee] {
            assert_eq!(rule.select(&zeros).expect("all values"), 1, "{rule:?}: factors have a direction at least");
        }
    }

    #[test]
    fn rules_that_need_all_values_refuse_fewer() {
        let largest = Spectrum::of_parts(array![8.0, 4.0], 81.0, 81.0, [10, 4], false);
        for rule in [Rank::Effective, Rank::HardThreshold, Rank::Knee, Rank::NoiseLevel(0.1)] {
            let refused = matches!(rule.select(&largest), Err(Error::NeedsAllSingularValues { .. }));
            assert!(refused, "{rule:?}");
        }
        // Values that are not listed are no larger than the last, which is noise already.
        let level = 6.0 / largest.hard_threshold_of_noise(1.0);
        assert_eq!(Rank::NoiseLevel(level).select(&largest).expect("enough values"), 1);
        assert_eq!(Rank::Energy(0.5).select(&largest).expect("any spectrum"), 1);
    }
}
