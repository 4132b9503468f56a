//! The promises, each with the tolerance that follows from storing factors as f32.

use factorized_embedding::{Decomposition, Factors};
use ndarray::{Array2, ArrayView2, Axis};

use crate::support::{
    compare::{Expected, assert_close, widened},
    eigenvalues::{eigenvalues, gram, optimal_errors, tolerance},
};

/// ε of the numbers that factors are stored in.
pub(crate) const EPSILON: f64 = f32::EPSILON as f64;

/// Everything that holds at every rank; `weights` are those that the decomposition was made with.
pub(crate) fn check_decomposition(
    name: &str,
    table: ArrayView2<'_, f32>,
    weights: Option<&[f64]>,
    decomposition: &Decomposition,
) {
    let factors = &decomposition.factors;
    let name = &format!("{name}, rank {}", factors.rank());
    assert!(factors.bias().is_none(), "{name}: a bias");
    check_directions(name, factors);
    check_singular_values(name, table, weights, decomposition);
    check_coordinates(name, table, weights, decomposition);
    check_errors(name, table, weights, decomposition);
}

/// V is orthonormal, and the entry of largest magnitude in each row is positive.
fn check_directions(name: &str, factors: &Factors) {
    let v = factors.v();
    let magnitudes = widened(v.view()).abs();
    // Each entry of V is rounded once, so a product of two is off by 2 u = ε; one more ε for the product in f32.
    let mut expected = Expected::new(Array2::eye(v.nrows()), 1 + v.ncols(), &magnitudes.dot(&magnitudes.t()));
    // Before it is rounded, V is orthonormal but for a few roundings in `f64` of each of dim rotations.
    expected.tolerances += 4.0 * v.ncols() as f64 * f64::EPSILON;
    assert_close(&format!("{name}: V·Vᵀ"), v.dot(&v.t()).view(), &expected);
    for row in v.rows() {
        let largest = row.fold(f32::NEG_INFINITY, |a, &b| a.max(b));
        let smallest = row.fold(f32::INFINITY, |a, &b| a.min(b));
        assert!(largest >= -smallest, "{name}: the largest entry of {row} is negative");
    }
}

/// They agree with the eigenvalues of the Gram matrix, never increase, and D holds the first of them.
fn check_singular_values(
    name: &str,
    table: ArrayView2<'_, f32>,
    weights: Option<&[f64]>,
    decomposition: &Decomposition,
) {
    let values = &decomposition.spectrum.singular_values();
    assert_eq!(values.len(), table.nrows().min(table.ncols()), "{name}: number of singular values");
    assert!(values.windows(2).into_iter().all(|pair| pair[0] >= pair[1]), "{name}: {values} increase");
    assert!(values.iter().all(|&value| value >= 0.0), "{name}: {values} are negative");

    let gram = gram(table, weights);
    let tolerance = tolerance(table, &gram);
    let expected = eigenvalues(gram);
    for (value, expected) in values.iter().zip(&expected) {
        assert!((value * value - expected).abs() <= tolerance, "{name}: σ² {} is not {expected}", value * value);
    }
    let diagonal = decomposition.factors.diagonal().expect("the singular values");
    for (&entry, &value) in diagonal.iter().zip(values) {
        let expected = if value > EPSILON * values[0] { value as f32 } else { 0.0 };
        assert_eq!(entry, expected, "{name}: D");
    }
}

/// U·D = E·Vᵀ, and columns of U are zero where D is.
fn check_coordinates(name: &str, table: ArrayView2<'_, f32>, weights: Option<&[f64]>, decomposition: &Decomposition) {
    let factors = &decomposition.factors;
    let diagonal = factors.diagonal().expect("the singular values");
    let (table, v, u) = (widened(table), widened(factors.v()), widened(factors.u().view()));
    let (image, magnitudes) = (table.dot(&v.t()), table.abs().dot(&v.abs().t()));
    let largest = decomposition.spectrum.singular_values()[0];
    for (k, &value) in diagonal.iter().enumerate() {
        if value == 0.0 {
            assert!(u.column(k).iter().all(|&entry| entry == 0.0), "{name}: column {k} of U");
            // What is dropped is small: at most ε·σ₁, and as much again from rounding V.
            let norm = image.column(k).dot(&image.column(k)).sqrt();
            assert!(weights.is_some() || norm <= 2.0 * EPSILON * largest, "{name}: E·v is {norm} in direction {k}");
            continue;
        }
        for i in 0..u.nrows() {
            let product = u[[i, k]] * f64::from(value);
            // u, D and V are rounded once each.
            let tolerance = EPSILON * (product.abs() + magnitudes[[i, k]]);
            let difference = (product - image[[i, k]]).abs();
            assert!(difference <= tolerance, "{name}: (U·D)[{i}, {k}] is {product}, not {}", image[[i, k]]);
        }
    }
}

/// The errors are those of the factors, and the least that the rank allows.
fn check_errors(name: &str, table: ArrayView2<'_, f32>, weights: Option<&[f64]>, decomposition: &Decomposition) {
    let factors = &decomposition.factors;
    let plain = rounding(table, None, factors);
    let actual = relative_error(table, None, factors);
    let difference = (decomposition.relative_error - actual).abs();
    assert!(difference <= plain, "{name}: relative error {}, not {actual}", decomposition.relative_error);

    let optimum = optimal_errors(&eigenvalues(gram(table, weights)))[factors.rank()];
    let reported = match (weights, decomposition.weighted_relative_error) {
        (None, None) => decomposition.relative_error,
        (Some(_), Some(error)) => error,
        (_, error) => panic!("{name}: weighted error {error:?} though weights are {weights:?}"),
    };
    let tolerance = rounding(table, weights, factors);
    let actual = relative_error(table, weights, factors);
    assert!((reported - actual).abs() <= tolerance, "{name}: reported error {reported}, not {actual}");
    // The square root of what the eigenvalues may be off by, where nothing is left to drop.
    let floor = (table.nrows() + 24 * table.ncols()) as f64 * f64::EPSILON;
    assert!(
        (reported - optimum).abs() <= tolerance + floor.sqrt().min(floor / optimum.max(f64::MIN_POSITIVE)),
        "{name}: error {reported}, the least is {optimum}, tolerance {tolerance:e}",
    );
}

/// ‖E − U·D·V‖ / ‖E‖ in f64, each row weighted.
pub(crate) fn relative_error(table: ArrayView2<'_, f32>, weights: Option<&[f64]>, factors: &Factors) -> f64 {
    let table = widened(table);
    let residual = &table - &product(factors);
    let total = weighted_norm(&table, weights);
    if total == 0.0 { 0.0 } else { weighted_norm(&residual, weights) / total }
}

/// By how much rounding the factors and their product can move the relative error: the norm of what it can move each entry
/// by, which is (rank + 3)·ε·Σ|terms|, and the singular values up to ε·σ₁ that count as zero.
pub(crate) fn rounding(table: ArrayView2<'_, f32>, weights: Option<&[f64]>, factors: &Factors) -> f64 {
    let total = weighted_norm(&widened(table), weights);
    if total == 0.0 {
        return 0.0;
    }
    let terms = factors.rank() as f64;
    let magnitudes = scaled(factors).abs().dot(&widened(factors.v()).abs());
    EPSILON * ((terms + 3.0) * weighted_norm(&magnitudes, weights) / total + terms.sqrt())
}

fn product(factors: &Factors) -> Array2<f64> {
    scaled(factors).dot(&widened(factors.v()))
}

/// U·D.
fn scaled(factors: &Factors) -> Array2<f64> {
    let u = widened(factors.u().view());
    match factors.diagonal() {
        Some(diagonal) => u * diagonal.mapv(f64::from).insert_axis(Axis(0)),
        None => u,
    }
}

pub(crate) fn weighted_norm(array: &Array2<f64>, weights: Option<&[f64]>) -> f64 {
    let squares = array.rows().into_iter().enumerate().map(|(i, row)| {
        let weight = weights.map_or(1.0, |weights| weights[i]);
        weight * row.dot(&row)
    });
    squares.sum::<f64>().sqrt()
}
