//! Gaussian tables, of which the best that any code can do is known.

use factorized_embedding::quantize::{Budget, Level, Quantizer, RotationChoice, RowScale};
use ndarray::Array2;

use crate::tables::{harmonic, quantize};

const DIM: usize = 384;

/// The least mean squared error of so many bits a number, of Gaussian coordinates of variances 1/j: reverse water-filling (Cover &
/// Thomas, § 10.3.3), as a share of their sum.
fn bound(bits: f64) -> f64 {
    let variances: Vec<f64> = (1..=DIM).map(|j| 1.0 / j as f64).collect();
    let rate = |level: f64| variances.iter().map(|v| (v / level).log2().max(0.0) / 2.0).sum::<f64>();
    let (mut low, mut high) = (1e-12, 1.0);
    for _ in 0..100 {
        let middle = f64::sqrt(low * high);
        if rate(middle) > bits * DIM as f64 { low = middle } else { high = middle }
    }
    variances.iter().map(|v| v.min(low)).sum::<f64>() / variances.iter().sum::<f64>()
}

fn decibels(ratio: f64) -> f64 {
    10.0 * ratio.log10()
}

/// Tables whose directions take no bytes to speak of, so that bits are those of codes: Σ λ·D and the bound count no others.
fn check(level: Level, vocab_size: usize, within: [f64; 3]) {
    let table: Array2<f32> = harmonic(vocab_size, DIM, 1);
    // The mean is no part of the bound: energies are those of the rest.
    let centred = &table - &table.mean_axis(ndarray::Axis(0)).expect("rows");
    let share =
        table.iter().map(|x| f64::from(x * x)).sum::<f64>() / centred.iter().map(|x| f64::from(x * x)).sum::<f64>();
    for (bits, within) in (2..).zip(within) {
        // The directions are stored in at most a byte a number.
        let bytes = vocab_size * DIM * bits / 8 + DIM * (DIM + 3 + 4) + 4096;
        let quantizer = Quantizer::new(Budget::Bytes(bytes))
            .with_level(level)
            .with_groups(1)
            .expect("one group")
            .with_row_scale(RowScale::Never)
            .with_rotation(RotationChoice::Svd);
        let report = quantize(&quantizer, &table).report;
        let lost = report.relative_error.powi(2) * share;
        let predicted = decibels(report.relative_error.powi(2) / report.predicted_relative_error.powi(2));
        assert!(predicted.abs() < 0.2, "{level:?}, {bits} bits: {predicted} dB from what was to be expected");
        let code_bits = 8.0 * report.part_bytes.codes as f64 / (vocab_size * DIM) as f64;
        let beyond = decibels(lost / bound(code_bits));
        assert!((0.0..within).contains(&beyond), "{level:?}, {bits} bits: {beyond} dB from the bound");
    }
}

#[test]
fn scalar_codes_are_near_the_bound() {
    check(Level::Scalar, 30_000, [3.0, 3.8, 4.3]);
}

#[test]
fn trellis_codes_are_nearer_to_the_bound() {
    check(Level::Trellis, 1500, [2.0, 2.9, 3.6]);
}
