//! How many directions a table spreads over.

use super::Spectrum;
use crate::Result;

/// What needs all singular values.
pub(super) const EFFECTIVE_RANK: &str = "the effective rank";

impl Spectrum {
    /// The effective rank: exp of the Shannon entropy of the shares σᵢ / Σ σ (Roy & Vetterli 2007, "The effective rank: a
    /// measure of effective dimensionality", definition 1). From 1, when one value is all there is, to the number of values,
    /// when all are the same; 0 for a table of zeros.
    ///
    /// It describes how evenly the directions are used, and promises nothing about the error at that rank. The shares are of
    /// σ and not of the energy σ², so that many small values count for much.
    ///
    /// # Errors
    /// [`NeedsAllSingularValues`](crate::Error::NeedsAllSingularValues).
    ///
    /// # Examples
    ///
    /// ```
    /// use factorized_embedding::Spectrum;
    /// use ndarray::array;
    ///
    /// # fn main() -> factorized_embedding::Result<()> {
    /// let spectrum = Spectrum::new(array![2.0, 2.0, 2.0, 0.0], 10, 4)?;
    /// assert!((spectrum.effective_rank()? - 3.0).abs() < 1e-12);
    /// # Ok(())
    /// # }
    /// ```
    pub fn effective_rank(&self) -> Result<f64> {
        let values = self.all_singular_values(EFFECTIVE_RANK)?;
        let largest = values[0];
        if largest == 0.0 {
            return Ok(0.0);
        }
        // In units of the largest value no sum overflows: Σ σ is the first, and the entropy is ln Σ σ − Σ σ·ln σ / Σ σ.
        let (mut sum, mut logarithms) = (0.0, 0.0);
        for value in values.iter().rev().map(|value| value / largest).filter(|&value| value > 0.0) {
            sum += value;
            logarithms += value * value.ln();
        }
        Ok((sum.ln() - logarithms / sum).exp())
    }
}

#[cfg(test)]
mod tests {
    use ndarray::{Array1, array};

    use super::Spectrum;

    fn effective_rank(values: Array1<f64>) -> f64 {
        let dim = values.len();
        let spectrum = Spectrum::new(values, 2 * dim, dim).expect("values that are not negative");
        spectrum.effective_rank().expect("all values")
    }

    /// Each sum of n terms rounds n times, and exp turns that into a relative error of about the same.
    #[track_caller]
    fn assert_close(actual: f64, expected: f64, num_values: usize) {
        let tolerance = 4.0 * num_values as f64 * f64::EPSILON * expected;
        assert!((actual - expected).abs() <= tolerance, "{actual}, not {expected}");
    }

    #[test]
    fn equal_values_all_count() {
        for count in [1, 2, 3, 17, 100] {
            for value in [1e-90, 0.3, 1.0, 1e90] {
                let flat = Array1::from_elem(count, value);
                assert_close(effective_rank(flat), count as f64, count);
            }
        }
        assert_close(effective_rank(array![0.0, 5.0, 0.0, 5.0]), 2.0, 4);
        assert_eq!(effective_rank(array![7.0, 0.0, 0.0]), 1.0);
        assert_eq!(effective_rank(array![0.0, 0.0]), 0.0);
    }

    #[test]
    fn geometric_values_have_the_entropy_of_the_geometric_distribution() {
        for (ratio, count) in [(0.5_f64, 2_i32), (0.5, 60), (0.9, 12), (0.99, 300)] {
            let values = (0..count).map(|k| ratio.powi(k)).collect();
            let last = ratio.powi(count);
            let mean = ratio / (1.0 - ratio) - f64::from(count) * last / (1.0 - last);
            let entropy = ((1.0 - last) / (1.0 - ratio)).ln() - mean * ratio.ln();
            // The powers and the mean itself cancel digits where the ratio is near 1.
            let terms = count.unsigned_abs() as usize * 100;
            assert_close(effective_rank(values), entropy.exp(), terms);
        }
        // ½, ¼, ⅛, …: an entropy of 2·ln 2.
        assert_close(effective_rank((0..60).map(|k| 0.5_f64.powi(k)).collect()), 4.0, 60);
    }
}
