//! The law of the singular values of noise (Marchenko & Pastur 1967).

use std::f64::consts::PI;

/// The median of the squared singular values of a random matrix \[n, β·n\] of variance 1/n, for large n and β in (0, 1].
///
/// The values lie between (1 − √β)² and (1 + √β)². With t = 1 + β − 2·√β·cos φ the law has, on 0 ≤ φ ≤ π, the density
/// (2/π)·sin²φ / t, whose Fourier series can be integrated and summed: nothing is left but to solve for the median.
pub(super) fn median(beta: f64) -> f64 {
    let root = beta.sqrt();
    let (mut low, mut high) = (0.0, PI);
    // Halved until the two are neighbours: 3 bits before the binary point and 53 after it.
    for _ in 0..56 {
        let middle = f64::midpoint(low, high);
        if distribution(middle, root) < 0.5 {
            low = middle;
        } else {
            high = middle;
        }
    }
    1.0 + beta - 2.0 * root * low.cos()
}

/// The share of the values up to that of the angle.
fn distribution(angle: f64, root: f64) -> f64 {
    let beta = root * root;
    let sine = root * angle.sin();
    // Σ √β^k · sin(k·φ) / k from k = 2; the factor before it vanishes as fast as the sum may lose digits.
    let tail = sine.atan2(1.0 - root * angle.cos()) - sine;
    (angle + sine - (1.0 - beta) / beta * tail) / PI
}

#[cfg(test)]
mod tests {
    use super::{PI, distribution, median};

    /// The density, summed by the midpoint rule: its error is below (step · steepness)².
    fn integrated(angle: f64, root: f64) -> f64 {
        const STEPS: u32 = 100_000;
        let step = angle / f64::from(STEPS);
        let density = |angle: f64| angle.sin().powi(2) / (1.0 + root * root - 2.0 * root * angle.cos());
        (0..STEPS).map(|i| density((f64::from(i) + 0.5) * step)).sum::<f64>() * step * 2.0 / PI
    }

    #[test]
    fn the_distribution_is_the_integral_of_the_density() {
        for root in [0.01, 0.1, 0.5, 0.9, 0.99, 1.0] {
            for angle in [0.01, 0.1, 1.0, 2.0, 3.0, PI] {
                let (summed, expected) = (distribution(angle, root), integrated(angle, root));
                assert!((summed - expected).abs() < 1e-7, "{angle} {root}: {summed}, not {expected}");
            }
        }
    }

    #[test]
    fn half_of_the_values_are_below_the_median() {
        for beta in [1e-9, 1e-4, 0.01, 0.3, 0.5, 0.99, 1.0] {
            let median = median(beta);
            let root = f64::sqrt(beta);
            let angle = ((1.0 + beta - median) / (2.0 * root)).acos();
            // The median is near 1: dividing by √β loses as many digits as that has.
            let tolerance = 1e-13 / root;
            assert!((integrated(angle, root) - 0.5).abs() < 1e-7 + tolerance, "{beta}: {median}");
        }
    }

    #[test]
    fn the_median_of_narrow_noise_tends_to_its_mean() {
        // The mean is 1; the median lies β/3 below it, and closer terms are of the order β².
        for beta in [1e-3, 1e-5, 1e-8] {
            assert!((median(beta) - (1.0 - beta / 3.0)).abs() < beta * beta + 1e-15, "{beta}");
        }
    }
}
