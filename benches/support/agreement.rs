//! Whether two ways of computing the same lookup agree.

use factorized_embedding::Factors;
use ndarray::{Array2, ArrayView2, Axis, Zip};

/// Asserts that two products of the rows of `ids` agree.
///
/// A sum of r products in any order is within r · u · Σₖ |uₖ · pₖ| of the true one to first order in the unit round-off
/// u = ε / 2 (Higham 2002, §3.1), so two of them are within r · ε · Σₖ |uₖ · pₖ| of each other.
pub(crate) fn assert_same_rows(
    actual: ArrayView2<'_, f32>,
    expected: ArrayView2<'_, f32>,
    factors: &Factors,
    ids: &[usize],
) {
    assert_eq!(actual.dim(), expected.dim());
    let magnitudes: Array2<f32> = factors.u().select(Axis(0), ids).abs().dot(&factors.projection().abs());
    let epsilon = factors.rank() as f32 * f32::EPSILON;
    let differ = Zip::indexed(actual).and(expected).and(&magnitudes).fold(
        Vec::new(),
        |mut differ, index, &actual, &expected, &magnitude| {
            // Written so that a NaN counts as a difference.
            let agree = (actual - expected).abs() <= epsilon * magnitude;
            if !agree {
                differ.push((index, actual, expected));
            }
            differ
        },
    );
    assert!(
        differ.is_empty(),
        "{} of {} numbers differ; (row, column), actual, expected of the first: {:?}",
        differ.len(),
        actual.len(),
        &differ[..differ.len().min(5)]
    );
}
