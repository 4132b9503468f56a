//! The bend of the error curve.

use super::Spectrum;
use crate::Result;

/// What needs all singular values.
pub(super) const KNEE: &str = "the knee";

impl Spectrum {
    /// The knee of the curve of relative error against rank: the rank where the curve lies farthest below the straight line
    /// (its chord) from rank 0 to the last rank. Just before it, a direction takes more off the error than directions do on
    /// average; just after it, less.
    ///
    /// It is the knee of Satopaa et al. 2011, "Finding a 'kneedle' in a haystack", for a convex decreasing curve: rank
    /// and error are brought to \[0, 1\] and the largest 1 − rank − error counts. The curve is exact here and has no noise, so
    /// that nothing is smoothed and no sensitivity has to be chosen; of equal distances the smaller rank is taken.
    ///
    /// `None` where the curve is nowhere below the chord by more than rounding: for a straight curve, for one that bends the
    /// other way (singular values that are all the same), for a single value, and for a table of zeros.
    ///
    /// The knee describes the shape of a curve. It knows nothing of bytes, nor of the error that a model can bear. The errors
    /// of trained tables fall steeply at first, hardly bend in the middle, and fall steeply again at the end: the knee then
    /// only says where the steep beginning ends.
    ///
    /// # Errors
    /// [`NeedsAllSingularValues`](crate::Error::NeedsAllSingularValues): the chord ends at the last rank.
    ///
    /// # Examples
    ///
    /// ```
    /// use factorized_embedding::Spectrum;
    /// use ndarray::array;
    ///
    /// # fn main() -> factorized_embedding::Result<()> {
    /// let spectrum = Spectrum::new(array![9.0, 8.0, 0.5, 0.4, 0.3, 0.2], 10, 6)?;
    /// assert_eq!(spectrum.knee()?, Some(2));
    /// # Ok(())
    /// # }
    /// ```
    pub fn knee(&self) -> Result<Option<usize>> {
        let last = self.all_singular_values(KNEE)?.len();
        let errors = self.error_curve();
        let fall = errors[0] - errors[last];
        if fall == 0.0 {
            return Ok(None);
        }
        // An error is the root of a sum of at most `last` terms over another such sum.
        let mut farthest = (last as f64 + 4.0) * f64::EPSILON;
        let mut knee = None;
        for (rank, error) in errors.iter().enumerate() {
            let distance = 1.0 - rank as f64 / last as f64 - (error - errors[last]) / fall;
            if distance > farthest {
                (farthest, knee) = (distance, Some(rank));
            }
        }
        Ok(knee)
    }
}

#[cfg(test)]
mod tests {
    use ndarray::{Array1, array};

    use super::Spectrum;

    fn knee(values: Array1<f64>) -> Option<usize> {
        let dim = values.len();
        let spectrum = Spectrum::new(values, 3 * dim, dim).expect("values that are not negative");
        spectrum.knee().expect("all values")
    }

    #[test]
    fn a_knee_is_where_the_directions_end() {
        for rank in 1..20 {
            let values = Array1::from_shape_fn(20, |i| if i < rank { 3.0 } else { 0.0 });
            assert_eq!(knee(values), Some(rank));
        }
        assert_eq!(knee(array![5.0, 0.0]), Some(1));
    }

    #[test]
    fn curves_that_do_not_bend_have_no_knee() {
        for len in [1, 2, 3, 20, 400] {
            assert_eq!(knee(Array1::ones(len)), None, "{len} equal values: the curve bends the other way");
            assert_eq!(knee(Array1::zeros(len)), None, "{len} zeros");
            // Energies 2n − 1, …, 3, 1 leave squares, and the error falls by the same at every rank.
            let straight = Array1::from_shape_fn(len, |i| ((2 * (len - i) - 1) as f64).sqrt());
            assert_eq!(knee(straight), None, "{len} values of a straight curve");
        }
    }

    #[test]
    fn the_knee_of_geometric_values_is_where_the_slope_is_that_of_the_chord() {
        for (ratio, len) in [(0.5_f64, 60_i32), (0.7, 100), (0.9, 300)] {
            let values = (0..len).map(|k| ratio.powi(k)).collect();
            // The error is ratio^rank but for what follows the last value: its slope is −1/len at this rank.
            let decay = -ratio.ln();
            let slope = (f64::from(len) * decay).ln() / decay;
            let found = knee(values).expect("a convex curve") as f64;
            assert!((found - slope).abs() < 1.0, "{found}, not about {slope}");
        }
    }
}
