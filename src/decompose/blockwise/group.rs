//! The best directions for the rows of a group.

use ndarray::{Array1, Array2, ArrayView2};

use super::super::{MeanRemoval, parallel::map_in_order};
use crate::{
    Result, TokenId,
    linalg::{self, RightSvd},
};

/// Rows that are held in `f64` at a time.
pub(super) const BLOCK_ROWS: usize = 1024;

/// A table and the weights of its rows.
#[derive(Clone, Copy)]
pub(super) struct Weighted<'a> {
    pub(super) table: ArrayView2<'a, f32>,
    pub(super) weights: Option<&'a [f64]>,
}

impl Weighted<'_> {
    pub(super) fn weight(&self, id: TokenId) -> f64 {
        self.weights.map_or(1.0, |weights| weights[id as usize])
    }

    /// Rows of these ids in `f64`, less a mean.
    pub(super) fn rows(&self, ids: &[TokenId], mean: Option<&Array1<f64>>) -> Array2<f64> {
        let mut rows = Array2::zeros((ids.len(), self.table.ncols()));
        for (mut row, &id) in rows.rows_mut().into_iter().zip(ids) {
            row.zip_mut_with(&self.table.row(id as usize), |to, &from| *to = f64::from(from));
            if let Some(mean) = mean {
                row -= mean;
            }
        }
        rows
    }

    /// The same, each times the square root of its weight.
    fn scaled_rows(&self, ids: &[TokenId], mean: Option<&Array1<f64>>) -> Array2<f64> {
        let mut rows = self.rows(ids, mean);
        if self.weights.is_some() {
            for (mut row, &id) in rows.rows_mut().into_iter().zip(ids) {
                row *= self.weight(id).sqrt();
            }
        }
        rows
    }
}

/// What the factors of a group of each rank are made of.
pub(super) struct Group {
    /// The rows of the group, ascending.
    pub(super) ids: Vec<TokenId>,
    /// The mean that is taken off, and its energy.
    pub(super) mean: Option<(Array1<f64>, f64)>,
    /// σ² of the weighted rows less the mean \[k\], never increasing, 0 for what is only rounding.
    pub(super) energies: Array1<f64>,
    /// Directions \[k, dim\], k ≤ min(rows, dim); the entry of largest magnitude in each one is positive.
    pub(super) v: Array2<f64>,
}

impl Group {
    /// # Errors
    /// [`NoConvergence`](crate::Error::NoConvergence).
    pub(super) fn new(weighted: &Weighted<'_>, ids: Vec<TokenId>, mean_removal: MeanRemoval) -> Result<Self> {
        let sums = Sums::new(weighted, &ids);
        let dim = weighted.table.ncols();
        // Smaller energies are what rounding leaves of a Gram matrix.
        let floor = dim as f64 * f64::EPSILON * sums.energy;
        let group = |ids: Vec<TokenId>, mean: Option<(Array1<f64>, f64)>| -> Result<Self> {
            let RightSvd { singular_values, mut v } = directions(weighted, &ids, mean.as_ref().map(|(mean, _)| mean))?;
            let square = |value: &f64| if value * value > floor { value * value } else { 0.0 };
            v.rows_mut().into_iter().for_each(|row| {
                linalg::orient(row);
            });
            Ok(Self { ids, mean, energies: singular_values.map(square), v })
        };
        if mean_removal == MeanRemoval::Never || sums.weight == 0.0 {
            return group(ids, None);
        }
        let mean = &sums.sum / sums.weight;
        let energy = sums.weight * mean.dot(&mean);
        let centred = group(ids, Some((mean, energy)))?;
        if centred.mean_pays(mean_removal) { Ok(centred) } else { group(centred.ids, None) }
    }

    /// Whether a byte of the mean keeps more energy than a byte of the first direction: if so, steps that keep ever
    /// less energy per byte can begin with both. Rows that are all equal have no direction beside their mean, and
    /// factors need one.
    fn mean_pays(&self, mean_removal: MeanRemoval) -> bool {
        let first = self.energies.first().copied().unwrap_or(0.0);
        if mean_removal == MeanRemoval::Always {
            return first > 0.0;
        }
        let per_direction = (self.ids.len() + self.v.ncols()) as f64;
        first > 0.0 && self.mean_energy() * per_direction >= first * self.v.ncols() as f64
    }

    pub(super) fn mean_energy(&self) -> f64 {
        self.mean.as_ref().map_or(0.0, |(_, energy)| *energy)
    }

    pub(super) fn mean_vector(&self) -> Option<&Array1<f64>> {
        self.mean.as_ref().map(|(mean, _)| mean)
    }

    /// Bytes of the mean.
    pub(super) fn mean_bytes(&self) -> usize {
        self.mean.as_ref().map_or(0, |(mean, _)| mean.len() * size_of::<f32>())
    }

    /// Bytes of a column of U and a row of V.
    pub(super) fn direction_bytes(&self) -> usize {
        self.ids.len().saturating_add(self.v.ncols()).saturating_mul(size_of::<f32>())
    }

    /// The energy that factors of a rank lose. Summed from the smallest up, so that it is exact where it is small.
    pub(super) fn lost(&self, rank: usize) -> f64 {
        let lost: f64 = self.energies.iter().skip(rank).rev().sum();
        if rank == 0 { lost + self.mean_energy() } else { lost }
    }

    /// All of it.
    pub(super) fn energy(&self) -> f64 {
        self.lost(0)
    }
}

/// Sums over the rows of a group.
struct Sums {
    /// Σ w
    weight: f64,
    /// Σ w·‖e‖²
    energy: f64,
    /// Σ w·e
    sum: Array1<f64>,
}

impl Sums {
    fn new(weighted: &Weighted<'_>, ids: &[TokenId]) -> Self {
        let mut sums = Self { weight: 0.0, energy: 0.0, sum: Array1::zeros(weighted.table.ncols()) };
        for &id in ids {
            let weight = weighted.weight(id);
            let row = weighted.table.row(id as usize);
            sums.weight += weight;
            sums.energy += weight * row.iter().map(|&x| f64::from(x) * f64::from(x)).sum::<f64>();
            sums.sum.zip_mut_with(&row, |sum, &x| *sum += weight * f64::from(x));
        }
        sums
    }
}

/// Singular values and right singular vectors of the weighted rows: of the rows themselves where they are few, and of
/// their Gram matrix otherwise.
fn directions(weighted: &Weighted<'_>, ids: &[TokenId], mean: Option<&Array1<f64>>) -> Result<RightSvd> {
    let dim = weighted.table.ncols();
    if ids.is_empty() {
        return Ok(RightSvd { singular_values: Array1::zeros(0), v: Array2::zeros((0, dim)) });
    }
    if ids.len() <= dim {
        return linalg::right_svd(weighted.scaled_rows(ids, mean).view());
    }
    let mut gram = Array2::zeros((dim, dim));
    let of_block = |range| linalg::gram(weighted.scaled_rows(&ids[range], mean).view());
    map_in_order(ids.len(), BLOCK_ROWS, 1, of_block, |block| {
        gram += &block;
        Ok(())
    })?;
    linalg::right_svd_of_gram(gram.view())
}
