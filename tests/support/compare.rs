//! Comparisons whose tolerance follows from the arithmetic.
//!
//! A sum of n rounded products, added up in any order, is off by at most about n·u·Σ|terms|, where u = ε / 2 is the unit
//! roundoff (Higham 2002, "Accuracy and Stability of Numerical Algorithms", §3.1). With ε in place of u there is room for
//! the few roundings that a term takes part in beside its sum: a diagonal that is folded in, a bias, a division. No terms
//! mean that nothing is rounded, and then nothing may differ.

use std::fmt::Write;

use ndarray::{Array2, ArrayView2};

/// What an array should hold, and how far each element may be from it.
#[derive(Clone, Debug)]
pub(crate) struct Expected {
    pub(crate) values: Array2<f64>,
    pub(crate) tolerances: Array2<f64>,
}

impl Expected {
    /// `magnitudes` holds Σ|terms| of each element.
    pub(crate) fn new(values: Array2<f64>, terms: usize, magnitudes: &Array2<f64>) -> Self {
        let tolerances = magnitudes * (terms as f64 * f64::from(f32::EPSILON));
        Self { values, tolerances }
    }

    /// What is wrong with the actual array, if anything is.
    pub(crate) fn difference(&self, actual: ArrayView2<'_, f32>) -> Option<String> {
        if actual.dim() != self.values.dim() {
            return Some(format!("the shape is {:?}, expected {:?}", actual.dim(), self.values.dim()));
        }
        let differing: Vec<_> = actual
            .indexed_iter()
            .filter(|&(index, &value)| {
                let difference = (f64::from(value) - self.values[index]).abs();
                difference.is_nan() || difference > self.tolerances[index]
            })
            .collect();
        if differing.is_empty() {
            return None;
        }
        let mut report = format!("{} of {} elements of {:?} differ", differing.len(), actual.len(), actual.dim());
        for (index, value) in differing.iter().take(5) {
            let (expected, tolerance) = (self.values[*index], self.tolerances[*index]);
            write!(report, "\n  {index:?}: {value:e}, expected {expected:e} ± {tolerance:.1e}")
                .expect("writing to a string never fails");
        }
        Some(report)
    }
}

#[track_caller]
pub(crate) fn assert_close(what: &str, actual: ArrayView2<'_, f32>, expected: &Expected) {
    if let Some(difference) = expected.difference(actual) {
        panic!("{what}: {difference}");
    }
}

/// Both arrays hold the same bits: −0.0 is not 0.0, and NaN is the same NaN.
#[track_caller]
pub(crate) fn assert_same_bits(what: &str, actual: ArrayView2<'_, f32>, expected: ArrayView2<'_, f32>) {
    assert_eq!(actual.dim(), expected.dim(), "{what}: shapes");
    let differing: Vec<_> = actual
        .indexed_iter()
        .map(|(index, &value)| (index, value, expected[index]))
        .filter(|(_, value, expected)| value.to_bits() != expected.to_bits())
        .collect();
    assert!(
        differing.is_empty(),
        "{what}: {} of {} elements of {:?} have other bits, (index, actual, expected): {:?}",
        differing.len(),
        actual.len(),
        actual.dim(),
        &differing[..differing.len().min(5)],
    );
}

/// The elements in f64.
pub(crate) fn widened(array: ArrayView2<'_, f32>) -> Array2<f64> {
    array.mapv(f64::from)
}
