//! Scores of queries with every row of a table, block by block.

use std::{
    cmp::Ordering,
    collections::BinaryHeap,
    ops::Range,
    sync::{Mutex, PoisonError},
};

use ndarray::{Array2, ArrayView2, ArrayViewMut2, Axis, s};

use super::{norms::normalized, unpadded_ranges, vectors::Vectors};
use crate::{
    Embedding, Result, TokenId, TopK,
    embedding::{check, cosine},
    kernel,
};

/// Rows of the table that are scored, or copied to be scored, together.
pub(super) const BLOCK_ROWS: usize = 1024;
/// Scores that are looked at together.
const TOGETHER: usize = 16;
/// Vectors that are scored together: with a block of rows, what a search holds at a time.
const BLOCK_QUERIES: usize = 64;

/// A table that can score queries with a range of its rows.
pub(super) trait ScoreRows: Embedding {
    /// What the table makes of queries [n, dim] once, before it scores them with its rows.
    fn prepare(&self, queries: ArrayView2<'_, f32>, prepared: &mut Vectors);

    /// Σⱼ queries\[i, j\] · E\[row, j\] for each query i and each row of the range, into `out` \[n, len of the range\].
    fn score(&self, queries: &Vectors, rows: Range<usize>, out: &mut ArrayViewMut2<'_, f32>);

    /// 1 / ‖e‖ of every row, 0 for a zero row.
    fn inverse_norms(&self) -> &[f32];
}

/// The scores of all rows, 0 for padding: [`Embedding::logits_into`].
pub(super) fn logits_into(
    table: &impl ScoreRows,
    hidden: ArrayView2<'_, f32>,
    mut out: ArrayViewMut2<'_, f32>,
) -> Result<()> {
    let (vocab_size, padding_id) = (table.vocab_size(), table.padding_id());
    check::columns("hidden [n, dim]", hidden, table.dim())?;
    check::shape("out [n, vocab_size]", &out, (hidden.nrows(), vocab_size))?;
    Vectors::with_kept(|prepared| {
        table.prepare(hidden, prepared);
        for rows in unpadded_ranges(vocab_size, padding_id, vocab_size) {
            table.score(prepared, rows.clone(), &mut out.slice_mut(s![.., rows]));
        }
    });
    if let Some(id) = padding_id {
        out.column_mut(id as usize).fill(0.0);
    }
    Ok(())
}

/// The `k` rows with the best scores: [`Embedding::top_k`].
pub(super) fn top_k(table: &impl ScoreRows, hidden: ArrayView2<'_, f32>, k: usize) -> Result<TopK> {
    check::columns("hidden [n, dim]", hidden, table.dim())?;
    Ok(best_scores(table, hidden, k, None))
}

/// The `k` rows with the best scores, each times its row's scale if there are scales \[`vocab_size`\].
fn best_scores(table: &impl ScoreRows, queries: ArrayView2<'_, f32>, k: usize, scales: Option<&[f32]>) -> TopK {
    let (vocab_size, padding_id) = (table.vocab_size(), table.padding_id());
    let k = k.min(vocab_size - usize::from(padding_id.is_some()));
    let shape = (queries.nrows(), k);
    let mut best = TopK { ids: Array2::zeros(shape), scores: Array2::zeros(shape) };
    if k == 0 {
        return best;
    }
    // Blocks of about the same length: a short one would be scored in another order of sums.
    let blocks = queries.nrows().div_ceil(BLOCK_QUERIES);
    let block_len = queries.nrows().div_ceil(blocks.max(1)).max(1);
    for (block, queries) in queries.axis_chunks_iter(Axis(0), block_len).enumerate() {
        let mut prepared = Vectors::default();
        table.prepare(queries, &mut prepared);
        let heaps = Mutex::new(vec![BestK::new(k); queries.nrows()]);
        let (num_queries, width) = prepared.vectors().dim();
        let nanoseconds = kernel::nanoseconds_per_row(num_queries, width);
        kernel::for_each_range(vocab_size, BLOCK_ROWS, nanoseconds, |range| {
            let found = best_of_range(table, &prepared, k, range, scales);
            let mut heaps = heaps.lock().unwrap_or_else(PoisonError::into_inner);
            for (heap, found) in heaps.iter_mut().zip(found) {
                found.heap.into_iter().for_each(|candidate| heap.offer(candidate.id, candidate.score));
            }
        });
        let heaps = heaps.into_inner().unwrap_or_else(PoisonError::into_inner);
        for (i, heap) in heaps.into_iter().enumerate() {
            for (j, candidate) in heap.into_sorted().into_iter().enumerate() {
                best.ids[[block * block_len + i, j]] = candidate.id;
                best.scores[[block * block_len + i, j]] = candidate.score;
            }
        }
    }
    best
}

/// The best rows of a range, for each query.
fn best_of_range(
    table: &impl ScoreRows,
    queries: &Vectors,
    k: usize,
    range: Range<usize>,
    scales: Option<&[f32]>,
) -> Vec<BestK> {
    let num_queries = queries.vectors().nrows();
    let mut heaps = vec![BestK::new(k); num_queries];
    let mut scores = vec![0.0; num_queries * BLOCK_ROWS.min(range.len())];
    let padding = table.padding_id().map(|id| id as usize);
    for first in range.clone().step_by(BLOCK_ROWS) {
        let rows = first..range.end.min(first + BLOCK_ROWS);
        let scores = &mut scores[..num_queries * rows.len()];
        if let Ok(mut scores) = ArrayViewMut2::from_shape((num_queries, rows.len()), &mut *scores) {
            table.score(queries, rows.clone(), &mut scores);
        }
        for (heap, scores) in heaps.iter_mut().zip(scores.chunks_exact_mut(rows.len())) {
            if let Some(scales) = scales {
                scores.iter_mut().zip(&scales[rows.clone()]).for_each(|(score, scale)| *score *= scale);
            }
            heap.offer_all(rows.start, scores, padding);
        }
    }
    heaps
}

/// Candidates beyond those asked for, among which rounding may have hidden a nearer row.
const SPARE_CANDIDATES: usize = 8;

/// The `k` rows with the largest cosines: [`Embedding::nearest`]. The table is searched in `f32` with the inverse norms of
/// its rows; what that finds is ranked by cosines in `f64`, which rounding cannot lift above 1.
pub(super) fn nearest(table: &impl ScoreRows, queries: ArrayView2<'_, f32>, k: usize) -> Result<TopK> {
    check::columns("queries [n, dim]", queries, table.dim())?;
    let wanted = k.saturating_add(SPARE_CANDIDATES);
    let found = best_scores(table, normalized(queries).view(), wanted, Some(table.inverse_norms()));
    let shape = (queries.nrows(), k.min(found.ids.ncols()));
    let mut nearest = TopK { ids: Array2::zeros(shape), scores: Array2::zeros(shape) };
    for (i, (query, ids)) in queries.rows().into_iter().zip(found.ids.rows()).enumerate() {
        let rows = table.lookup(&ids.to_vec())?;
        let mut candidates: Vec<_> = ids
            .iter()
            .zip(rows.rows())
            .map(|(&id, row)| Candidate { id, score: cosine(query.iter(), row.iter()) as f32 })
            .collect();
        candidates.sort_unstable();
        for (j, candidate) in candidates.into_iter().take(shape.1).enumerate() {
            nearest.ids[[i, j]] = candidate.id;
            nearest.scores[[i, j]] = candidate.score;
        }
    }
    Ok(nearest)
}

/// The `k` best candidates so far, the worst of them on top.
#[derive(Clone)]
struct BestK {
    heap: BinaryHeap<Candidate>,
    k: usize,
}

impl BestK {
    fn new(k: usize) -> Self {
        Self { heap: BinaryHeap::with_capacity(k), k }
    }

    /// What a score must exceed to be among the best, once there are `k`. Rows come in ascending order, so an equal score
    /// has a higher id and loses.
    fn floor(&self) -> Option<f32> {
        if self.heap.len() < self.k { None } else { self.heap.peek().map(Candidate::ranked_score) }
    }

    /// Offers the scores of consecutive rows but that of the padding. Sixteen at a time are passed over, once there are
    /// `k`, where none of them is among the best.
    fn offer_all(&mut self, first_row: usize, scores: &[f32], padding: Option<usize>) {
        for (start, scores) in (first_row..).step_by(TOGETHER).zip(scores.chunks(TOGETHER)) {
            let mut floor = self.floor();
            if floor.is_some_and(|floor| !scores.iter().fold(false, |any, &score| any | (score > floor))) {
                continue;
            }
            for (row, &score) in (start..).zip(scores) {
                if floor.is_none_or(|floor| score > floor) && Some(row) != padding {
                    self.offer(row as TokenId, score);
                    floor = self.floor();
                }
            }
        }
    }

    fn offer(&mut self, id: TokenId, score: f32) {
        let candidate = Candidate { id, score };
        if self.heap.len() < self.k {
            self.heap.push(candidate);
        } else if let Some(mut worst) = self.heap.peek_mut()
            && candidate < *worst
        {
            *worst = candidate;
        }
    }

    fn into_sorted(self) -> Vec<Candidate> {
        self.heap.into_sorted_vec()
    }
}

/// An id and its score. Better candidates are less: higher scores first, then lower ids; NaN ranks as −∞.
#[derive(Clone, Copy)]
struct Candidate {
    id: TokenId,
    score: f32,
}

impl Candidate {
    fn ranked_score(&self) -> f32 {
        if self.score.is_nan() { f32::NEG_INFINITY } else { self.score }
    }
}

impl Ord for Candidate {
    fn cmp(&self, other: &Self) -> Ordering {
        let by_score = other.ranked_score().partial_cmp(&self.ranked_score()).unwrap_or(Ordering::Equal);
        by_score.then(self.id.cmp(&other.id))
    }
}

impl PartialOrd for Candidate {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Candidate {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Candidate {}
