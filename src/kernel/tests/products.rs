//! Scores and weighted sums of a whole table against the naive sums in `f64`.

use ndarray::{Array2, ArrayView2, s};
use rand::{RngExt, SeedableRng, rngs::ChaCha8Rng};

use super::{
    super::{TableRows, add_weighted_rows, dots::FEW_QUERIES, scores},
    DTYPES, Isa, poisoned,
};
use crate::{Dtype, factors::Storage};

fn random(shape: (usize, usize), seed: u64) -> Array2<f32> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    Array2::from_shape_simple_fn(shape, || rng.random_range(-1.0..1.0))
}

/// A table in a type, and the numbers that it holds, without scales.
fn table(shape: (usize, usize), dtype: Dtype) -> (Storage, Array2<f32>) {
    let stored = Storage::F32(random(shape, 21)).to_dtype(dtype).expect("numbers of at most 1");
    let numbers = match &stored {
        Storage::Int8 { codes, .. } => codes.mapv(f32::from),
        other => other.to_f32().into_owned(),
    };
    (stored, numbers)
}

/// start + a · b, summed in `f64`, with the bound of the error of summing in `f32`.
fn assert_product(what: &str, out: ArrayView2<'_, f32>, start: f32, a: ArrayView2<'_, f32>, b: ArrayView2<'_, f32>) {
    for ((i, j), &value) in out.indexed_iter() {
        let (mut expected, mut magnitude) = (f64::from(start), f64::from(start).abs());
        for (&a, &b) in a.row(i).iter().zip(b.column(j)) {
            expected += f64::from(a) * f64::from(b);
            magnitude += (f64::from(a) * f64::from(b)).abs();
        }
        let tolerance = 2.0 * (a.ncols() + 1) as f64 * 0.5 * f64::from(f32::EPSILON) * magnitude;
        let error = (f64::from(value) - expected).abs();
        assert!(error <= tolerance, "{what} [{i}, {j}]: {value}, expected {expected} ± {tolerance:e}");
    }
}

/// Numbers of queries around the few and the tiles, of rows around the panels and the pieces, widths around the panels
/// and the pieces of 128.
fn sizes() -> impl Iterator<Item = (usize, usize, usize)> {
    let ns = [0, 1, 2, 3, 7, 8, 9, 12, 15, 16, 20, 24, 25];
    let rows = [1, 2, 15, 16, 17, 31, 33, 127, 128, 129, 320, 321, 650, 300];
    let widths = [1, 15, 16, 17, 63, 64, 65, 127, 128, 129, 300];
    ns.into_iter()
        .flat_map(move |n| rows.into_iter().enumerate().map(move |(i, len)| (n, len, widths[(n + i) % widths.len()])))
}

#[test]
fn scores_are_the_naive_sums() {
    for isa in Isa::supported() {
        for ((n, len, width), dtype) in sizes().zip(DTYPES.into_iter().cycle()) {
            let what = format!("{isa} {dtype} scores of {n} queries with {len} rows of {width}");
            let (stored, numbers) = table((len + 3, width), dtype);
            let rows = TableRows { rows: stored.numbers(), width, first: 2, len };
            let table = numbers.slice(s![2..2 + len, ..]);
            let queries = random((n, width), 22);
            let mut out = poisoned((n, len));
            scores(isa, queries.view(), None, rows, &mut out.view_mut());
            assert_product(&what, out.view(), 0.0, queries.view(), table.t());

            let mut strided = poisoned((n, 3 * len));
            scores(isa, queries.view(), None, rows, &mut strided.slice_mut(s![.., ..;3]));
            assert_eq!(strided.slice(s![.., ..;3]), out, "{what}, strided");
            assert!(strided.slice(s![.., 1..;3]).iter().all(|number| number.is_nan()), "{what}, strided");

            scores(isa, queries.view(), Some(&vec![0.5; n]), rows, &mut out.view_mut());
            assert_product(&what, out.view(), 0.5, queries.view(), table.t());
        }
    }
}

#[test]
fn weighted_rows_are_added_as_the_naive_sums() {
    for isa in Isa::supported() {
        for ((n, len, width), dtype) in sizes().zip(DTYPES.into_iter().cycle()) {
            let what = format!("{isa} {dtype} sums of {n} distributions over {len} rows of {width}");
            let (stored, numbers) = table((len + 3, width), dtype);
            let rows = TableRows { rows: stored.numbers(), width, first: 2, len };
            let weights = random((n, len + 5), 23);
            let mut out = Array2::from_elem((n, width), 0.5);
            add_weighted_rows(isa, weights.view(), 4, rows, &mut out.view_mut());
            let (weights, table) = (weights.slice(s![.., 4..4 + len]), numbers.slice(s![2..2 + len, ..]));
            assert_product(&what, out.view(), 0.5, weights, table);
        }
    }
}

/// Of a few queries, and of many: between them the last bits change.
#[test]
fn the_bits_of_a_score_do_not_depend_on_the_other_queries() {
    for isa in Isa::supported() {
        let (stored, _) = table((300, 70), Dtype::F16);
        let rows = TableRows { rows: stored.numbers(), width: 70, first: 0, len: 300 };
        let queries = random((40, 70), 24);
        let scored = |queries: ArrayView2<'_, f32>| {
            let mut out = poisoned((queries.nrows(), 300));
            scores(isa, queries, None, rows, &mut out.view_mut());
            out
        };
        for (most, sizes) in [(FEW_QUERIES, 1..FEW_QUERIES), (40, FEW_QUERIES + 1..40)] {
            let all = scored(queries.slice(s![..most, ..]));
            for n in sizes {
                let some = scored(queries.slice(s![most - n..most, ..]));
                assert_eq!(some, all.slice(s![most - n.., ..]), "{isa} {n} of {most} queries");
            }
        }
    }
}

#[cfg(feature = "rayon")]
#[test]
fn threads_change_no_bit_of_a_product() {
    let pool = |threads| rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a thread pool");
    let pools = [1, 2, 3].map(pool);
    for isa in Isa::supported() {
        let (stored, _) = table((5000, 70), Dtype::F32);
        let rows = TableRows { rows: stored.numbers(), width: 70, first: 0, len: 5000 };
        let (queries, weights) = (random((20, 70), 25), random((20, 5000), 26));
        let [alone, together @ ..] = pools.each_ref().map(|pool| {
            pool.install(|| {
                let mut scored = poisoned((20, 5000));
                scores(isa, queries.view(), None, rows, &mut scored.view_mut());
                let mut sums = Array2::zeros((20, 70));
                add_weighted_rows(isa, weights.view(), 0, rows, &mut sums.view_mut());
                (scored, sums)
            })
        });
        for products in together {
            assert_eq!(products, alone, "{isa}");
        }
    }
}
