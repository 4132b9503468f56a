//! How far an approximation of a table is from it.

use ndarray::ArrayView1;

/// The relative Frobenius error √(Σᵢ wᵢ·‖eᵢ − êᵢ‖² / Σᵢ wᵢ·‖eᵢ‖²), summed row by row in `f64`.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct RelativeError {
    residual: f64,
    total: f64,
}

impl RelativeError {
    pub(crate) fn add_row(&mut self, reference: ArrayView1<'_, f32>, approximation: ArrayView1<'_, f32>, weight: f64) {
        let (mut residual, mut total) = (0.0, 0.0);
        for (&e, &approximation) in reference.iter().zip(approximation) {
            let difference = f64::from(e) - f64::from(approximation);
            residual += difference * difference;
            total += f64::from(e) * f64::from(e);
        }
        self.add_energies(weight * residual, weight * total);
    }

    /// Adds wᵢ·‖eᵢ − êᵢ‖² and wᵢ·‖eᵢ‖² of a row.
    pub(crate) fn add_energies(&mut self, residual: f64, total: f64) {
        self.residual += residual;
        self.total += total;
    }

    /// Adds the rows of another part of the table.
    #[cfg(feature = "decompose")]
    pub(crate) fn add(&mut self, other: Self) {
        self.add_energies(other.residual, other.total);
    }

    /// 0 for a zero table that is met exactly, infinite for one that is not.
    pub(crate) fn value(&self) -> f64 {
        if self.residual == 0.0 { 0.0 } else { (self.residual / self.total).sqrt() }
    }
}
