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
    table.dot(&rotation(dim, seed + 1)) + 0.1
}

/// Random orthonormal rows (Gram–Schmidt, each row twice).
fn rotation(dim: usize, seed: u64) -> Array2<f32> {
    let mut rows = random::normal((dim, dim), seed).mapv(f64::from);
    for i in 0..dim {
        let (before, mut rest) = rows.view_mut().split_at(Axis(0), i);
        let mut row = rest.row_mut(0);
        for _ in 0..2 {
            let projections = before.dot(&row);
            row -= &projections.dot(&before);
        }
        row /= row.dot(&row).sqrt();
    }
    rows.mapv(|x| x as f32)
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
