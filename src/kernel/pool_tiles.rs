//! Pooling of rows that are made for it, a tile at a time: maxima, and sums of tables that do not stand row-major in memory.

use std::cell::Cell;

use ndarray::{ArrayView1, ArrayViewMut1, ArrayViewMut2, Zip};

use super::{
    pool::POOLED_TOGETHER,
    scratch::{self, Scratch},
};
use crate::{Bags, Pooling, TokenId};

thread_local! {
    /// A tile of rows and the sum of its rows, [`POOLED_TOGETHER`] + 1 rows.
    static TILE: Scratch<Vec<f32>> = const { Cell::new(Vec::new()) };
}

/// Any pooling of rows that `fill` makes, at most [`POOLED_TOGETHER`] at a time, into `out` \[b, dim\].
pub(crate) fn pool_tiles(
    bags: &Bags<'_>,
    padding_id: Option<TokenId>,
    mut fill: impl FnMut(&[TokenId], &mut ArrayViewMut2<'_, f32>),
    out: &mut ArrayViewMut2<'_, f32>,
) {
    let dim = out.ncols();
    scratch::with(&TILE, |tile| {
        let (sum, tile) = scratch::at_least(tile, (1 + POOLED_TOGETHER) * dim).split_at_mut(dim);
        for (range, mut out) in bags.ranges().zip(out.rows_mut()) {
            out.fill(0.0);
            let mut counted = range.filter(|&i| Some(bags.ids()[i]) != padding_id).peekable();
            let mut len = 0;
            while counted.peek().is_some() {
                let (mut ids, mut weights) = ([0; POOLED_TOGETHER], [1.0; POOLED_TOGETHER]);
                let mut in_tile = 0;
                for (slot, i) in counted.by_ref().take(POOLED_TOGETHER).enumerate() {
                    ids[slot] = bags.ids()[i];
                    weights[slot] = bags.weights().map_or(1.0, |weights| weights[i]);
                    in_tile = slot + 1;
                }
                let rows = &mut tile[..in_tile * dim];
                if let Ok(mut rows) = ArrayViewMut2::from_shape((in_tile, dim), &mut *rows) {
                    fill(&ids[..in_tile], &mut rows);
                }
                if bags.pooling() == Pooling::Max {
                    let is_first = len == 0;
                    add_maxima(rows, is_first, &mut out);
                } else {
                    sum.fill(0.0);
                    for (row, weight) in rows.chunks_exact(dim).zip(weights) {
                        sum.iter_mut().zip(row).for_each(|(sum, &number)| *sum += weight * number);
                    }
                    out += &ArrayView1::from(&*sum);
                }
                len += in_tile;
            }
            if bags.pooling() == Pooling::Mean && len > 0 {
                out.mapv_inplace(|sum| sum / len as f32);
            }
        }
    });
}

/// The maximum of each column of the rows, and of `out` unless they are the first.
fn add_maxima(rows: &[f32], are_first: bool, out: &mut ArrayViewMut1<'_, f32>) {
    if are_first {
        out.fill(f32::NEG_INFINITY);
    }
    for row in rows.chunks_exact(out.len()) {
        Zip::from(&mut *out).and(&ArrayView1::from(row)).for_each(|best, &number| *best = max(*best, number));
    }
}

/// The larger of two numbers, NaN where one is.
fn max(a: f32, b: f32) -> f32 {
    if b > a || b.is_nan() { b } else { a }
}
