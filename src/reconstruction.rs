//! How far an approximation of a table is from it.

use ndarray::ArrayView1;

/// Sums that are kept side by side, so that none of them waits for the one before.
const LANES: usize = 8;

/// The relative Frobenius error √(Σᵢ wᵢ·‖eᵢ − êᵢ‖² / Σᵢ wᵢ·‖eᵢ‖²), summed row by row in `f64`.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct RelativeError {
    residual: f64,
    total: f64,
}

/// ‖e − ê‖² and ‖e‖² of a row.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct RowError {
    pub(crate) residual: f64,
    pub(crate) total: f64,
}

impl RowError {
    pub(crate) fn new(reference: ArrayView1<'_, f32>, approximation: ArrayView1<'_, f32>) -> Self {
        let (mut residuals, mut totals) = ([0.0; LANES], [0.0; LANES]);
        let mut add = |lane: usize, e: f32, approximation: f32| {
            let (e, difference) = (f64::from(e), f64::from(e) - f64::from(approximation));
            residuals[lane] += difference * difference;
            totals[lane] += e * e;
        };
        if let (Some(reference), Some(approximation)) = (reference.as_slice(), approximation.as_slice()) {
            let ((blocks, rest), (others, others_rest)) =
                (reference.as_chunks::<LANES>(), approximation.as_chunks::<LANES>());
            for (block, other) in blocks.iter().zip(others) {
                (0..LANES).for_each(|lane| add(lane, block[lane], other[lane]));
            }
            rest.iter().zip(others_rest).enumerate().for_each(|(lane, (&e, &other))| add(lane, e, other));
        } else {
            reference.iter().zip(approximation).enumerate().for_each(|(i, (&e, &other))| add(i % LANES, e, other));
        }
        Self { residual: residuals.iter().sum(), total: totals.iter().sum() }
    }
}

impl RelativeError {
    pub(crate) fn add_row(&mut self, row: RowError, weight: f64) {
        self.residual += weight * row.residual;
        self.total += weight * row.total;
    }

    /// Adds the rows of another part of the table.
    #[cfg(feature = "decompose")]
    pub(crate) fn add(&mut self, other: Self) {
        self.residual += other.residual;
        self.total += other.total;
    }

    /// Σᵢ wᵢ·‖eᵢ − êᵢ‖².
    #[cfg(feature = "decompose")]
    pub(crate) fn residual(self) -> f64 {
        self.residual
    }

    /// 0 for a zero table that is met exactly, infinite for one that is not.
    pub(crate) fn value(&self) -> f64 {
        if self.residual == 0.0 { 0.0 } else { (self.residual / self.total).sqrt() }
    }
}
