//! Gradients of a dense table.

use ndarray::{Array1, Array2, ArrayView2, ArrayViewMut2, s};

use super::{
    Backward,
    bags::{check_weighted, weight_gradients},
    table::TableGradient,
    weighted::{blocks, check_logits, check_soft_lookup, columns_into, multiply, row_gradient, used_columns},
};
use crate::{Bags, DenseEmbedding, Embedding, Result, TokenId, train::RowGradient};

impl Backward<'_, DenseEmbedding<'_>> {
    /// The gradient of a lookup: ∂L/∂E of the rows of `ids`, summed over repeated ids.
    ///
    /// # Shapes
    /// `ids` \[n\], `grad_out` \[n, dim\] → k rows of dim numbers, for the k different ids but padding
    ///
    /// # Errors
    /// [`IdOutOfRange`](crate::Error::IdOutOfRange), [`ShapeMismatch`](crate::Error::ShapeMismatch),
    /// [`NonFinite`](crate::Error::NonFinite), [`Overflow`](crate::Error::Overflow).
    pub fn lookup(&self, ids: &[TokenId], grad_out: ArrayView2<'_, f32>) -> Result<RowGradient> {
        TableGradient::of_lookup(self.layer, self.layer.isa(), ids, grad_out)?
            .into_row_gradient(self.scale_grad_by_freq)
    }

    /// The gradient of bags: ∂L/∂E of the rows of all ids. That of a maximum goes to the row that holds it, column by
    /// column, to the first in the bag if there are several; the rows of the other ids are zero there.
    ///
    /// # Shapes
    /// `bags` of b bags, `grad_out` \[b, dim\] → k rows of dim numbers, for the k different ids but padding
    ///
    /// # Errors
    /// Those of [`lookup`](Self::lookup).
    pub fn bag(&self, bags: &Bags<'_>, grad_out: ArrayView2<'_, f32>) -> Result<RowGradient> {
        TableGradient::of_bag(self.layer, self.layer.isa(), bags, grad_out)?.into_row_gradient(self.scale_grad_by_freq)
    }

    /// The gradient of the weights of bags: for each id ∂L/∂out of its bag times its row, 0 for padding.
    ///
    /// # Shapes
    /// `bags` of b bags and n ids, `grad_out` \[b, dim\] → \[n\]
    ///
    /// # Errors
    /// [`WeightsNeedSum`](crate::Error::WeightsNeedSum), and those of [`lookup`](Self::lookup).
    pub fn bag_weights_gradient(&self, bags: &Bags<'_>, grad_out: ArrayView2<'_, f32>) -> Result<Array1<f32>> {
        check_weighted(self.layer, bags, grad_out)?;
        let fill = |ids: &[TokenId], out: ArrayViewMut2<'_, f32>| self.layer.lookup_into(ids, out);
        weight_gradients(bags, self.layer.padding_id(), fill, grad_out, None)
    }

    /// The gradient of a soft lookup; that of its weights are the [`logits`](Embedding::logits) of `grad_out`.
    ///
    /// # Shapes
    /// `weights` \[n, `vocab_size`\], `grad_out` \[n, dim\] → the rows that have a weight other than 0
    ///
    /// # Errors
    /// [`ShapeMismatch`](crate::Error::ShapeMismatch), [`NonFinite`](crate::Error::NonFinite).
    pub fn soft_lookup(&self, weights: ArrayView2<'_, f32>, grad_out: ArrayView2<'_, f32>) -> Result<RowGradient> {
        check_soft_lookup(self.layer, weights, grad_out)?;
        self.of_product(weights, grad_out)
    }

    /// The gradient of logits; that of the hidden states is the [`soft_lookup`](Embedding::soft_lookup) of
    /// `grad_logits`.
    ///
    /// # Shapes
    /// `hidden` \[n, dim\], `grad_logits` \[n, `vocab_size`\] → the rows that have a gradient other than 0, nearly
    /// always all of them but padding
    ///
    /// # Errors
    /// [`ShapeMismatch`](crate::Error::ShapeMismatch), [`NonFinite`](crate::Error::NonFinite).
    pub fn logits(&self, hidden: ArrayView2<'_, f32>, grad_logits: ArrayView2<'_, f32>) -> Result<RowGradient> {
        check_logits(self.layer, hidden, grad_logits)?;
        self.of_product(grad_logits, hidden)
    }

    /// weightsᵀ · vectors of the rows with a weight other than 0.
    fn of_product(&self, weights: ArrayView2<'_, f32>, vectors: ArrayView2<'_, f32>) -> Result<RowGradient> {
        let ids = used_columns(weights, self.layer.padding_id());
        let (n, dim) = vectors.dim();
        let mut rows = Array2::zeros((ids.len(), dim));
        let weights = weights.as_standard_layout();
        for block in blocks(ids.len(), n) {
            let mut block_weights = Array2::zeros((block.len(), n));
            columns_into(weights.view(), &ids[block.clone()], &mut block_weights.view_mut());
            multiply(self.layer.isa(), block_weights.view(), vectors, &mut rows.slice_mut(s![block, ..]));
        }
        row_gradient(ids, rows, self.layer.vocab_size())
    }
}
