//! Rows and scores that go to places of their own: the same bits as side by side, and nothing else is written.

use ndarray::{Array1, Array2, Axis, s};
use rand::{RngExt, SeedableRng, rngs::ChaCha8Rng};

use super::{
    super::{
        GatheredRows, PackedProjection, RepeatedIds, TableRows, add_projected, plan::CHUNK, project_rows,
        scatter_scores, scores,
    },
    DTYPES, Isa, poisoned,
};
use crate::{TokenId, factors::Storage, rows::Numbers};

fn random(shape: (usize, usize), seed: u64) -> Array2<f32> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    Array2::from_shape_simple_fn(shape, || rng.random_range(-1.0..1.0))
}

/// Every third place or so, rising.
fn places(len: usize, seed: u64) -> Vec<u32> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    (0..len as u32).map(|i| 3 * i + rng.random_range(0..3)).collect()
}

/// The rows at their places, and NaN elsewhere.
fn spread(rows: &Array2<f32>, places: &[u32]) -> Array2<f32> {
    let mut spread = poisoned((3 * rows.nrows(), rows.ncols()));
    for (row, &place) in rows.rows().into_iter().zip(places) {
        spread.row_mut(place as usize).assign(&row);
    }
    spread
}

fn bits(array: &Array2<f32>) -> Vec<u32> {
    array.iter().map(|number| number.to_bits()).collect()
}

#[test]
fn rows_go_to_their_positions() {
    let projection = random((5, 19), 1);
    let packed = PackedProjection::new(projection.view(), Some(Array1::ones(19).view()));
    for isa in Isa::supported() {
        for (dtype, n) in DTYPES.into_iter().cycle().zip([0, 1, 2, 23, 24, 25, 100, CHUNK + 1]) {
            let stored = Storage::F32(random((31, 5), 2)).to_dtype(dtype).expect("numbers of at most 1");
            let ids: Vec<TokenId> = (0..n as u32).map(|i| i * i % 31).collect();
            let positions = places(n, 3);
            for repeated_ids in [RepeatedIds::Compute, RepeatedIds::Copy, RepeatedIds::Automatic] {
                let what = format!("{isa} {dtype} {n} rows, {repeated_ids:?}");
                let look_up = |positions, out: &mut Array2<f32>| {
                    let rows = stored.numbers();
                    let gathered =
                        GatheredRows { rows: rows.into(), ids: &ids, positions, repeated_ids, hot_rows: None };
                    project_rows(isa, gathered, &packed, &mut out.view_mut());
                };
                let mut rows = poisoned((n, 19));
                look_up(None, &mut rows);
                let mut out = poisoned((3 * n, 19));
                look_up(Some(&positions), &mut out);
                assert_eq!(bits(&out), bits(&spread(&rows, &positions)), "{what}");
            }
        }
    }
}

#[test]
fn projected_rows_are_added() {
    for isa in Isa::supported() {
        for (n, (rank, dim)) in [(0, (3, 4)), (1, (1, 1)), (7, (5, 15)), (24, (17, 16)), (25, (3, 40)), (60, (8, 33))] {
            let projection = random((rank, dim), 4);
            let packed = PackedProjection::new(projection.view(), Some(Array1::ones(dim).view()));
            let (rows, before) = (random((n, rank), 5), random((3 * n, dim), 6));
            let numbers = Numbers::F32(rows.as_slice().expect("row-major"));
            let positions = places(n, 7);
            let mut out = before.clone();
            add_projected(isa, numbers, Some(&positions), &packed, &mut out.view_mut());
            let picked: Vec<usize> = positions.iter().map(|&position| position as usize).collect();
            let mut picked_before = before.select(Axis(0), &picked);
            for ((i, j), &value) in out.select(Axis(0), &picked).indexed_iter() {
                let start = f64::from(picked_before[[i, j]]);
                let terms = (0..rank).map(|k| f64::from(rows[[i, k]]) * f64::from(projection[[k, j]]));
                let (sum, magnitude) =
                    terms.fold((start, start.abs()), |(sum, magnitude), term| (sum + term, magnitude + term.abs()));
                let tolerance = (rank + 1) as f64 * f64::from(f32::EPSILON) * magnitude;
                assert!((f64::from(value) - sum).abs() <= tolerance, "{isa} [{i}, {j}]: {value}, expected {sum}");
            }
            for row in (0..3 * n).filter(|row| !picked.contains(row)) {
                assert_eq!(out.row(row), before.row(row), "{isa}: row {row} is not touched");
            }
            add_projected(isa, numbers, None, &packed, &mut picked_before.view_mut());
            assert_eq!(bits(&picked_before), bits(&out.select(Axis(0), &picked)), "{isa}: in order");
        }
    }
}

#[test]
fn scores_go_to_their_columns() {
    for isa in Isa::supported() {
        // The last is more than a block of scores.
        for ((n, len, width), dtype) in [(0, 4, 3), (1, 1, 5), (2, 65, 16), (3, 64, 17), (9, 63, 130), (600, 130, 3)]
            .into_iter()
            .zip(DTYPES.into_iter().cycle())
        {
            let what = format!("{isa} {dtype} scores of {n} queries with {len} rows of {width}");
            let stored = Storage::F32(random((len + 3, width), 8)).to_dtype(dtype).expect("numbers of at most 1");
            let rows = TableRows { rows: stored.numbers(), width, first: 2, len };
            let queries = random((n, width), 9);
            let constants = vec![0.5; n];
            let mut expected = poisoned((n, len));
            scores(isa, queries.view(), Some(&constants), rows, &mut expected.view_mut());
            let columns = places(len, 10);
            let ids: Vec<TokenId> = columns.iter().map(|column| column + 100).collect();
            let expected = spread(&expected.reversed_axes().as_standard_layout().into_owned(), &columns);
            let mut out = poisoned((n, 3 * len));
            scatter_scores(isa, queries.view(), Some(&constants), rows, (&ids, 100), &mut out.view_mut());
            let out = out.reversed_axes().as_standard_layout().into_owned();
            assert_eq!(bits(&out), bits(&expected), "{what}");

            let mut strided = poisoned((3 * len, 2 * n));
            let mut columns_first = strided.slice_mut(s![.., ..;2]).reversed_axes();
            scatter_scores(isa, queries.view(), Some(&constants), rows, (&ids, 100), &mut columns_first);
            assert_eq!(bits(&strided.slice(s![.., ..;2]).to_owned()), bits(&expected), "{what}, column-major");
        }
    }
}
