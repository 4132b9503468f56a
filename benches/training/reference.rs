//! What one writes without this crate, and how close to it answers must be.

use std::collections::BTreeMap;

use factorized_embedding::TokenId;
use ndarray::{Array2, ArrayView2, Axis};

use super::support::tables::{Tables, indices};

/// Sums of the rows of each id: the ids in ascending order, and a row for each.
pub(super) fn sum_rows(ids: &[TokenId], rows: ArrayView2<'_, f32>) -> (Vec<TokenId>, Array2<f32>) {
    let mut sums = BTreeMap::new();
    for (&id, row) in ids.iter().zip(rows.rows()) {
        let sum = sums.entry(id).or_insert_with(|| vec![0.0; row.len()]);
        sum.iter_mut().zip(row).for_each(|(sum, number)| *sum += number);
    }
    let shape = (sums.len(), rows.ncols());
    let (ids, sums): (Vec<TokenId>, Vec<Vec<f32>>) = sums.into_iter().unzip();
    (ids, Array2::from_shape_vec(shape, sums.concat()).expect("a row for each id"))
}

/// ∂U by id and ∂V, of a layer without diagonal and bias: the products of all ids, then sums over repeated ids.
pub(super) fn select_dot(
    tables: &Tables,
    ids: &[TokenId],
    grad_out: ArrayView2<'_, f32>,
) -> ((Vec<TokenId>, Array2<f32>), Array2<f32>) {
    let u = sum_rows(ids, grad_out.dot(&tables.projection().t()).view());
    (u, tables.factors().u().select(Axis(0), &indices(ids)).t().dot(&grad_out))
}

pub(super) fn assert_near(what: &str, actual: ArrayView2<'_, f32>, expected: &Array2<f32>) {
    let largest = expected.fold(0.0_f32, |max, number| max.max(number.abs()));
    let near = (&actual - expected).iter().all(|error| error.abs() <= 1e-4 * largest);
    assert!(near, "{what}: {actual}, expected {expected}, within 1e-4 of {largest}");
}

/// Every number has moved against its gradient by the learning rate, as in a first step of Adam; where a gradient is all but
/// zero, rounding may have chosen its sign.
pub(super) fn assert_first_step(
    what: &str,
    [before, after]: [ArrayView2<'_, f32>; 2],
    gradient: &Array2<f32>,
    learning_rate: f64,
) {
    let step = gradient.mapv(|number| -(learning_rate as f32) * number.signum());
    let norm = |matrix: &Array2<f32>| matrix.fold(0.0, |sum, &x| sum + f64::from(x) * f64::from(x)).sqrt();
    let error = norm(&(&after - &before - &step)) / norm(&step);
    assert!(error < 0.01, "{what}: off by {error} of the step");
}
