use approx::assert_abs_diff_eq;
use ndarray::{Array2, array};

use super::Evaluator;
use crate::{DenseEmbedding, Embedding, FactorizedEmbedding, Factors, RowWeights};

fn dense(table: Array2<f32>) -> DenseEmbedding<'static> {
    DenseEmbedding::new(table).expect("a finite table")
}

#[test]
fn a_layer_is_like_itself() {
    let table = dense(Array2::from_shape_fn((40, 6), |(i, j)| ((3 * i + 5 * j) as f32).sin()));
    let same = Evaluator::new(&table).compare(&table).expect("the shapes agree");
    assert_eq!(same.relative_error, 0.0);
    assert_eq!(same.weighted_relative_error, None);
    assert_eq!((same.mean_cosine, same.min_cosine), (1.0, 1.0));
    assert_eq!((same.neighbour_recall, same.ratio), (1.0, 1.0));
}

#[test]
fn errors_and_cosines_are_those_of_the_formulas() {
    let reference = dense(array![[3.0, 4.0], [0.0, 2.0], [1.0, 0.0]]);
    let candidate = dense(array![[3.0, 0.0], [0.0, 1.0], [1.0, 0.0]]);
    let weights = RowWeights::new(vec![0.0, 3.0, 1.0]).expect("valid weights");
    let comparison =
        Evaluator::new(&reference).with_row_weights(weights).compare(&candidate).expect("the shapes agree");
    assert_abs_diff_eq!(comparison.relative_error, (17.0_f64 / 30.0).sqrt(), epsilon = 1e-12);
    let weighted = comparison.weighted_relative_error.expect("there are weights");
    assert_abs_diff_eq!(weighted, (3.0_f64 / 13.0).sqrt(), epsilon = 1e-12);
    assert_abs_diff_eq!(comparison.min_cosine, 0.6, epsilon = 1e-12);
    assert_abs_diff_eq!(comparison.mean_cosine, 2.6 / 3.0, epsilon = 1e-12);
}

#[test]
fn recall_counts_the_neighbours_that_stay() {
    // On a circle the neighbours of a row are those beside it. Every other point of the candidate is moved to the far side,
    // so of the ten neighbours of a point (five on each side) the even steps stay: two on each side.
    let circle = |turn: &dyn Fn(usize) -> f32| {
        dense(Array2::from_shape_fn((400, 2), |(i, j)| {
            let angle = i as f32 * std::f32::consts::TAU / 400.0 + turn(i);
            if j == 0 { angle.cos() } else { angle.sin() }
        }))
    };
    let reference = circle(&|_| 0.0);
    let moved = circle(&|i| if i % 2 == 0 { 0.0 } else { std::f32::consts::PI });
    let comparison = Evaluator::new(&reference).with_samples(400).compare(&moved).expect("the shapes agree");
    // With exact arithmetic 0.4; ties among equidistant points may fall either way.
    assert_abs_diff_eq!(comparison.neighbour_recall, 0.4, epsilon = 0.05);
}

#[test]
fn the_table_shows_both_layers() {
    let factors = Factors::new(array![[1.0], [2.0], [0.5]], array![[3.0, 4.0, 0.0, 1.0]]).expect("valid factors");
    let factorized = FactorizedEmbedding::new(factors);
    let reference = factorized.to_dense().expect("finite");
    let comparison = Evaluator::new(&reference).compare(&factorized).expect("the shapes agree");
    let printed = comparison.to_string();
    let rows: Vec<Vec<&str>> =
        printed.lines().map(|line| line.split("  ").filter(|s| !s.is_empty()).collect()).collect();
    assert_eq!(rows[1][0], "parameters");
    assert_eq!(rows[1][1].trim(), "12");
    assert_eq!(rows[1][2].trim(), "7");
    assert!(printed.lines().all(|line| line.len() == printed.lines().next().map_or(0, str::len)), "{printed}");
}

#[test]
fn another_shape_is_refused() {
    let (a, b) = (dense(array![[1.0, 2.0]]), dense(array![[1.0], [2.0]]));
    let error = Evaluator::new(&a).compare(&b).expect_err("[2, 1] is not [1, 2]");
    assert_eq!(error.to_string(), "candidate [vocab_size, dim] has shape [2, 1], expected [1, 2]");
    let error = Evaluator::new(&a).with_samples(0).compare(&a).expect_err("no samples say nothing");
    assert_eq!(error.to_string(), "samples is 0, expected at least 1");
    assert!(Evaluator::new(&a).with_row_weights(RowWeights::new([1.0, 2.0]).expect("valid")).compare(&a).is_err());
    assert_eq!(a.vocab_size(), 1);
}
