//! How the rank is chosen.

use ndarray::Array1;

use super::Spectrum;
use crate::{Error, Result, Shape};

/// How many directions a decomposition keeps.
///
/// Energies and errors are those of the decomposed matrix: with row weights, the weighted ones.
#[derive(Clone, Copy, Debug, PartialEq)]
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
            Self::Energy(share) if !(share > 0.0 && share <= 1.0) => {
                Err(Error::InvalidSetting { name: "energy", value: share, expected: "a share above 0 and up to 1" })
            }
            Self::RelativeError(error) if !(0.0..1.0).contains(&error) => Err(Error::InvalidSetting {
                name: "relative error",
                value: error,
                expected: "a number from 0 to below 1",
            }),
            Self::Bytes(bytes) => {
                let minimum = Self::bytes(Shape { vocab_size, rank: 1, dim });
                if bytes < minimum { Err(Error::BudgetTooSmall { bytes, minimum }) } else { Ok(()) }
            }
            Self::Energy(_) | Self::RelativeError(_) => Ok(()),
        }
    }

    /// The rank, as far as the shape of the table says it; `None` where it follows from the largest singular values.
    ///
    /// # Errors
    /// [`BudgetTooSmall`](Error::BudgetTooSmall).
    pub(crate) fn before_the_spectrum(self, shape: [usize; 2], has_bias: bool) -> Result<Option<usize>> {
        let [vocab_size, dim] = shape;
        let zeros = || Spectrum::of_parts(Array1::zeros(vocab_size.min(dim)), 0.0, 0.0, shape, has_bias);
        match self {
            Self::Fixed(rank) => Ok(Some(rank)),
            Self::Bytes(_) => self.select(&zeros()).map(Some),
            Self::Energy(_) | Self::RelativeError(_) => Ok(None),
        }
    }

    /// The rank, once it is checked and the singular values are known; at least 1, and no more than are listed.
    ///
    /// # Errors
    /// [`BudgetTooSmall`](Error::BudgetTooSmall) where there is a bias besides.
    pub(crate) fn select(self, spectrum: &Spectrum) -> Result<usize> {
        let max = spectrum.singular_values().len();
        // The fewest directions that lose no more; a loss that is not to be had at all takes all of them.
        let fewest = |enough: &dyn Fn(usize) -> bool| (1..max).find(|&rank| enough(rank)).unwrap_or(max);
        Ok(match self {
            Self::Fixed(rank) => rank,
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
        })
    }
}

#[cfg(test)]
mod tests {
    use ndarray::{Array1, array};

    use super::{Rank, Spectrum};

    fn spectrum(values: Array1<f64>, vocab_size: usize) -> Spectrum {
        let dim = values.len();
        Spectrum::new(values, vocab_size, dim).expect("a value for each column")
    }

    #[test]
    fn the_fewest_directions_that_keep_the_promise() {
        // Energies 16, 4, 4, 1 of 25.
        let spectrum = spectrum(array![4.0, 2.0, 2.0, 1.0], 10);
        let select = |rank: Rank| rank.select(&spectrum).expect("a rank");
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
        let two = spectrum(array![3.0, 1.0, 0.0, 0.0], 10);
        let select = |rank: Rank, spectrum| rank.select(spectrum).expect("a rank");
        assert_eq!(select(Rank::Energy(1.0), &two), 2);
        assert_eq!(select(Rank::RelativeError(0.0), &two), 2);
        assert_eq!(select(Rank::Energy(1.0), &spectrum(array![0.0, 0.0], 2)), 1);
    }
}
