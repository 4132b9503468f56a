//! Test data, and the references that results are held against, all in f64.

use factorized_embedding::{Decomposition, Factors, Observations};
use ndarray::{Array2, ArrayView2, Axis};
use rand::RngExt;

use crate::support::{compare::widened, random};

/// ε of the numbers that factors are stored in.
pub(crate) const EPSILON: f64 = f32::EPSILON as f64;

/// True for about this share of the entries.
pub(crate) fn mask(shape: (usize, usize), share: f64, seed: u64) -> Array2<bool> {
    let mut rng = random::rng(seed);
    Array2::from_shape_simple_fn(shape, || rng.random_bool(share))
}

/// Weights between ½ and 2 where the mask is true, else 0.
pub(crate) fn weights(mask: &Array2<bool>, seed: u64) -> Array2<f32> {
    let mut rng = random::rng(seed);
    mask.mapv(|known| if known { rng.random_range(0.5..2.0) } else { 0.0 })
}

pub(crate) fn zeros_and_ones(mask: &Array2<bool>) -> Array2<f64> {
    mask.mapv(|known| if known { 1.0 } else { 0.0 })
}

pub(crate) fn known(table: ArrayView2<'_, f32>, mask: &Array2<bool>) -> Observations {
    Observations::from_mask(table, mask.view()).expect("a finite table with known entries")
}

/// U · D · V.
pub(crate) fn product(factors: &Factors) -> Array2<f64> {
    let u = widened(factors.u().view());
    let diagonal = factors.diagonal().expect("the singular values").mapv(f64::from).insert_axis(Axis(0));
    (u * diagonal).dot(&widened(factors.v()))
}

/// Σ w·(e − ê)².
pub(crate) fn residual(table: ArrayView2<'_, f32>, weights: &Array2<f64>, product: &Array2<f64>) -> f64 {
    let squares = ndarray::Zip::from(table).and(weights).and(product).map_collect(|&e, &weight, &product| {
        // Entries that are missing may be anything.
        if weight == 0.0 { 0.0 } else { weight * (f64::from(e) - product).powi(2) }
    });
    squares.sum()
}

/// √(Σ w·(e − ê)² / Σ w·e²).
pub(crate) fn relative_error(table: ArrayView2<'_, f32>, weights: &Array2<f64>, factors: &Factors) -> f64 {
    let product = product(factors);
    let total = residual(table, weights, &Array2::zeros(product.dim()));
    let residual = residual(table, weights, &product);
    if residual == 0.0 { 0.0 } else { (residual / total).sqrt() }
}

/// By how much the loss may be off: each square is of a difference of rank + 1 numbers, rounded as often.
pub(crate) fn loss_rounding(table: ArrayView2<'_, f32>, weights: &Array2<f64>, factors: &Factors) -> f64 {
    let magnitudes = {
        let u = widened(factors.u().view()).abs();
        let diagonal = factors.diagonal().expect("the singular values").mapv(f64::from).insert_axis(Axis(0));
        (u * diagonal).dot(&widened(factors.v()).abs())
    };
    let squares = ndarray::Zip::from(table).and(weights).and(&magnitudes).map_collect(|&e, &weight, &magnitude| {
        if weight == 0.0 { 0.0 } else { weight * (f64::from(e).abs() + magnitude).powi(2) }
    });
    4.0 * (factors.rank() + 3) as f64 * f64::EPSILON * squares.sum()
}

/// Losses are there and never increase.
#[track_caller]
pub(crate) fn assert_monotone(name: &str, decomposition: &Decomposition, rounding: f64) {
    let losses = &decomposition.losses;
    assert!(!losses.is_empty(), "{name}: no losses");
    for (i, pair) in losses.windows(2).enumerate() {
        assert!(pair[1] <= pair[0] + rounding, "{name}: loss {} after {} in iteration {}", pair[1], pair[0], i + 2);
    }
}

/// What holds for the factors of any table: orthonormal V with positive largest entries, D that never increases and is
/// what the spectrum says, columns of U of length 1 (of the rows' weights, if any) or 0, and errors that are those of
/// the factors.
#[track_caller]
pub(crate) fn check_form(
    name: &str,
    table: ArrayView2<'_, f32>,
    [plain, weighted]: [&Array2<f64>; 2],
    row_weights: Option<&[f64]>,
    decomposition: &Decomposition,
) {
    let factors = &decomposition.factors;
    let rank = factors.rank();
    let v = widened(factors.v());
    let rounding = (1 + v.ncols()) as f64 * EPSILON;
    approx::assert_abs_diff_eq!(v.dot(&v.t()), Array2::eye(rank), epsilon = rounding);
    for row in v.rows() {
        let (least, most) = row.iter().fold((0.0_f64, 0.0_f64), |(least, most), &x| (least.min(x), most.max(x)));
        assert!(most >= -least, "{name}: the largest entry of {row} is negative");
    }
    let spectrum = &decomposition.spectrum;
    let values = spectrum.singular_values();
    assert_eq!(values.len(), rank, "{name}");
    let diagonal = factors.diagonal().expect("the singular values");
    let mut u = widened(factors.u().view());
    if let Some(weights) = row_weights {
        u.rows_mut().into_iter().zip(weights).for_each(|(mut row, weight)| row *= weight.sqrt());
    }
    for (k, &value) in values.iter().enumerate() {
        assert!(k == 0 || value <= values[k - 1], "{name}: {values} increase");
        let significant = value > EPSILON * values[0];
        assert_eq!(diagonal[k], if significant { value as f32 } else { 0.0 }, "{name}: D");
        let length = u.column(k).dot(&u.column(k)).sqrt();
        // A small singular value of f64 arithmetic is off by a multiple of its ε times the largest.
        let rounding = (4 + u.nrows()) as f64 * (EPSILON + f64::EPSILON * values[0] / value.max(f64::MIN_POSITIVE));
        let expected = if significant { 1.0 } else { 0.0 };
        assert!(!significant && length == 0.0 || (length - expected).abs() <= rounding, "{name}: column {k}: {length}");
    }
    // Rounded products in f32 move an entry by (rank + 3)·ε·Σ|terms| at most.
    let rounding = |weights: &Array2<f64>| {
        let total = residual(table, weights, &Array2::zeros(table.dim()));
        let squares = loss_rounding(table, weights, factors) / f64::EPSILON * EPSILON.powi(2) * (rank + 3) as f64;
        if total == 0.0 { 0.0 } else { (squares / total).sqrt() }
    };
    let error = relative_error(table, plain, factors);
    assert!((decomposition.relative_error - error).abs() <= rounding(plain), "{name}: {decomposition:?}, not {error}");
    let of_spectrum = decomposition.weighted_relative_error.unwrap_or(decomposition.relative_error);
    if let Some(reported) = decomposition.weighted_relative_error {
        let error = relative_error(table, weighted, factors);
        assert!((reported - error).abs() <= rounding(weighted), "{name}: weighted {reported}, not {error}");
    }
    approx::assert_relative_eq!(spectrum.error_at(rank), of_spectrum, max_relative = 1e-12);
    let energy = residual(table, weighted, &Array2::zeros(table.dim()));
    approx::assert_relative_eq!(spectrum.total_energy(), energy, max_relative = table.len() as f64 * f64::EPSILON);
}
