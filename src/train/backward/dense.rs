//! Gradients of a dense table.

use ndarray::{Array1, Array2, ArrayView2, ArrayViewMut2, s};

use super::{
    Backward,
    bags::weight_gradients,
    differentiate::Differentiate,
    head::{Counted, Head},
    left::Left,
    table::TableGradient,
    weighted::{add_product, blocks, columns_into, multiply, row_gradient, used_columns},
};
use crate::{
    Bags, DenseEmbedding, Embedding, Isa, Result, TokenId, kernel,
    train::{CrossEntropy, RowGradient},
};

impl Differentiate<RowGradient> for DenseEmbedding<'_> {
    fn isa(&self) -> Isa {
        self.isa()
    }

    fn of_rows(backward: &Backward<'_, Self>, table: TableGradient<'_>) -> Result<RowGradient> {
        table.into_row_gradient(backward.scale_grad_by_freq)
    }

    /// weightsᵀ · vectors of the rows with a weight other than 0.
    fn of_product(
        backward: &Backward<'_, Self>,
        weights: ArrayView2<'_, f32>,
        vectors: ArrayView2<'_, f32>,
    ) -> Result<RowGradient> {
        let layer = backward.layer;
        let ids = used_columns(weights, layer.padding_id());
        let (n, dim) = vectors.dim();
        let mut rows = Array2::zeros((ids.len(), dim));
        let weights = weights.as_standard_layout();
        for block in blocks(ids.len(), n) {
            let mut block_weights = Array2::zeros((block.len(), n));
            columns_into(weights.view(), &ids[block.clone()], &mut block_weights.view_mut());
            multiply(layer.isa(), block_weights.view(), vectors, &mut rows.slice_mut(s![block, ..]));
        }
        row_gradient(ids, rows, layer.vocab_size())
    }

    fn of_bag_weights(
        backward: &Backward<'_, Self>,
        bags: &Bags<'_>,
        grad_out: ArrayView2<'_, f32>,
    ) -> Result<Array1<f32>> {
        let layer = backward.layer;
        let fill = |ids: &[TokenId], out: ArrayViewMut2<'_, f32>| layer.lookup_into(ids, out);
        weight_gradients(bags, layer.padding_id(), fill, grad_out, None)
    }

    fn of_cross_entropy(
        backward: &Backward<'_, Self>,
        hidden: ArrayView2<'_, f32>,
        targets: &[TokenId],
        ignored: Option<TokenId>,
    ) -> Result<CrossEntropy<RowGradient>> {
        let layer = backward.layer;
        let counted = Counted::new(layer, hidden, targets, ignored)?;
        let (isa, dim) = (layer.isa(), layer.dim());
        let head = head(layer, &counted);
        let softmax = head.softmax()?;
        let left = Left { rank: dim, bias: false };
        let mut gradient = Array2::zeros((head.ids.len(), dim));
        let mut pooled = Array2::zeros((dim, counted.hidden.nrows()));
        head.gradients(&softmax, |block, rows, of_logits| {
            multiply(isa, of_logits, counted.hidden.view(), &mut gradient.slice_mut(s![block, ..]));
            add_product(isa, left.of(isa, rows.view()).view(), of_logits, &mut pooled.view_mut());
        })?;
        let mut of_hidden = Array2::zeros(counted.hidden.dim());
        kernel::transpose(isa, pooled.view(), &mut of_hidden.view_mut());
        let gradients = row_gradient(head.ids, gradient, layer.vocab_size())?;
        Ok(CrossEntropy { loss: softmax.loss, hidden: counted.spread(of_hidden, targets.len()), gradients })
    }

    fn loss(
        backward: &Backward<'_, Self>,
        hidden: ArrayView2<'_, f32>,
        targets: &[TokenId],
        ignored: Option<TokenId>,
    ) -> Result<f64> {
        let counted = Counted::new(backward.layer, hidden, targets, ignored)?;
        Ok(head(backward.layer, &counted).softmax()?.loss)
    }
}

fn head(layer: &DenseEmbedding<'_>, counted: &Counted) -> Head<impl Fn(&[TokenId]) -> Result<Array2<f32>>> {
    Head::new(layer, layer.isa(), counted, (counted.hidden.view(), None), |ids| layer.lookup(ids))
}
