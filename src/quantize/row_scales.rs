//! Scales of rows in steps of a logarithm.

use crate::factors::RowScales;

/// The smallest scales do not widen the range if they matter this little together.
const NEGLIGIBLE: f64 = 1e-5;
/// Nor do the largest ones: far less, as what is cut off of them is all of their error.
const NEGLIGIBLE_ABOVE: f64 = 1e-9;

/// The range of log₂ of scales.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct ScaleRange {
    min: f64,
    max: f64,
}

impl ScaleRange {
    /// Of all scales that are not zero, but for the smallest and the largest ones, whose importance adds up to next to nothing.
    ///
    /// # Shapes
    /// `scales` and `importances` \[n\]
    pub(super) fn new(scales: &[f64], importances: &[f64]) -> Self {
        let mut order: Vec<usize> = (0..scales.len()).filter(|&row| scales[row] > 0.0).collect();
        order.sort_by(|&a, &b| scales[a].total_cmp(&scales[b]));
        let all: f64 = order.iter().map(|&row| importances[row]).sum();
        let until = |negligible: f64| {
            let mut sum = 0.0;
            move |row: &&usize| {
                sum += importances[**row];
                sum > negligible * all
            }
        };
        let (first, last) = (order.iter().find(until(NEGLIGIBLE)), order.iter().rev().find(until(NEGLIGIBLE_ABOVE)));
        match (first.or(order.first()), last.or(order.last())) {
            (Some(&first), Some(&last)) => {
                let [min, max] = [first, last].map(|row| scales[row].log2().clamp(-149.0, 127.0));
                Self { min, max }
            }
            _ => Self { min: 0.0, max: 0.0 },
        }
    }

    /// Codes of so many bits over the range.
    pub(super) fn scales(self, bits: u8) -> RowScales {
        let steps = ((1_u32 << bits) - 2).max(1);
        RowScales { bits, min: self.min as f32, step: ((self.max - self.min) / f64::from(steps)).max(0.0) as f32 }
    }

    /// The mean square of the relative error of scales in codes of so many bits.
    pub(super) fn squared_error(self, bits: u8) -> f64 {
        let step = f64::from(self.scales(bits).step) * std::f64::consts::LN_2;
        step * step / 12.0
    }
}

/// The code of the nearest scale, in the logarithm but for 0, which is nearest to what is below half of the smallest.
pub(super) fn code(scales: RowScales, scale: f64) -> u32 {
    let last = (1_u32 << scales.bits) - 2;
    let log = scale.log2() - f64::from(scales.min);
    if !(scale > 0.0 && log >= -1.0) {
        return 0;
    }
    let steps = if scales.step > 0.0 { (log / f64::from(scales.step)).round() } else { 0.0 };
    1 + (steps.max(0.0) as u32).min(last)
}

#[cfg(test)]
mod tests {
    use super::{ScaleRange, code};

    #[test]
    fn scales_come_back_within_half_a_step() {
        let scales: Vec<f64> = (0..1000).map(|i| 0.3 * 1.004_f64.powi(i)).collect();
        let range = ScaleRange::new(&scales, &vec![1.0; 1000]);
        for bits in 2..=8 {
            let stored = range.scales(bits);
            let table = stored.table();
            let mut sum = 0.0;
            for &scale in &scales[10..] {
                let ratio = (f64::from(table[code(stored, scale) as usize]) / scale).log2();
                assert!(ratio.abs() <= f64::from(stored.step) / 2.0 + 1e-6, "{bits} bits: {scale}");
                sum += (ratio * std::f64::consts::LN_2).powi(2) / 990.0;
            }
            let expected = range.squared_error(bits);
            assert!((sum / expected - 1.0).abs() < 0.2, "{bits} bits: {sum}, expected {expected}");
        }
    }

    #[test]
    fn scales_of_rows_that_do_not_matter_leave_the_range_alone() {
        let range = ScaleRange::new(&[1e-30, 1.0, 2.0, 0.0], &[1e-60, 1.0, 4.0, 0.0]);
        assert_eq!(range, ScaleRange { min: 0.0, max: 1.0 });
        let stored = range.scales(6);
        assert_eq!([1e-30, 0.0, 0.4, 0.9].map(|scale| code(stored, scale)), [0, 0, 0, 1]);
        assert_eq!(code(stored, 100.0), 63);
        let one = ScaleRange::new(&[2.0, 2.0], &[1.0, 1.0]).scales(6);
        assert_eq!((one.step, code(one, 2.0), one.table()[1]), (0.0, 1, 2.0));
        assert_eq!(ScaleRange::new(&[0.0], &[0.0]).scales(8).table()[1], 1.0);
    }
}
