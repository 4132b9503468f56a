//! What the spectral methods minimise.

use super::{Basis, ColumnCovariance, MeanRemoval, Moments, Rank, basis::Parts, mean, spectrum::Spectrum};
use crate::{Result, RowWeights, linalg::RightSvd};

/// Σᵢ wᵢ · (eᵢ − êᵢ) · C · (eᵢ − êᵢ)ᵀ, and whether the mean is kept apart.
#[derive(Clone, Debug, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub(super) struct Objective {
    pub(super) row_weights: Option<RowWeights>,
    pub(super) column_covariance: Option<ColumnCovariance>,
    pub(super) mean_removal: MeanRemoval,
}

impl Objective {
    /// # Errors
    /// [`ShapeMismatch`](crate::Error::ShapeMismatch), [`AllWeightsZero`](crate::Error::AllWeightsZero).
    pub(super) fn weights(&self, vocab_size: usize, dim: usize) -> Result<Option<Vec<f64>>> {
        self.check(dim)?;
        self.row_weights.as_ref().map(|weights| weights.for_rows(vocab_size)).transpose()
    }

    pub(super) fn check(&self, dim: usize) -> Result<()> {
        self.column_covariance.as_ref().map_or(Ok(()), |covariance| covariance.check(dim))
    }

    /// The basis of a table of which the moments are known.
    ///
    /// # Errors
    /// [`NoConvergence`](crate::Error::NoConvergence), [`Overflow`](crate::Error::Overflow), and those of the choice of the rank.
    pub(super) fn basis(&self, rank: Rank, moments: &Moments, vocab_size: usize) -> Result<Basis> {
        let shape = [vocab_size, moments.mean.len()];
        let covariance = self.column_covariance.as_ref();
        let side = shape[0].min(shape[1]);
        let solve = |centred| -> Result<(RightSvd, f64)> {
            let mut svd = moments.right_svd(centred, covariance)?;
            svd.singular_values = svd.singular_values.iter().copied().take(side).collect();
            let energy = svd.singular_values.iter().rev().map(|value| value * value).sum();
            Ok((svd, energy))
        };
        let (plain, total) = solve(false)?;
        let plain_spectrum = Spectrum::of_parts(plain.singular_values.clone(), total, total, shape, false);
        let (chosen, svd, spectrum) = if self.mean_removal == MeanRemoval::Never {
            (rank.select(&plain_spectrum.significant())?, plain, plain_spectrum)
        } else {
            let (centred, energy) = solve(true)?;
            let centred_spectrum = Spectrum::of_parts(centred.singular_values.clone(), energy, total, shape, true);
            let (chosen, remove) = if self.mean_removal == MeanRemoval::Always {
                (rank.select(&centred_spectrum.significant())?, true)
            } else {
                mean::better(rank, &plain_spectrum.significant(), &centred_spectrum.significant())?
            };
            if remove { (chosen, centred, centred_spectrum) } else { (chosen, plain, plain_spectrum) }
        };
        let mean = spectrum.has_bias().then(|| moments.mean.clone());
        Basis::new(Parts { rank: chosen, svd, mean, covariance: covariance.cloned(), spectrum })
    }
}

/// The settings that all spectral methods share, as methods of theirs.
macro_rules! objective_settings {
    ($method:ty) => {
        impl $method {
            /// With a weight for each row: minimises Σᵢ wᵢ · ‖eᵢ − êᵢ‖².
            #[must_use]
            pub fn with_row_weights(mut self, row_weights: $crate::RowWeights) -> Self {
                self.objective.row_weights = Some(row_weights);
                self
            }

            /// With a weight for each direction that rows can have: see [`ColumnCovariance`](crate::ColumnCovariance). The rows of
            /// V are then orthonormal in its inner product, V·C·Vᵀ = I up to a scale, and not by themselves.
            #[must_use]
            pub fn with_column_covariance(mut self, column_covariance: $crate::ColumnCovariance) -> Self {
                self.objective.column_covariance = Some(column_covariance);
                self
            }

            /// With the mean of the rows kept apart, or not.
            #[must_use]
            pub fn with_mean_removal(mut self, mean_removal: $crate::MeanRemoval) -> Self {
                self.objective.mean_removal = mean_removal;
                self
            }
        }
    };
}

pub(super) use objective_settings;
