//! Weighted sums of all rows: pooled in rank space and projected once.

use std::cell::Cell;

use ndarray::{ArrayView1, ArrayView2, ArrayViewMut2, s};

use super::QuantizedEmbedding;
use crate::{
    Embedding,
    kernel::{
        self, TableRows,
        scratch::{self, Scratch},
    },
    layers::{unpadded_ranges, vectors::Vectors},
    rows::Numbers,
};

/// Rows that are decoded together.
const BLOCK_ROWS: usize = 256;

thread_local! {
    /// A block of decoded rows.
    static ROWS: Scratch<Vec<f32>> = const { Cell::new(Vec::new()) };
}

impl QuantizedEmbedding {
    /// `weights` \[n, `vocab_size`\] · E into `out` \[n, dim\].
    pub(super) fn add_up(&self, weights: ArrayView2<'_, f32>, out: &mut ArrayViewMut2<'_, f32>) {
        let weights = weights.as_standard_layout();
        let ranges = |len| unpadded_ranges(self.vocab_size(), self.padding_id, len);
        let rank = self.layout.rank();
        Vectors::with_kept(|pooled| {
            pooled.reset(weights.nrows(), rank);
            scratch::with(&ROWS, |decoded| {
                for range in ranges(BLOCK_ROWS) {
                    let decoded = scratch::at_least(decoded, range.len() * rank);
                    kernel::decode_rows(self.isa, self.coded_rows(), range.clone(), decoded);
                    let rows = TableRows { rows: Numbers::F32(decoded), width: rank, first: 0, len: range.len() };
                    kernel::add_weighted_rows(self.isa, weights.view(), range.start, rows, &mut pooled.vectors_mut());
                }
            });
            if self.factors.mean().is_some() {
                let sum =
                    |row: ArrayView1<'_, f32>| ranges(self.vocab_size()).map(|range| row.slice(s![range]).sum()).sum();
                pooled.set_constants(weights.rows().into_iter().map(sum));
            }
            let rows = Numbers::F32(pooled.numbers());
            kernel::project(self.isa, rows, pooled.constants(), &self.projection, out);
        });
    }
}
