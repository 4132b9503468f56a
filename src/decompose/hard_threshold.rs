//! Where the singular values of noise end.

use super::{Spectrum, marchenko_pastur};
use crate::Result;

/// What needs all singular values.
pub(super) const HARD_THRESHOLD: &str = "the hard threshold";

impl Spectrum {
    /// The optimal hard threshold τ for singular values when nothing is known about the noise: ω(β) times their median, with
    /// β the shorter side of the table over the longer one (Gavish & Donoho 2014, "The optimal hard threshold for singular
    /// values is 4/√3"). For a square table ω is 2.858.
    ///
    /// If the table is a matrix of low rank plus white noise (independent entries of mean 0 and one variance), then keeping
    /// the singular values above τ gives the smallest mean squared error to the matrix without its noise, of all thresholds,
    /// as both sides of the table grow.
    ///
    /// A trained table is no such sum. The rule takes the middle of its values for noise, puts the threshold far too high, and
    /// keeps few directions. Row weights and a column covariance colour the noise, which is white no more.
    ///
    /// # Errors
    /// [`NeedsAllSingularValues`](crate::Error::NeedsAllSingularValues): the median needs all values.
    ///
    /// # Examples
    ///
    /// ```
    /// use factorized_embedding::{Rank, Spectrum};
    /// use ndarray::array;
    ///
    /// # fn main() -> factorized_embedding::Result<()> {
    /// let spectrum = Spectrum::new(array![90.0, 40.0, 1.2, 1.0, 0.9, 0.8, 0.7], 7, 7)?;
    /// assert!((spectrum.hard_threshold()? - 2.858).abs() < 1e-3);
    /// assert_eq!(Rank::HardThreshold.select(&spectrum)?, 2);
    /// # Ok(())
    /// # }
    /// ```
    pub fn hard_threshold(&self) -> Result<f64> {
        let values = self.all_singular_values(HARD_THRESHOLD)?;
        let (below, above) = (values[(values.len() - 1) / 2], values[values.len() / 2]);
        let beta = self.aspect_ratio();
        Ok(coefficient(beta) / marchenko_pastur::median(beta).sqrt() * f64::midpoint(below, above))
    }

    /// The optimal hard threshold for singular values under white noise of a known standard deviation: λ(β)·√n times it, with
    /// n the longer side of the table and β the shorter side over n (Gavish & Donoho 2014). For a square
    /// table λ is 4/√3.
    ///
    /// Rounding entries to a grid of a fixed step, for one, is about such a noise, of step / √12.
    #[must_use]
    pub fn hard_threshold_of_noise(&self, standard_deviation: f64) -> f64 {
        let [vocab_size, dim] = self.shape();
        coefficient(self.aspect_ratio()) * (vocab_size.max(dim) as f64).sqrt() * standard_deviation
    }

    /// How many values are above a threshold; those up to ε·σ₁ (ε of `f32`) count as zero.
    pub(super) fn num_above(&self, threshold: f64) -> usize {
        let values = self.singular_values();
        let zero = values.first().map_or(0.0, |largest| f64::from(f32::EPSILON) * largest);
        values.iter().take_while(|&&value| value > threshold.max(zero)).count()
    }

    fn aspect_ratio(&self) -> f64 {
        let [vocab_size, dim] = self.shape();
        vocab_size.min(dim) as f64 / vocab_size.max(dim) as f64
    }
}

/// λ(β), the optimal threshold in units of √n times the standard deviation of the noise.
fn coefficient(beta: f64) -> f64 {
    (2.0 * (beta + 1.0) + 8.0 * beta / (beta + 1.0 + (beta * beta + 14.0 * beta + 1.0).sqrt())).sqrt()
}

#[cfg(test)]
mod tests {
    use ndarray::Array1;

    use super::{Spectrum, coefficient, marchenko_pastur};

    /// ω(β).
    fn omega(beta: f64) -> f64 {
        coefficient(beta) / marchenko_pastur::median(beta).sqrt()
    }

    #[test]
    fn coefficients_of_square_tables_are_those_of_the_paper() {
        assert!((coefficient(1.0) - 4.0 / 3.0_f64.sqrt()).abs() < 1e-15);
        assert!((omega(1.0) - 2.858).abs() < 5e-4, "{}", omega(1.0));
    }

    #[test]
    fn coefficients_are_near_the_cubic_of_the_paper() {
        for percent in 1..=100 {
            let beta = f64::from(percent) / 100.0;
            let cubic = 0.56 * beta.powi(3) - 0.95 * beta.powi(2) + 1.82 * beta + 1.43;
            assert!((omega(beta) - cubic).abs() < 0.02, "{beta}: {} is far from {cubic}", omega(beta));
        }
        // One row, or columns beyond number: all values of noise are the same.
        assert!((omega(1e-9) - 2.0_f64.sqrt()).abs() < 1e-8);
    }

    #[test]
    fn thresholds_are_multiples_of_the_median_or_of_the_noise() {
        let values = |len: u32| (1..=len).map(f64::from).collect::<Array1<f64>>();
        for (len, median) in [(1_u32, 1.0), (2, 1.5), (5, 3.0), (6, 3.5)] {
            let (short, long) = (len as usize, 3 * len as usize);
            for [vocab_size, dim] in [[short, long], [long, short]] {
                let spectrum = Spectrum::new(values(len), vocab_size, dim).expect("positive values");
                let threshold = spectrum.hard_threshold().expect("all values");
                assert!((threshold - omega(1.0 / 3.0) * median).abs() < 1e-14 * threshold, "{threshold}");
                let of_noise = spectrum.hard_threshold_of_noise(0.5);
                let expected = coefficient(1.0 / 3.0) * (3.0 * f64::from(len)).sqrt() * 0.5;
                assert!((of_noise - expected).abs() < 1e-14 * expected, "{of_noise}");
            }
        }
    }
}
