//! Tables that are quantized here, and what came of them.

use factorized_embedding::{
    QuantizedFactors, RowWeights,
    quantize::{Quantization, Quantizer},
};
use ndarray::{Array2, Axis};

use crate::support::random;

/// Gaussian coordinates of variances 1, ½, ⅓, … in random orthonormal directions, plus a mean.
pub(crate) fn harmonic(vocab_size: usize, dim: usize, seed: u64) -> Array2<f32> {
    let mut table = random::normal((vocab_size, dim), seed);
    for (j, mut column) in (1..).zip(table.columns_mut()) {
        column /= (j as f32).sqrt();
    }
    reflected(table, seed + 1) + 0.1
}

/// Rows reflected at random hyperplanes: an orthogonal transform of them.
fn reflected(mut table: Array2<f32>, seed: u64) -> Array2<f32> {
    for normal in random::normal((8, table.ncols()), seed).rows() {
        let projections = table.dot(&normal) * (2.0 / normal.dot(&normal));
        for (mut row, projection) in table.axis_iter_mut(Axis(0)).zip(projections) {
            row.scaled_add(-projection, &normal);
        }
    }
    table
}

/// Counts that fall with the id, as those of tokens do.
pub(crate) fn counts(vocab_size: usize) -> RowWeights {
    let counts: Vec<f64> = (0..vocab_size).map(|id| 1e6 / (id + 1) as f64).collect();
    RowWeights::new(counts).and_then(|weights| weights.with_smoothing(1.0)?.with_exponent(0.5)).expect("valid counts")
}

pub(crate) fn quantize(quantizer: &Quantizer, table: &Array2<f32>) -> Quantization {
    quantizer.quantize(table.view()).expect("a table and a budget that can be met")
}

/// The table that comes back, from factors where there can be such.
pub(crate) fn decoded(factors: &QuantizedFactors) -> Array2<f32> {
    factors.to_factors().expect("no more directions than rows").to_dense()
}

/// √(Σ w·‖e − ê‖² / Σ w·‖e‖²)
pub(crate) fn relative_error(table: &Array2<f32>, approximation: &Array2<f32>, weights: &[f64]) -> f64 {
    let (mut lost, mut all) = (0.0, 0.0);
    for ((row, approximation), weight) in table.rows().into_iter().zip(approximation.rows()).zip(weights) {
        for (&number, &approximation) in row.iter().zip(&approximation) {
            let (number, approximation) = (f64::from(number), f64::from(approximation));
            lost += weight * (number - approximation).powi(2);
            all += weight * number * number;
        }
    }
    (lost / all).sqrt()
}
