//! Bags: weighted sums and means of rows.
//!
//! ```text
//! for each bag b: for each id i of the bag, in order:
//!     out[b] += weight[i] · row(i)
//! ```
//!
//! 1. Rows are asked for 32 ids ahead, across the borders of bags: a sum of rows waits for memory and nothing else.
//! 2. Four rows are added at a time, so that the sum is loaded and stored once for them; one by one, in the order of the ids.
//! 3. Every 64 rows the sum goes to a sum of sums, so that a long bag does not swallow single rows (blocked summation,
//!    Higham 2002, §4.2).
//! 4. Factorized rows are pooled in rank space, a chunk of bags at a time, whose sums are projected together while they are
//!    in the cache.

#![allow(unsafe_code)]

use std::{cell::Cell, ops::Range};

use ndarray::ArrayViewMut2;

use super::{
    Isa,
    codes::{Ahead, PoolCodes, StoredRows},
    multiply::{MULTIPLICATIONS_PER_NANOSECOND, Source, multiply_range},
    output::OutRows,
    packed::{PANEL_WIDTH, PackedProjection, PanelRow},
    parallel::for_each_range,
    project::whole_rows,
    rows::{AHEAD, NANOSECONDS_PER_NUMBER, prefetch_row},
    scratch::{self, Scratch},
    simd::{Kernel, Number, Simd, load_part, store_part, with_numbers},
};
use crate::{Bags, Pooling, TokenId, rows::Numbers};

/// Rows that are added up before they are added to the sum of sums.
pub(crate) const POOLED_TOGETHER: usize = 64;

/// Rows that are added at a time.
const GROUP: usize = 4;

/// Bags that are pooled in rank space before they are projected.
const CHUNK_BAGS: usize = 96;

/// What is pooled.
#[derive(Clone, Copy)]
pub(crate) struct PooledRows<'a> {
    /// \[m, width\]
    pub(crate) rows: StoredRows<'a>,
    pub(crate) bags: &'a Bags<'a>,
    pub(crate) padding_id: Option<TokenId>,
}

impl PooledRows<'_> {
    /// What a bag of the average length takes.
    fn nanoseconds_per_bag(&self, width: usize) -> f64 {
        let numbers = self.bags.ids().len() * width;
        numbers as f64 * NANOSECONDS_PER_NUMBER / self.bags.len().max(1) as f64
    }
}

#[derive(Default)]
struct Buffers {
    /// A sum of rows on its way to the sum of sums, in lines.
    partial: Vec<PanelRow>,
    /// Pooled rows \[bags of a chunk, width\], or one on its way to where its numbers are not side by side.
    pooled: Vec<f32>,
    /// The weight of the bias in each bag of a chunk.
    bias_weights: Vec<f32>,
}

thread_local! {
    static BUFFERS: Scratch<Buffers> =
        const { Cell::new(Buffers { partial: Vec::new(), pooled: Vec::new(), bias_weights: Vec::new() }) };
}

/// The sum or the mean of the rows \[m, width\] of each bag into `out` \[b, width\].
pub(crate) fn pool(isa: Isa, pooled: PooledRows<'_>, out: &mut ArrayViewMut2<'_, f32>) {
    let out = OutRows::new(out);
    for_each_range(pooled.bags.len(), 1, pooled.nanoseconds_per_bag(out.columns()), |range| {
        scratch::with(&BUFFERS, |buffers| {
            let mut ahead = pooled.ahead(&range);
            for bag in range {
                if out.has_slices() {
                    // SAFETY: `out` is borrowed mutably, and every row of it belongs to one range.
                    let sum = unsafe { out.slice(bag) };
                    pooled.pool_bag(isa, bag, &mut ahead, &mut buffers.partial, sum);
                } else {
                    let sum = scratch::at_least(&mut buffers.pooled, out.columns());
                    pooled.pool_bag(isa, bag, &mut ahead, &mut buffers.partial, sum);
                    // SAFETY: the same.
                    unsafe { out.write(bag, sum) };
                }
            }
        });
    });
}

/// The sum or the mean of the rows \[m, rank\] of each bag, times the projection, into `out` \[b, dim\]. The bias counts
/// with the sum of the bag's weights, or once for a mean, or not at all for a bag without ids.
pub(crate) fn pool_and_project(
    isa: Isa,
    pooled: PooledRows<'_>,
    projection: &PackedProjection,
    out: &mut ArrayViewMut2<'_, f32>,
) {
    let (rank, dim) = (projection.rank(), projection.dim());
    let out = OutRows::new(out);
    let multiplications = (rank * dim) as f64 / MULTIPLICATIONS_PER_NANOSECOND;
    let nanoseconds = pooled.nanoseconds_per_bag(rank) + multiplications;
    for_each_range(pooled.bags.len(), 1, nanoseconds, |range| {
        scratch::with(&BUFFERS, |buffers| {
            let mut ahead = pooled.ahead(&range);
            for start in range.clone().step_by(CHUNK_BAGS) {
                let len = CHUNK_BAGS.min(range.end - start);
                let rows = scratch::at_least(&mut buffers.pooled, len * rank);
                let bias_weights = scratch::at_least(&mut buffers.bias_weights, len);
                for (i, bias_weight) in bias_weights.iter_mut().enumerate() {
                    let sum = &mut rows[i * rank..][..rank];
                    *bias_weight = pooled.pool_bag(isa, start + i, &mut ahead, &mut buffers.partial, sum);
                }
                let source =
                    Source { factors: Some(bias_weights), ..whole_rows(Numbers::F32(rows).into(), projection) };
                // SAFETY: `out` is borrowed mutably, and every row of it belongs to one range.
                unsafe { multiply_range(isa, source, 0..len, out.rows_from(start)) };
            }
        });
    });
}

impl PooledRows<'_> {
    /// What is asked for ahead of the bags of a range.
    fn ahead(&self, range: &Range<usize>) -> Ahead {
        Ahead::new(if range.is_empty() { 0 } else { self.bags.range(range.start).start })
    }

    /// Pools a bag into `sum` \[width\]. Returns the weight that a constant added to every row has in it.
    fn pool_bag(&self, isa: Isa, bag: usize, ahead: &mut Ahead, partial: &mut Vec<PanelRow>, sum: &mut [f32]) -> f32 {
        let Self { rows, bags, padding_id } = *self;
        let range = bags.range(bag);
        let (len, weight) = match rows {
            StoredRows::Numbers(rows) => with_numbers!(rows, |rows| {
                let partial = scratch::at_least(partial, sum.len().div_ceil(PANEL_WIDTH));
                let partial = &mut bytemuck::cast_slice_mut(partial)[..sum.len()];
                isa.run(PoolBag { rows, bags, range, padding_id, partial, sum: &mut *sum })
            }),
            StoredRows::Codes(coded) => {
                sum.fill(0.0);
                isa.run_codes(PoolCodes { coded, ahead, bags, range, padding_id, sum: &mut *sum })
            }
        };
        match bags.pooling() {
            Pooling::Mean if len > 0 => {
                sum.iter_mut().for_each(|sum| *sum /= len as f32);
                1.0
            }
            _ => weight as f32,
        }
    }
}

/// The sum of the rows of one bag. Returns how many ids counted, and the sum of their weights.
struct PoolBag<'a, T> {
    rows: &'a [T],
    bags: &'a Bags<'a>,
    range: Range<usize>,
    padding_id: Option<TokenId>,
    /// Anything \[width\].
    partial: &'a mut [f32],
    /// The same.
    sum: &'a mut [f32],
}

impl<T: Number> Kernel for PoolBag<'_, T> {
    type Output = (usize, f64);

    #[inline(always)]
    fn run<S: Simd>(self, isa: S) -> (usize, f64) {
        const { assert!(POOLED_TOGETHER.is_multiple_of(GROUP)) };
        let Self { rows, bags, range, padding_id, partial, sum } = self;
        let width = sum.len();
        let row = |id: TokenId| &rows[id as usize * width..][..width];
        let ids = bags.ids();
        if range.start == 0 {
            ids.iter().take(AHEAD).for_each(|&id| prefetch_row(row(id)));
        }
        let (mut len, mut weight_sum) = (0, 0.0);
        let mut group: ([&[T]; GROUP], [f32; GROUP]) = ([&[]; GROUP], [0.0; GROUP]);
        for i in range {
            if let Some(&next) = ids.get(i + AHEAD) {
                prefetch_row(row(next));
            }
            if Some(ids[i]) == padding_id {
                continue;
            }
            let weight = bags.weights().map_or(1.0, |weights| weights[i]);
            weight_sum += f64::from(weight);
            (group.0[len % GROUP], group.1[len % GROUP]) = (row(ids[i]), weight);
            len += 1;
            if len % GROUP == 0 {
                // The first sum is the whole of a short bag: it needs no place of its own.
                let is_first = len <= POOLED_TOGETHER;
                let begins = (len - GROUP).is_multiple_of(POOLED_TOGETHER);
                add_rows(isa, &group.0, &group.1, begins, if is_first { &mut *sum } else { &mut *partial });
                if !is_first && len % POOLED_TOGETHER == 0 {
                    add(isa, partial, sum);
                }
            }
        }
        let (rest, is_first) = (len % GROUP, len <= POOLED_TOGETHER);
        let begins = (len - rest).is_multiple_of(POOLED_TOGETHER);
        let last = if is_first { &mut *sum } else { &mut *partial };
        let ([a, b, c, _], [of_a, of_b, of_c, _]) = group;
        match rest {
            0 => {}
            1 => add_rows(isa, &[a], &[of_a], begins, last),
            2 => add_rows(isa, &[a, b], &[of_a, of_b], begins, last),
            _ => add_rows(isa, &[a, b, c], &[of_a, of_b, of_c], begins, last),
        }
        if len == 0 {
            sum.fill(0.0);
        } else if !is_first && len % POOLED_TOGETHER != 0 {
            add(isa, partial, sum);
        }
        (len, weight_sum)
    }
}

/// weights\[0\] · rows\[0\] + weights\[1\] · rows\[1\] + …, in this order, added to the sum, or its beginning.
#[inline(always)]
fn add_rows<S: Simd, T: Number, const N: usize>(
    isa: S,
    rows: &[&[T]; N],
    weights: &[f32; N],
    begins: bool,
    sum: &mut [f32],
) {
    let weights = weights.map(|weight| isa.splat(weight));
    let (lines, rest) = sum.as_chunks_mut::<PANEL_WIDTH>();
    let row_lines: [&[[T; PANEL_WIDTH]]; N] = rows.map(|row| &row.as_chunks().0[..lines.len()]);
    for (l, line) in lines.iter_mut().enumerate() {
        let mut value = if begins { isa.zero() } else { isa.load(line) };
        for i in 0..N {
            value = isa.mul_add(weights[i], T::load(isa, &row_lines[i][l]), value);
        }
        isa.store(value, line);
    }
    if !rest.is_empty() {
        let first = lines.len() * PANEL_WIDTH;
        let mut value = if begins { isa.zero() } else { load_part(isa, rest) };
        for i in 0..N {
            value = isa.mul_add(weights[i], load_part(isa, &rows[i][first..]), value);
        }
        store_part(isa, value, rest);
    }
}

/// Adds numbers to the sum.
#[inline(always)]
fn add<S: Simd>(isa: S, numbers: &[f32], sum: &mut [f32]) {
    add_rows(isa, &[numbers], &[1.0], false, sum);
}
