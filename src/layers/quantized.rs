//! Rows in codes of few bits.

mod scores;
mod settings;
mod sums;
#[cfg(test)]
mod tests;

use std::{fmt, sync::OnceLock};

use ndarray::{Array1, Array2, ArrayView2, ArrayViewMut2};

use super::{DenseEmbedding, PaddingNote, mask_padding, search};
use crate::{
    Bags, Embedding, Isa, Pooling, QuantizedFactors, RepeatedIds, Result, TokenId, TopK,
    embedding::check,
    kernel::{self, CodeLayout, CodedRows, GatheredRows, HotRows, PackedProjection, PooledRows},
};

/// A table kept as its [`QuantizedFactors`]: rows in codes of few bits, and directions that all rows share.
///
/// A lookup decodes its rows, a block at a time, and multiplies them by the directions, which are kept decoded and packed for
/// the kernel: rank · dim numbers beside the factors that [`size_in_bytes`](Embedding::size_in_bytes) does not count. Bags are
/// pooled in rank space and projected once; logits bring the hidden states into rank space first, and read codes from then on.
/// The first of these calls keeps the directions once more, row by row.
/// Nothing is kept for each row but what [`nearest`](Embedding::nearest) needs once it has been called, and hot rows.
#[derive(Clone)]
pub struct QuantizedEmbedding {
    factors: QuantizedFactors,
    /// How the codes are read.
    layout: CodeLayout,
    /// The mean.
    bias: Option<Array1<f32>>,
    /// The directions, and the mean as the bias.
    projection: PackedProjection,
    /// The directions \[rank, dim\], once there is something to be brought into rank space.
    directions: OnceLock<Array2<f32>>,
    isa: Isa,
    repeated_ids: RepeatedIds,
    padding_id: Option<TokenId>,
    hot_rows: Option<HotRows>,
    inverse_norms: OnceLock<Vec<f32>>,
}

impl QuantizedEmbedding {
    /// A layer over factors that exist already: quantized or loaded.
    #[must_use]
    pub fn new(factors: QuantizedFactors) -> Self {
        let bias = factors.bias();
        let layout = CodeLayout::new(&factors);
        let directions = layout.select(&factors.directions());
        Self {
            projection: PackedProjection::new(directions.view(), bias.as_ref().map(|bias| bias.view())),
            factors,
            layout,
            bias,
            directions: OnceLock::new(),
            isa: Isa::best(),
            repeated_ids: RepeatedIds::default(),
            padding_id: None,
            hot_rows: None,
            inverse_norms: OnceLock::new(),
        }
    }

    /// The factors that the layer reads.
    #[must_use]
    pub fn factors(&self) -> &QuantizedFactors {
        &self.factors
    }

    /// The factors themselves, to store them or [widen](QuantizedFactors::to_factors) them.
    #[must_use]
    pub fn into_factors(self) -> QuantizedFactors {
        self.factors
    }

    /// How many directions there are.
    #[must_use]
    pub fn rank(&self) -> usize {
        self.factors.rank()
    }

    /// The whole table as a dense layer with the same padding id. Its rows are those that lookups give, to the bit.
    ///
    /// # Errors
    /// [`NonFinite`](crate::Error::NonFinite) when a product overflows.
    pub fn to_dense(&self) -> Result<DenseEmbedding<'static>> {
        let mut table = Array2::zeros((self.vocab_size(), self.dim()));
        kernel::project(self.isa, self.coded_rows(), None, &self.projection, &mut table.view_mut());
        let dense = DenseEmbedding::new(table)?.with_isa(self.isa);
        match self.padding_id {
            Some(id) => dense.with_padding_id(id),
            None => Ok(dense),
        }
    }

    fn coded_rows(&self) -> CodedRows<'_> {
        CodedRows::new(&self.factors, &self.layout)
    }

    fn make_rows(&self, ids: &[TokenId], out: &mut ArrayViewMut2<'_, f32>) {
        let rows = GatheredRows {
            rows: self.coded_rows().into(),
            ids,
            positions: None,
            repeated_ids: self.repeated_ids,
            hot_rows: self.hot_rows.as_ref(),
        };
        kernel::project_rows(self.isa, rows, &self.projection, out);
    }
}

impl Embedding for QuantizedEmbedding {
    fn vocab_size(&self) -> usize {
        self.factors.vocab_size()
    }

    fn dim(&self) -> usize {
        self.factors.dim()
    }

    fn num_parameters(&self) -> usize {
        self.factors.num_parameters()
    }

    fn size_in_bytes(&self) -> usize {
        self.factors.size_in_bytes()
    }

    fn padding_id(&self) -> Option<TokenId> {
        self.padding_id
    }

    fn lookup_into(&self, ids: &[TokenId], mut out: ArrayViewMut2<'_, f32>) -> Result<()> {
        check::shape("out [n, dim]", &out, (ids.len(), self.dim()))?;
        check::ids(ids, self.vocab_size())?;
        self.make_rows(ids, &mut out);
        mask_padding(ids, self.padding_id, &mut out);
        Ok(())
    }

    fn bag_into(&self, bags: &Bags<'_>, mut out: ArrayViewMut2<'_, f32>) -> Result<()> {
        check::shape("out [b, dim]", &out, (bags.len(), self.dim()))?;
        check::ids(bags.ids(), self.vocab_size())?;
        if bags.pooling() == Pooling::Max {
            kernel::pool_tiles(bags, self.padding_id, |ids, tile| self.make_rows(ids, tile), &mut out);
        } else {
            let pooled = PooledRows { rows: self.coded_rows().into(), bags, padding_id: self.padding_id };
            kernel::pool_and_project(self.isa, pooled, &self.projection, &mut out);
        }
        Ok(())
    }

    fn soft_lookup_into(&self, weights: ArrayView2<'_, f32>, mut out: ArrayViewMut2<'_, f32>) -> Result<()> {
        check::columns("weights [n, vocab_size]", weights, self.vocab_size())?;
        check::shape("out [n, dim]", &out, (weights.nrows(), self.dim()))?;
        self.add_up(weights, &mut out);
        Ok(())
    }

    fn logits_into(&self, hidden: ArrayView2<'_, f32>, out: ArrayViewMut2<'_, f32>) -> Result<()> {
        search::logits_into(self, hidden, out)
    }

    fn top_k(&self, hidden: ArrayView2<'_, f32>, k: usize) -> Result<TopK> {
        search::top_k(self, hidden, k)
    }

    fn nearest(&self, queries: ArrayView2<'_, f32>, k: usize) -> Result<TopK> {
        search::nearest(self, queries, k)
    }
}

impl fmt::Debug for QuantizedEmbedding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let padding = PaddingNote(self.padding_id);
        write!(f, "QuantizedEmbedding({:?}{padding})", self.factors)
    }
}
