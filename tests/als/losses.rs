//! The loss: what it is, and that it never increases.

use factorized_embedding::{AlternatingLeastSquares, Decompose, Decomposition, Observations, RowWeights};
use ndarray::{Array2, Axis};

use super::checks::{assert_monotone, check_form, loss_rounding, mask, product, residual, weights, zeros_and_ones};
use crate::support::random::normal;

const SHAPE: (usize, usize) = (60, 24);
const RIDGES: [f64; 3] = [0.0, 0.01, 2.0];

/// Some of them zero.
fn counts() -> RowWeights {
    let counts: Vec<f64> = (0..SHAPE.0).map(|i| if i % 5 == 4 { 0.0 } else { 100.0 / (1.0 + i as f64) }).collect();
    RowWeights::new(counts).expect("counts that are not negative")
}

/// Every combination of missing entries, entry weights, row weights and ridge terms.
fn each(check: impl Fn(&str, &Array2<f32>, [&Array2<f64>; 2], Option<&[f64]>, f64, &Decomposition)) {
    let table = normal(SHAPE, 11);
    let mask = mask(SHAPE, 0.6, 12);
    let known = zeros_and_ones(&mask);
    let entry_weights = weights(&mask, 13);
    let ones = Array2::ones(SHAPE);
    let inputs = [
        ("whole", None, ones.clone(), ones),
        ("masked", Some(Observations::from_mask(table.view(), mask.view())), known.clone(), known.clone()),
        (
            "weighted",
            Some(Observations::from_entry_weights(table.view(), entry_weights.view())),
            known,
            entry_weights.mapv(f64::from),
        ),
    ];
    for (name, observations, plain, weighted) in inputs {
        let observations = observations.map(|result| result.expect("a finite table"));
        for rows in [None, Some(counts())] {
            let vector = rows.as_ref().map(RowWeights::to_vec);
            let mut weighted = weighted.clone();
            if let Some(vector) = &vector {
                weighted *= &ndarray::ArrayView1::from(vector).insert_axis(Axis(1));
            }
            for ridge in RIDGES {
                let mut als = AlternatingLeastSquares::new(5).with_ridge(ridge).with_max_iterations(40);
                if let Some(rows) = &rows {
                    als = als.with_row_weights(rows.clone());
                }
                let decomposition = match &observations {
                    None => als.decompose(table.view()),
                    Some(observations) => als.fit(observations),
                };
                let name = format!("{name}, row weights: {}, ridge {ridge}", rows.is_some());
                let decomposition = decomposition.expect("a finite table");
                check(&name, &table, [&plain, &weighted], vector.as_deref(), ridge, &decomposition);
            }
        }
    }
}

#[test]
fn the_loss_never_increases() {
    each(|name, table, [_, weights], _, ridge, decomposition| {
        let rounding = loss_rounding(table.view(), weights, &decomposition.factors);
        assert_monotone(name, decomposition, rounding);
        let [first, .., last] = decomposition.losses[..] else { panic!("{name}: one iteration only") };
        assert!(first > last && ridge >= 0.0, "{name}: nothing was gained");
    });
}

#[test]
fn factors_are_in_the_form_of_an_svd_and_errors_are_theirs() {
    each(|name, table, weights, rows, _, decomposition| {
        check_form(name, table.view(), weights, rows, decomposition);
    });
}

/// The ridge term is at its least for the balanced factors: twice the singular values of the product. What the
/// iteration ended with is no less, and as close to it as it has converged.
#[test]
fn the_last_loss_is_that_of_the_factors() {
    each(|name, table, [_, weights], rows, ridge, decomposition| {
        if rows.is_some() && ridge > 0.0 {
            return; // Singular values are weighted then, the ridge term is not.
        }
        let factors = &decomposition.factors;
        let squares = residual(table.view(), weights, &product(factors));
        let loss = squares + 2.0 * ridge * decomposition.spectrum.singular_values().sum();
        let last = decomposition.losses[decomposition.losses.len() - 1];
        // Factors are stored as f32.
        let rounding = loss_rounding(table.view(), weights, factors) * f64::from(f32::EPSILON) / f64::EPSILON;
        assert!(loss <= last + rounding, "{name}: the factors have the loss {loss}, above {last}");
        let slack = if ridge == 0.0 { 0.0 } else { 1e-3 * last };
        assert!(loss >= last - rounding - slack, "{name}: the factors have the loss {loss}, far below {last}");
    });
}

#[test]
fn no_nearby_factors_have_a_smaller_loss() {
    let table = normal(SHAPE, 14);
    let weights = weights(&mask(SHAPE, 0.7, 15), 16);
    let observations = Observations::from_entry_weights(table.view(), weights.view()).expect("a finite table");
    let weights = weights.mapv(f64::from);
    for ridge in RIDGES {
        let als = AlternatingLeastSquares::new(3).with_ridge(ridge).with_tolerance(1e-12).with_max_iterations(5000);
        let factors = als.fit(&observations).expect("a finite table").factors;
        let root = factors.diagonal().expect("the singular values").mapv(|value| f64::from(value).sqrt());
        let u = factors.u().mapv(f64::from) * &root;
        let v = factors.v().mapv(f64::from) * &root.insert_axis(Axis(1));
        let loss = |u: &Array2<f64>, v: &Array2<f64>| {
            let squares = |array: &Array2<f64>| array.mapv(|x| x * x).sum();
            residual(table.view(), &weights, &u.dot(v)) + ridge * (squares(u) + squares(v))
        };
        let least = loss(&u, &v);
        for seed in 0..20 {
            for size in [1e-3, 1e-1] {
                let shift = |array: &Array2<f64>, seed| array + &(normal(array.dim(), seed).mapv(f64::from) * size);
                for moved in [loss(&shift(&u, seed), &v), loss(&u, &shift(&v, seed))] {
                    assert!(moved >= least, "ridge {ridge}, seed {seed}, size {size}: {moved} is less than {least}");
                }
            }
        }
    }
}

/// Weights over so many orders of magnitude leave normal equations that rounding decides: what is worse is not kept.
#[test]
fn nor_does_it_where_rounding_decides() {
    for seed in 0..60 {
        let table = normal((25, 9), 100 + seed);
        let weights = normal((25, 9), 200 + seed).mapv(|x| (12.0 * x).exp());
        let observations = Observations::from_entry_weights(table.view(), weights.view()).expect("a finite table");
        let als = AlternatingLeastSquares::new(3).with_tolerance(0.0).with_max_iterations(60);
        assert_monotone(&format!("seed {seed}"), &als.fit(&observations).expect("finite weights"), 0.0);
    }
}
