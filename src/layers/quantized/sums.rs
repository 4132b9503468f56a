//! Weighted sums of coded rows: pooled in rank space and projected once.

use ndarray::{Array1, Array2, ArrayView1, ArrayView2, ArrayViewMut2, s};

use super::{BLOCK_ROWS, QuantizedEmbedding};
use crate::{
    Bags, Embedding, Pooling,
    kernel::{self, TableRows},
    layers::{unpadded_ranges, vectors::Vectors},
    rows::Numbers,
};

impl QuantizedEmbedding {
    /// The sum or the mean of the rows of each bag into `out` \[b, dim\].
    pub(super) fn pool(&self, bags: &Bags<'_>, out: &mut ArrayViewMut2<'_, f32>) {
        let mut row = Array1::zeros(self.rank());
        let mut pooled = Array2::zeros((bags.len(), self.rank()));
        let mut bias_weights = Vec::with_capacity(bags.len());
        for (range, mut sum) in bags.ranges().zip(pooled.rows_mut()) {
            let (mut len, mut weight_sum) = (0, 0.0);
            for i in range.filter(|&i| Some(bags.ids()[i]) != self.padding_id) {
                let weight = bags.weights().map_or(1.0, |weights| weights[i]);
                self.factors.decode(bags.ids()[i] as usize, row.view_mut());
                sum.scaled_add(weight, &row);
                weight_sum += f64::from(weight);
                len += 1;
            }
            let is_mean = bags.pooling() == Pooling::Mean && len > 0;
            if is_mean {
                sum /= len as f32;
            }
            bias_weights.push(if is_mean { 1.0 } else { weight_sum as f32 });
        }
        let rows = Numbers::F32(pooled.as_slice().unwrap_or_default());
        kernel::project(self.isa, rows, Some(&bias_weights), &self.projection, out);
    }

    /// `weights` \[n, `vocab_size`\] · E into `out` \[n, dim\].
    pub(super) fn add_up(&self, weights: ArrayView2<'_, f32>, out: &mut ArrayViewMut2<'_, f32>) {
        let weights = weights.as_standard_layout();
        let ranges = |len| unpadded_ranges(self.vocab_size(), self.padding_id, len);
        let mut decoded = Array2::zeros((BLOCK_ROWS, self.rank()));
        Vectors::with_kept(|pooled| {
            pooled.reset(weights.nrows(), self.rank());
            for range in ranges(BLOCK_ROWS) {
                for (id, row) in range.clone().zip(decoded.rows_mut()) {
                    self.factors.decode(id, row);
                }
                let rows = Numbers::F32(decoded.as_slice().unwrap_or_default());
                let rows = TableRows { rows, width: self.rank(), first: 0, len: range.len() };
                kernel::add_weighted_rows(self.isa, weights.view(), range.start, rows, &mut pooled.vectors_mut());
            }
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
