//! Tables of all kinds.

use ndarray::{Array2, Axis, Slice, concatenate};

use crate::support::random::{integers, normal};

/// Rows on either side of the blocks of 1024 in which tables are read.
pub(crate) const BLOCK_EDGES: [usize; 4] = [1023, 1024, 1025, 2049];

/// Every shape, and every way to have fewer directions than columns.
pub(crate) fn tables() -> Vec<(&'static str, Array2<f32>)> {
    let square = normal((9, 9), 1);
    let mut zero_rows = normal((12, 4), 2);
    zero_rows.slice_axis_mut(Axis(0), Slice::new(0, None, 3)).fill(0.0);
    vec![
        ("tall", normal((40, 7), 3)),
        ("square", square.clone()),
        ("wide", normal((5, 12), 4)),
        ("one row", normal((1, 6), 5)),
        ("one column", normal((8, 1), 6)),
        ("one number", normal((1, 1), 7)),
        ("all zero", Array2::zeros((6, 4))),
        ("rank 1", integers((10, 1), 8).dot(&integers((1, 6), 9))),
        ("rank 3 of 8", integers((30, 3), 10).dot(&integers((3, 8), 11))),
        ("duplicate rows", concatenate![Axis(0), square, square]),
        ("zero rows", zero_rows),
        ("identity", Array2::eye(6)),
        ("fast decay", normal((30, 8), 12) * &decay(8)),
        ("large numbers", normal((12, 5), 13) * 1e30),
        ("small numbers", normal((12, 5), 14) * 1e-30),
    ]
}

fn decay(columns: usize) -> Array2<f32> {
    Array2::from_shape_fn((1, columns), |(_, j)| 0.1_f32.powf(j as f32))
}
