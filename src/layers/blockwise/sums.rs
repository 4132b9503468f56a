//! Weighted sums of rows: pooled in the rank space of each group, projected, and added up.

use std::{cell::Cell, ops::Range};

use ndarray::{ArrayView2, ArrayViewMut2, Axis};

use super::{BlockwiseEmbedding, CHUNK, Grouped};
use crate::{
    Bags, Embedding, Factors, Pooling, TokenId,
    kernel::{
        self, PackedProjection, PooledRows, TableRows,
        scratch::{self, Scratch},
    },
    layers::vectors::Vectors,
    rows::Numbers,
};

/// Bags whose sums are kept until all groups have added to them.
const CHUNK_BAGS: usize = 96;
/// Rows of a group whose weights are gathered together.
const BLOCK_ROWS: usize = 256;

/// What sums need beside the output, in memory that the thread keeps.
struct Buffers {
    /// Sums of rows, \[bags of a chunk, dim\].
    sums: Vectors,
    /// How many ids counted in each.
    counts: Vec<usize>,
    /// Sums in the rank space of a group.
    pooled: Vectors,
    /// The bags that have ids of a group, by their number in the chunk.
    bags: Vec<u32>,
    /// Where the ids of each begin, and their weights.
    offsets: Vec<usize>,
    weights: Vec<f32>,
}

thread_local! {
    static KEPT: Scratch<Buffers> = const { Cell::new(Buffers::new()) };
}

impl Default for Buffers {
    fn default() -> Self {
        Self::new()
    }
}

impl Buffers {
    const fn new() -> Self {
        Self {
            sums: Vectors::new(),
            counts: Vec::new(),
            pooled: Vectors::new(),
            bags: Vec::new(),
            offsets: Vec::new(),
            weights: Vec::new(),
        }
    }
}

impl BlockwiseEmbedding {
    /// The sum or the mean of the rows of each bag into `out` \[b, dim\].
    pub(super) fn pool(&self, bags: &Bags<'_>, out: &mut ArrayViewMut2<'_, f32>) {
        let widest = self.blocks().map(|(_, factors, _)| factors.rank()).max().unwrap_or(0);
        let ids_per_bag = bags.ids().len().div_ceil(bags.len().max(1));
        let nanoseconds = kernel::nanoseconds_per_row(self.dim(), widest) * ids_per_bag as f64;
        kernel::for_each_rows(out, nanoseconds, |range, mut out| {
            scratch::with(&KEPT, |buffers| {
                let mut start = range.start;
                while start < range.end {
                    let chunk = start..end_of_chunk(bags, start..range.end);
                    self.pool_chunk(bags, chunk.clone(), buffers);
                    let sums = buffers.sums.vectors();
                    for ((bag, sum), &count) in chunk.clone().zip(sums.rows()).zip(&buffers.counts) {
                        let mut out = out.row_mut(bag - range.start);
                        out.assign(&sum);
                        if bags.pooling() == Pooling::Mean && count > 0 {
                            out.mapv_inplace(|sum| sum / count as f32);
                        }
                    }
                    start = chunk.end;
                }
            });
        });
    }

    /// The sums of some bags, with at most [`CHUNK`] ids if they are more than one.
    fn pool_chunk(&self, bags: &Bags<'_>, chunk: Range<usize>, buffers: &mut Buffers) {
        let ids = bags.range(chunk.start).start..bags.range(chunk.end - 1).end;
        buffers.sums.reset(chunk.len(), self.dim());
        buffers.counts.clear();
        buffers.counts.resize(chunk.len(), 0);
        // A long bag in pieces that begin with it: its bits do not depend on the others.
        for first in ids.clone().step_by(CHUNK) {
            Grouped::with_kept(|grouped| {
                let piece = &bags.ids()[first..ids.end.min(first + CHUNK)];
                grouped.sort(piece, self.factors.group_of(), &self.places, self.padding_id);
                for (group, rows, positions) in grouped.groups() {
                    buffers.find_bags(bags, chunk.start, first, positions);
                    if let Some((factors, projection)) = self.block(group) {
                        buffers.add_group(self, factors, projection, rows);
                    }
                }
            });
        }
    }

    /// `weights` \[n, `vocab_size`\] · E into `out` \[n, dim\].
    pub(super) fn add_up(&self, weights: ArrayView2<'_, f32>, out: &mut ArrayViewMut2<'_, f32>) {
        let blocks = self.blocks().map(|(ids, factors, _)| kernel::nanoseconds_per_row(1, factors.rank() * ids.len()));
        let nanoseconds = blocks.sum();
        kernel::for_each_rows(out, nanoseconds, |range, mut out| {
            scratch::with(&KEPT, |buffers| {
                let weights = weights.slice(ndarray::s![range, ..]);
                buffers.sums.reset(weights.nrows(), self.dim());
                for (ids, factors, projection) in self.blocks() {
                    buffers.add_weighted(self, ids, factors, projection, weights);
                }
                out.assign(&buffers.sums.vectors());
            });
        });
    }
}

/// Where a chunk ends that starts with the first bag: before it has too many bags, or too many ids in more than one.
fn end_of_chunk(bags: &Bags<'_>, range: Range<usize>) -> usize {
    let first = bags.range(range.start).start;
    let fits = |bag: &usize| bags.range(*bag).end - first <= CHUNK;
    let others = range.start + 1..range.end.min(range.start + CHUNK_BAGS);
    others.clone().take_while(fits).last().map_or(range.start + 1, |last| last + 1)
}

impl Buffers {
    /// Finds the bags of a chunk that have ids of a group, given where these stand in a piece of all ids, and counts them.
    fn find_bags(&mut self, bags: &Bags<'_>, first_bag: usize, first_id: usize, positions: &[u32]) {
        self.bags.clear();
        self.offsets.clear();
        self.weights.clear();
        let mut bag = 0;
        let mut end = bags.range(first_bag).end;
        for (i, &position) in positions.iter().enumerate() {
            let id = first_id + position as usize;
            while id >= end {
                bag += 1;
                end = bags.range(first_bag + bag).end;
            }
            if self.bags.last() != Some(&(bag as u32)) {
                self.bags.push(bag as u32);
                self.offsets.push(i);
            }
            self.counts[bag] += 1;
            self.weights.extend(bags.weights().map(|weights| weights[id]));
        }
    }

    /// Adds the rows of a group to the sums of the bags that were found.
    fn add_group(
        &mut self,
        layer: &BlockwiseEmbedding,
        factors: &Factors,
        projection: &PackedProjection,
        rows: &[TokenId],
    ) {
        let bags = Bags::new(rows, &self.offsets, Pooling::Sum);
        let bags = if self.weights.is_empty() { bags } else { bags.and_then(|bags| bags.with_weights(&self.weights)) };
        let Ok(bags) = bags else { unreachable!("offsets rise, and all ids have weights or none") };
        self.pooled.reset(bags.len(), factors.rank());
        let pooled = PooledRows { rows: factors.stored_u().into(), bags: &bags, padding_id: None };
        kernel::pool(layer.isa, pooled, &mut self.pooled.vectors_mut());
        let mut sums = self.sums.vectors_mut();
        if let Some(bias) = factors.bias() {
            for (&bag, ids) in self.bags.iter().zip(bags.ranges()) {
                let weight = match bags.weights() {
                    Some(weights) => weights[ids].iter().map(|&weight| f64::from(weight)).sum::<f64>() as f32,
                    None => ids.len() as f32,
                };
                sums.row_mut(bag as usize).scaled_add(weight, &bias);
            }
        }
        let pooled = Numbers::F32(self.pooled.numbers());
        kernel::add_projected(layer.isa, pooled, Some(&self.bags), projection, &mut sums);
    }

    /// Adds the weighted sums of all rows of a group.
    fn add_weighted(
        &mut self,
        layer: &BlockwiseEmbedding,
        ids: &[TokenId],
        factors: &Factors,
        projection: &PackedProjection,
        weights: ArrayView2<'_, f32>,
    ) {
        let (n, width) = (weights.nrows(), factors.rank());
        self.pooled.reset(n, width);
        let mut sums = self.sums.vectors_mut();
        for (first, ids) in (0..).step_by(BLOCK_ROWS).zip(ids.chunks(BLOCK_ROWS)) {
            let gathered = scratch::at_least(&mut self.weights, n * ids.len());
            let Ok(mut gathered) = ArrayViewMut2::from_shape((n, ids.len()), gathered) else {
                unreachable!("there are just as many numbers")
            };
            for (mut gathered, weights) in gathered.rows_mut().into_iter().zip(weights.axis_iter(Axis(0))) {
                gathered.iter_mut().zip(ids).for_each(|(weight, &id)| *weight = weights[id as usize]);
            }
            if let Some(padding) = layer.padding_id.and_then(|id| ids.binary_search(&id).ok()) {
                gathered.column_mut(padding).fill(0.0);
            }
            if let Some(bias) = factors.bias() {
                for (mut sum, weights) in sums.rows_mut().into_iter().zip(gathered.rows()) {
                    sum.scaled_add(weights.sum(), &bias);
                }
            }
            let rows = TableRows { rows: factors.stored_u(), width, first, len: ids.len() };
            kernel::add_weighted_rows(layer.isa, gathered.view(), 0, rows, &mut self.pooled.vectors_mut());
        }
        let pooled = Numbers::F32(self.pooled.numbers());
        kernel::add_projected(layer.isa, pooled, None, projection, &mut sums);
    }
}
