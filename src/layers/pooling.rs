//! Pooling of the rows of bags.

use ndarray::{Array1, Array2, ArrayViewMut2, Axis, Zip};

use crate::{
    Bags, Pooling, TokenId,
    kernel::{self, POOLED_TOGETHER},
};

/// The ids of a bag that count, with the weights they have in its sum.
fn weighted_ids<'a>(
    bags: &'a Bags<'_>,
    range: std::ops::Range<usize>,
    padding_id: Option<TokenId>,
) -> impl Iterator<Item = (TokenId, f32)> + 'a {
    let weight = move |i: usize| bags.weights().map_or(1.0, |weights| weights[i]);
    range.map(move |i| (bags.ids()[i], weight(i))).filter(move |(id, _)| Some(*id) != padding_id)
}

/// Sums or means of rows \[n, width\] that stand in memory into `out` \[b, width\], both contiguous.
///
/// Returns the weight that a constant added to every row has in each bag: the sum of the weights, or 1 for a mean, or 0
/// for a bag without ids.
pub(super) fn pool_slices(
    rows: &[f32],
    width: usize,
    bags: &Bags<'_>,
    padding_id: Option<TokenId>,
    out: &mut [f32],
) -> Vec<f32> {
    let pooled = bags.ranges().zip(out.chunks_exact_mut(width)).map(|(range, out)| {
        let ids = || weighted_ids(bags, range.clone(), padding_id);
        kernel::pool_rows(rows, ids(), out);
        if bags.pooling() != Pooling::Mean {
            return ids().map(|(_, weight)| f64::from(weight)).sum::<f64>() as f32;
        }
        let len = ids().count();
        if len == 0 {
            return 0.0;
        }
        out.iter_mut().for_each(|sum| *sum /= len as f32);
        1.0
    });
    pooled.collect()
}

/// The larger of two numbers, NaN where one is.
fn max(a: f32, b: f32) -> f32 {
    if b > a || b.is_nan() { b } else { a }
}

/// Any pooling of rows that `fill` makes, a tile at a time, into `out` \[b, dim\].
pub(super) fn pool_tiles(
    bags: &Bags<'_>,
    padding_id: Option<TokenId>,
    mut fill: impl FnMut(&[TokenId], &mut ArrayViewMut2<'_, f32>),
    out: &mut ArrayViewMut2<'_, f32>,
) {
    let mut sum = Array1::zeros(out.ncols());
    let mut tile = Array2::zeros((POOLED_TOGETHER, out.ncols()));
    for (range, mut out) in bags.ranges().zip(out.rows_mut()) {
        let (ids, weights): (Vec<_>, Vec<_>) = weighted_ids(bags, range, padding_id).unzip();
        let start = if bags.pooling() == Pooling::Max && !ids.is_empty() { f32::NEG_INFINITY } else { 0.0 };
        out.fill(start);
        for (ids, weights) in ids.chunks(POOLED_TOGETHER).zip(weights.chunks(POOLED_TOGETHER)) {
            let (mut rows, _) = tile.view_mut().split_at(Axis(0), ids.len());
            fill(ids, &mut rows);
            sum.fill(0.0);
            for (row, &weight) in rows.rows().into_iter().zip(weights) {
                match bags.pooling() {
                    Pooling::Max => Zip::from(&mut out).and(row).for_each(|best, &number| *best = max(*best, number)),
                    Pooling::Sum | Pooling::Mean => {
                        Zip::from(&mut sum).and(row).for_each(|sum, &number| *sum += weight * number);
                    }
                }
            }
            if bags.pooling() != Pooling::Max {
                out += &sum;
            }
        }
        if bags.pooling() == Pooling::Mean && !ids.is_empty() {
            let len = ids.len() as f32;
            out.mapv_inplace(|sum| sum / len);
        }
    }
}
