//! The routes of the exact SVD: the same promises, and how small a singular value may be.

use factorized_embedding::{Decompose, Decomposition, Rank, SvdRoute, TruncatedSvd};
use ndarray::{Array1, Array2, ArrayView2, s};

use super::{
    checks::check_decomposition,
    tables::{BLOCK_EDGES, tables},
};
use crate::support::random;

fn decompose(table: ArrayView2<'_, f32>, route: SvdRoute, rank: Rank) -> Decomposition {
    TruncatedSvd::new(rank).with_route(route).decompose(table).expect("a finite table and a rank that it has")
}

#[test]
fn both_exact_routes_keep_the_promises() {
    for (name, table) in tables() {
        for route in [SvdRoute::Qr, SvdRoute::Gram] {
            for rank in 1..=table.nrows().min(table.ncols()) {
                let decomposition = decompose(table.view(), route, Rank::Fixed(rank));
                check_decomposition(&format!("{name}, {route:?}"), table.view(), None, &decomposition);
            }
        }
    }
}

#[test]
fn blocks_of_rows_change_nothing() {
    // Gram blocks of 2048 rows, QR blocks of at least 1024, that many triangles and one more.
    for rows in BLOCK_EDGES.into_iter().chain([4096, 9 * 1024 + 1]) {
        let table = random::normal((rows, 5), 31);
        for route in [SvdRoute::Qr, SvdRoute::Gram] {
            let decomposition = decompose(table.view(), route, Rank::Fixed(3));
            check_decomposition(&format!("{rows} rows, {route:?}"), table.view(), None, &decomposition);
        }
    }
}

/// A table of these singular values, but for the rounding of its entries to `f32`, which is relative to each of them.
fn graded(values: &Array1<f64>) -> Array2<f32> {
    let dim = values.len();
    let mut q = random::normal((300, dim), 32).mapv(f64::from);
    // Gram-Schmidt, twice.
    for _ in 0..2 {
        for j in 0..dim {
            for k in 0..j {
                let part = q.column(k).dot(&q.column(j));
                let other = q.column(k).to_owned();
                q.column_mut(j).scaled_add(-part, &other);
            }
            let norm = q.column(j).dot(&q.column(j)).sqrt();
            q.column_mut(j).mapv_inplace(|value| value / norm);
        }
    }
    (q * values).mapv(|value| value as f32)
}

#[test]
fn small_singular_values_are_as_good_as_each_route_says() {
    let values = Array1::from_shape_fn(13, |i| 10_f64.powi(-(i as i32)));
    let table = graded(&values);
    for (route, noise) in [(SvdRoute::Qr, 1e-15), (SvdRoute::Gram, 1e-8), (SvdRoute::GramF32, 1e-4)] {
        let found = decompose(table.view(), route, Rank::Fixed(3)).spectrum.singular_values().to_owned();
        for (found, value) in found.iter().zip(&values) {
            // 1e-6: the entries of the table are rounded.
            assert!((found - value).abs() <= 1e-6 * value + noise, "{route:?}: {found:e} is not {value:e}");
        }
    }
}

#[test]
fn the_route_follows_from_shape_and_accuracy() {
    let table = random::normal((60, 6), 33);
    let spectrum = |route, rank, table: ArrayView2<'_, f32>| decompose(table, route, rank).spectrum;
    let [gram, qr] = [SvdRoute::Gram, SvdRoute::Qr].map(|route| spectrum(route, Rank::Fixed(2), table.view()));
    assert_ne!(gram, qr, "the routes round differently");
    let automatic = |rank| spectrum(SvdRoute::Automatic, rank, table.view());
    for rank in [Rank::Fixed(2), Rank::Energy(0.9), Rank::RelativeError(1e-5), Rank::Bytes(1000)] {
        assert_eq!(automatic(rank), gram, "{rank:?}");
    }
    for rank in [Rank::Energy(1.0), Rank::RelativeError(1e-7)] {
        assert_eq!(automatic(rank), qr, "{rank:?}");
    }
    let wide = table.slice(s![..11, ..]);
    let [qr, automatic] = [SvdRoute::Qr, SvdRoute::Automatic].map(|route| spectrum(route, Rank::Fixed(2), wide));
    assert_eq!(automatic, qr);
}
