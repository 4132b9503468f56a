//! The error of codes of each width.

use super::Level;
use crate::factors::TRELLIS_DISTORTION;

/// Mean squared errors of the Lloyd–Max quantizers of 1 to 8 bits for a unit Gaussian.
const LLOYD_MAX: [f64; Level::MAX_WIDTH as usize] = [
    0.363_380_228,
    0.117_481_848,
    0.034_547_761,
    0.009_501_008,
    0.002_504_668,
    6.442_397e-4,
    1.634_782e-4,
    4.118_508e-5,
];

/// The mean squared error of codes of 0, 1, … 8 bits, as a share of the variance of what is coded.
pub(super) type Distortions = [f64; Level::MAX_WIDTH as usize + 1];

/// For coordinates that are Gaussian. Wider trellis steps than there are count as scalar codes, which they are.
pub(super) fn distortions(level: Level) -> Distortions {
    std::array::from_fn(|width| match (level, width) {
        (_, 0) => 1.0,
        (Level::Trellis, width) if width <= TRELLIS_DISTORTION.len() => TRELLIS_DISTORTION[width - 1],
        (_, width) => LLOYD_MAX[width - 1],
    })
}

#[cfg(test)]
mod tests {
    use super::{LLOYD_MAX, Level, distortions};

    /// ∫ (x − c(x))² φ(x) dx, by Simpson's rule between the thresholds and out to 12 standard deviations.
    fn integrate(levels: &[f32]) -> f64 {
        let mut edges: Vec<f64> =
            levels.windows(2).map(|pair| f64::midpoint(f64::from(pair[0]), f64::from(pair[1]))).collect();
        edges.insert(0, -12.0);
        edges.push(12.0);
        let density = |x: f64| (-x * x / 2.0).exp() / std::f64::consts::TAU.sqrt();
        let cell = |(&level, edges): (&f32, &[f64])| {
            const STEPS: usize = 2000;
            let step = (edges[1] - edges[0]) / STEPS as f64;
            let value = |i: usize| {
                let x = edges[0] + i as f64 * step;
                (x - f64::from(level)).powi(2) * density(x)
            };
            let weight = |i: usize| match i {
                0 | STEPS => 1.0,
                i if i % 2 == 1 => 4.0,
                _ => 2.0,
            };
            (0..=STEPS).map(|i| weight(i) * value(i)).sum::<f64>() * step / 3.0
        };
        levels.iter().zip(edges.windows(2)).map(cell).sum()
    }

    #[test]
    fn scalar_distortions_are_those_of_the_tables() {
        for width in 1..=Level::MAX_WIDTH {
            let (expected, actual) = (integrate(Level::Scalar.codebook(width)), LLOYD_MAX[usize::from(width) - 1]);
            assert!((actual / expected - 1.0).abs() < 1e-6, "{width} bits: {actual}, expected {expected}");
        }
    }

    #[test]
    fn wider_codes_have_less_error_and_none_beats_shannon() {
        for level in [Level::Scalar, Level::Trellis] {
            let distortions = distortions(level);
            for (width, pair) in distortions.windows(2).enumerate() {
                assert!(pair[1] < pair[0], "{level:?}, {width} bits");
                assert!(pair[1] > 0.25_f64.powi(width as i32 + 1), "{level:?}, {width} bits");
            }
        }
    }
}
