//! New rows for a vocabulary that grew.

use factorized_embedding::{Embedding, FactorizedEmbedding, Shape, TokenId};
use ndarray::{Array2, ArrayView2, Axis, array, concatenate, s};

use crate::support::{
    compare::{Expected, assert_close, assert_same_bits, widened},
    factor_parts::FactorParts,
    random::{self, rng},
    reference,
};

const SHAPE: Shape = Shape { vocab_size: 12, rank: 3, dim: 8 };
const EPSILON: f64 = f32::EPSILON as f64;

/// With and without diagonal and bias, and with directions that the diagonal turns off.
fn all_parts() -> Vec<FactorParts> {
    let parts = FactorParts::normal(SHAPE, 1);
    let mut all = parts.variants().to_vec();
    for diagonal in [array![2.0, 0.0, -1.0], array![0.0, 0.0, 0.0]] {
        all.push(FactorParts { diagonal: Some(diagonal), ..parts.clone() });
    }
    all
}

/// What was added, and the rows of U that stand for it.
fn appended(layer: &FactorizedEmbedding) -> (Array2<f32>, Array2<f32>) {
    let ids: Vec<TokenId> = (12..).take(layer.vocab_size() - 12).collect();
    (layer.lookup(&ids).expect("ids of the vocabulary"), layer.factors().u().slice(s![12.., ..]).to_owned())
}

fn norm(array: &Array2<f64>) -> f64 {
    array.mapv(|value| value * value).sum().sqrt()
}

#[test]
fn rows_that_the_directions_hold_are_kept() {
    for parts in all_parts() {
        let combined = FactorParts { u: random::normal((5, 3), 2), ..parts.clone() };
        let rows = reference::dense(&combined);
        let mut layer = FactorizedEmbedding::new(parts.factors());
        let error = layer.append_rows(rows.mapv(|value| value as f32).view()).expect("finite rows of the dim");
        let (actual, u) = appended(&layer);
        assert_eq!(actual.nrows(), 5);
        // The rows, the coordinates and the diagonal are rounded once each beside the sums of a lookup.
        let magnitudes = reference::dense(&FactorParts { u, ..parts.clone() }.abs()) + rows.mapv(f64::abs);
        let expected = Expected::new(rows, parts.terms() + 3, &magnitudes);
        assert_close(&format!("{layer:?}"), actual.view(), &expected);
        let bound = norm(&expected.tolerances) / norm(&expected.values);
        assert!(error <= bound, "{layer:?}: relative error {error}, at most {bound}");
    }
}

#[test]
fn other_rows_become_the_nearest_that_the_directions_hold() {
    for parts in all_parts() {
        let mut layer = FactorizedEmbedding::new(parts.factors());
        let rows = random::normal((6, 8), 3);
        let error = layer.append_rows(rows.view()).expect("finite rows of the dim");
        let (actual, u) = appended(&layer);

        // Least squares: the residual is orthogonal to every direction, but for the rounding of the coordinates.
        let projection = widened(layer.factors().projection().view());
        let bias = parts.bias.clone().unwrap_or_else(|| ndarray::Array1::zeros(8)).mapv(f64::from);
        let residual = widened(rows.view()) - &bias - widened(u.view()).dot(&projection);
        let products = residual.dot(&projection.t());
        let sizes = widened(u.view()).abs().dot(&projection.abs()) + widened(rows.view()).abs() + bias.abs();
        let tolerances = sizes.dot(&projection.abs().t()) * EPSILON;
        for (index, product) in products.indexed_iter() {
            assert!(product.abs() <= tolerances[index], "{layer:?}: residual · direction at {index:?} is {product}");
        }

        let expected = norm(&(widened(rows.view()) - widened(actual.view()))) / norm(&widened(rows.view()));
        approx::assert_relative_eq!(error, expected, max_relative = 1e-12);
    }
}

#[test]
fn turned_off_directions_get_no_coordinates() {
    let parts = FactorParts { diagonal: Some(array![2.0, 0.0, -1.0]), ..FactorParts::normal(SHAPE, 4) };
    let mut layer = FactorizedEmbedding::new(parts.factors());
    layer.append_rows(random::normal((4, 8), 5).view()).expect("finite rows of the dim");
    let (_, u) = appended(&layer);
    // The pseudo-inverse is computed in f64: what is not zero is rounding of f64.
    let largest = u.iter().fold(0.0, |largest: f32, value| largest.max(value.abs()));
    assert!(u.column(1).iter().all(|value| value.abs() <= f32::EPSILON * largest), "{}", u.column(1));
}

#[test]
fn the_old_rows_and_the_rest_of_the_factors_stay() {
    for parts in all_parts() {
        let mut layer = FactorizedEmbedding::new(parts.factors()).with_padding_id(2).expect("an id of the vocabulary");
        let ids: Vec<TokenId> = (0..12).collect();
        let before = layer.lookup(&ids).expect("ids of the vocabulary");
        layer.append_rows(random::normal((3, 8), 6).view()).expect("finite rows of the dim");
        layer.append_random_rows(4, &mut rng(1)).expect("a small table");
        assert_eq!((layer.vocab_size(), layer.padding_id()), (19, Some(2)));
        assert_eq!(layer.size_in_bytes(), 4 * (parts.num_parameters() + 7 * 3));
        assert_same_bits("old rows", layer.lookup(&ids).expect("ids of the vocabulary").view(), before.view());
        assert_eq!(layer.factors().v(), parts.v);
        assert_eq!(layer.factors().diagonal(), parts.diagonal.as_ref().map(|diagonal| diagonal.view()));
        assert_eq!(layer.factors().bias(), parts.bias.as_ref().map(|bias| bias.view()));
    }
}

#[test]
fn no_rows_change_nothing() {
    let mut layer = FactorizedEmbedding::new(FactorParts::normal(SHAPE, 7).factors());
    let before = layer.factors().clone();
    assert_eq!(layer.append_rows(Array2::zeros((0, 8)).view()).expect("no rows"), 0.0);
    layer.append_random_rows(0, &mut rng(1)).expect("no rows");
    assert_eq!(layer.factors(), &before);
}

#[test]
fn a_refused_call_changes_nothing() {
    let mut layer = FactorizedEmbedding::new(FactorParts::normal(SHAPE, 8).factors());
    let before = layer.factors().clone();
    let query = random::normal((1, 8), 9);
    let nearest = layer.nearest(query.view(), 12).expect("a query of the dim");
    layer.append_rows(Array2::zeros((2, 7)).view()).expect_err("eight columns, not seven");
    layer.append_rows(array![[0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, f32::INFINITY]].view()).expect_err("not finite");
    assert_eq!(layer.factors(), &before);
    assert_eq!(layer.nearest(query.view(), 12).expect("a query of the dim"), nearest);
}

#[test]
fn searches_see_new_rows_after_earlier_searches() {
    let mut layer = FactorizedEmbedding::new(FactorParts::normal(SHAPE, 10).variants()[3].factors());
    // A long row in a direction of the table: the best logit, and by its cosine the nearest, once it is there.
    let query = layer.lookup(&[4]).expect("an id of the vocabulary") * 3.0;
    let best = |layer: &FactorizedEmbedding, k| {
        let nearest = layer.nearest(query.view(), k).expect("a query of the dim");
        let top = layer.top_k(query.view(), k).expect("a query of the dim");
        (nearest, top)
    };
    assert_eq!(best(&layer, 1).0.ids, array![[4]]);
    layer.append_rows((&query * 100.0).view()).expect("finite rows of the dim");
    let (nearest, top) = best(&layer, 13);
    assert_eq!(nearest.ids.dim(), (1, 13), "the new row is a candidate");
    assert_eq!(top.ids[[0, 0]], 12);
    let mut two: Vec<TokenId> = nearest.ids.slice(s![0, ..2]).to_vec();
    two.sort_unstable();
    assert_eq!(two, [4, 12], "both have the direction of the query");

    layer.append_random_rows(3, &mut rng(2)).expect("a small table");
    assert_eq!(best(&layer, 100).0.ids.dim(), (1, 16));
}

/// Mean and covariance of rows, in f64.
fn moments(rows: ArrayView2<'_, f32>) -> (ndarray::Array1<f64>, Array2<f64>) {
    let rows = widened(rows);
    let mean = rows.sum_axis(Axis(0)) / rows.nrows() as f64;
    let centred = &rows - &mean;
    let covariance = centred.t().dot(&centred) / rows.nrows() as f64;
    (mean, covariance)
}

#[test]
fn random_rows_have_the_mean_and_the_covariance_of_the_table() {
    const COUNT: usize = 20_000;
    const SIGMAS: f64 = 5.0;
    // Correlated columns of different sizes, with a mean.
    let u = random::normal((3000, 3), 11).dot(&array![[1.0, 0.5, 0.0], [0.0, 2.0, -1.0], [0.0, 0.0, 0.1]])
        + &array![1.0, -3.0, 0.5];
    let parts = FactorParts { u, ..FactorParts::normal(SHAPE, 12) };
    let (mean, covariance) = moments(parts.u.view());
    let mut layer = FactorizedEmbedding::new(parts.factors());
    layer.append_random_rows(COUNT, &mut rng(3)).expect("a small table");
    let (actual_mean, actual) = moments(layer.factors().u().slice(s![3000.., ..]));
    for i in 0..3 {
        let tolerance = SIGMAS * (covariance[[i, i]] / COUNT as f64).sqrt();
        assert!((actual_mean[i] - mean[i]).abs() <= tolerance, "mean {i}: {} for {}", actual_mean[i], mean[i]);
        for j in 0..3 {
            let variance = covariance[[i, i]] * covariance[[j, j]] + covariance[[i, j]].powi(2);
            let tolerance = SIGMAS * (variance / COUNT as f64).sqrt();
            let (actual, expected) = (actual[[i, j]], covariance[[i, j]]);
            assert!((actual - expected).abs() <= tolerance, "covariance {i}, {j}: {actual} for {expected}");
        }
    }
}

#[test]
fn random_rows_follow_from_the_seed() {
    let grown = |seed| {
        let mut layer = FactorizedEmbedding::new(FactorParts::normal(SHAPE, 13).factors());
        layer.append_random_rows(5, &mut rng(seed)).expect("a small table");
        layer.into_factors()
    };
    assert_eq!(grown(1), grown(1));
    assert_ne!(grown(1), grown(2));
}

#[test]
fn equal_rows_have_equal_random_rows() {
    let row = array![[1.5, -2.0, 0.25]];
    let same = concatenate![Axis(0), row, row, row, row];
    let mut layer = FactorizedEmbedding::new(FactorParts { u: same, ..FactorParts::normal(SHAPE, 14) }.factors());
    layer.append_random_rows(3, &mut rng(1)).expect("a small table");
    for new in layer.factors().u().rows().into_iter().skip(4) {
        assert_eq!(new, row.row(0), "the covariance is zero");
    }
}
