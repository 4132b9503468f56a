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
    prefetch::prefetch,
    project::whole_rows,
    rows::{AHEAD, MAX_PREFETCH, NANOSECONDS_PER_NUMBER},
    scratch::{self, Scratch},
    simd::{Kernel, Number, Simd, load_part, with_numbers},
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
    /// A sum of rows and the sum of such sums, each in whole lines.
    sums: Vec<PanelRow>,
    /// Pooled rows \[bags of a chunk, width\].
    pooled: Vec<f32>,
    /// The weight of the bias in each bag of a chunk.
    bias_weights: Vec<f32>,
}

thread_local! {
    static BUFFERS: Scratch<Buffers> =
        const { Cell::new(Buffers { sums: Vec::new(), pooled: Vec::new(), bias_weights: Vec::new() }) };
}

/// The sum or the mean of the rows \[m, width\] of each bag into `out` \[b, width\].
pub(crate) fn pool(isa: Isa, pooled: PooledRows<'_>, out: &mut ArrayViewMut2<'_, f32>) {
    let out = OutRows::new(out);
    for_each_range(pooled.bags.len(), 1, pooled.nanoseconds_per_bag(out.columns()), |range| {
        scratch::with(&BUFFERS, |buffers| {
            pool_range(isa, pooled, range, out.columns(), &mut buffers.sums, |bag, sum, _| {
                // SAFETY: `out` is borrowed mutably, and every row of it belongs to one range.
                unsafe { out.write(bag, sum) };
            });
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
            for start in range.clone().step_by(CHUNK_BAGS) {
                let chunk = start..range.end.min(start + CHUNK_BAGS);
                let len = chunk.len();
                let rows = scratch::at_least(&mut buffers.pooled, len * rank);
                let bias_weights = scratch::at_least(&mut buffers.bias_weights, len);
                pool_range(isa, pooled, chunk, rank, &mut buffers.sums, |bag, sum, bias_weight| {
                    rows[(bag - start) * rank..][..rank].copy_from_slice(sum);
                    bias_weights[bag - start] = bias_weight;
                });
                let source =
                    Source { factors: Some(bias_weights), ..whole_rows(Numbers::F32(rows).into(), projection) };
                // SAFETY: `out` is borrowed mutably, and every row of it belongs to one range.
                unsafe { multiply_range(isa, source, 0..len, out.rows_from(start)) };
            }
        });
    });
}

/// Pools some of the bags, and gives `write` each bag, its sum \[width\] and the weight that a constant added to every row
/// has in it.
fn pool_range(
    isa: Isa,
    pooled: PooledRows<'_>,
    range: Range<usize>,
    width: usize,
    sums: &mut Vec<PanelRow>,
    mut write: impl FnMut(usize, &[f32], f32),
) {
    let lines = width.div_ceil(PANEL_WIDTH);
    let sums = scratch::at_least(sums, 2 * lines);
    let PooledRows { rows, bags, padding_id } = pooled;
    let mut ahead = Ahead::new(if range.is_empty() { 0 } else { bags.range(range.start).start });
    for bag in range {
        let range = bags.range(bag);
        let (len, weight) = match rows {
            StoredRows::Numbers(rows) => {
                with_numbers!(rows, |rows| isa.run(PoolBag { rows, width, bags, range, padding_id, sums }))
            }
            StoredRows::Codes(coded) => {
                let sum = &mut bytemuck::cast_slice_mut(&mut *sums)[..width];
                sum.fill(0.0);
                isa.run_codes(PoolCodes { coded, ahead: &mut ahead, bags, range, padding_id, sum })
            }
        };
        let sum = &mut bytemuck::cast_slice_mut(&mut sums[..lines])[..width];
        let bias_weight = match bags.pooling() {
            Pooling::Mean if len > 0 => {
                sum.iter_mut().for_each(|sum| *sum /= len as f32);
                1.0
            }
            _ => weight as f32,
        };
        write(bag, sum, bias_weight);
    }
}

/// The sum of the rows of one bag into the first half of `sums`. Returns how many ids counted, and the sum of their weights.
struct PoolBag<'a, T> {
    rows: &'a [T],
    width: usize,
    bags: &'a Bags<'a>,
    range: Range<usize>,
    padding_id: Option<TokenId>,
    sums: &'a mut [PanelRow],
}

impl<T: Number> Kernel for PoolBag<'_, T> {
    type Output = (usize, f64);

    #[inline(always)]
    fn run<S: Simd>(self, isa: S) -> (usize, f64) {
        let Self { rows, width, bags, range, padding_id, sums } = self;
        let row = |id: TokenId| &rows[id as usize * width..][..width];
        sums.fill(PanelRow::default());
        let (total, partial) = sums.split_at_mut(sums.len() / 2);
        let ids = bags.ids();
        if range.start == 0 {
            ids.iter().take(AHEAD).for_each(|&id| prefetch(row(id), MAX_PREFETCH));
        }
        let (mut len, mut weight_sum) = (0, 0.0);
        let mut group: ([&[T]; GROUP], [f32; GROUP]) = ([&[]; GROUP], [0.0; GROUP]);
        for i in range {
            if let Some(&next) = ids.get(i + AHEAD) {
                prefetch(row(next), MAX_PREFETCH);
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
                let sum = if len <= POOLED_TOGETHER { &mut *total } else { &mut *partial };
                add_rows(isa, &group.0, &group.1, sum);
                if len > POOLED_TOGETHER && len % POOLED_TOGETHER == 0 {
                    add_lines(isa, partial, total);
                }
            }
        }
        let rest = len % GROUP;
        let sum = if len <= POOLED_TOGETHER { &mut *total } else { &mut *partial };
        for i in 0..rest {
            add_rows(isa, &[group.0[i]], &[group.1[i]], sum);
        }
        if len > POOLED_TOGETHER {
            add_lines(isa, partial, total);
        }
        (len, weight_sum)
    }
}

/// sum + weights\[0\] · rows\[0\] + weights\[1\] · rows\[1\] + …, in this order.
#[inline(always)]
fn add_rows<S: Simd, T: Number, const N: usize>(isa: S, rows: &[&[T]; N], weights: &[f32; N], sum: &mut [PanelRow]) {
    let whole = rows[0].len() / PANEL_WIDTH;
    let lines: [&[[T; PANEL_WIDTH]]; N] = rows.map(|row| &row.as_chunks().0[..whole]);
    let weights = weights.map(|weight| isa.splat(weight));
    for (l, line) in sum[..whole].iter_mut().enumerate() {
        let mut value = isa.load(&line.0);
        for i in 0..N {
            value = isa.mul_add(weights[i], T::load(isa, &lines[i][l]), value);
        }
        isa.store(value, &mut line.0);
    }
    for line in &mut sum[whole..] {
        let mut value = isa.load(&line.0);
        for i in 0..N {
            value = isa.mul_add(weights[i], load_part(isa, &rows[i][whole * PANEL_WIDTH..]), value);
        }
        isa.store(value, &mut line.0);
    }
}

/// Adds the lines to the sum, and empties them.
#[inline(always)]
fn add_lines<S: Simd>(isa: S, lines: &mut [PanelRow], sum: &mut [PanelRow]) {
    let one = isa.splat(1.0);
    for (line, sum) in lines.iter_mut().zip(sum) {
        isa.store(isa.mul_add(one, isa.load(&line.0), isa.load(&sum.0)), &mut sum.0);
        *line = PanelRow::default();
    }
}
