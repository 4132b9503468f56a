//! Gradients of factors.

use ndarray::{Array1, Array2, ArrayView1, ArrayView2, ArrayViewMut2, Axis, s};

use super::{
    Backward,
    bags::weight_gradients,
    cross_entropy,
    differentiate::Differentiate,
    left::Left,
    row_parts,
    table::TableGradient,
    weighted::{add_product, blocks, columns_into, multiply, row_gradient, used_columns},
};
use crate::{
    Bags, Embedding, FactorizedEmbedding, Isa, Result, TokenId,
    train::{CrossEntropy, FactorGradients, Trainable},
};

impl Differentiate<FactorGradients> for FactorizedEmbedding {
    fn isa(&self) -> Isa {
        self.isa()
    }

    fn of_rows(backward: &Backward<'_, Self>, table: TableGradient<'_>) -> Result<FactorGradients> {
        let left = backward.left();
        let (u, products) = row_parts::of_rows(backward, &table, left)?;
        let u = u.map(|u| table.into_gradient_of(u, backward.scale_grad_by_freq)).transpose()?;
        Ok(FactorGradients { u, ..backward.shared(left, products) })
    }

    fn of_product(
        backward: &Backward<'_, Self>,
        weights: ArrayView2<'_, f32>,
        vectors: ArrayView2<'_, f32>,
    ) -> Result<FactorGradients> {
        let (isa, n, rank) = (backward.layer.isa(), vectors.nrows(), backward.layer.rank());
        let ids = used_columns(weights, backward.layer.padding_id());
        let (left, queries) = (backward.left(), backward.trainable.u.then(|| backward.to_rank_space(vectors)));
        let mut u = queries.as_ref().map(|_| Array2::zeros((ids.len(), rank)));
        let mut pooled = Array2::zeros((left.len(), n));
        let weights = weights.as_standard_layout();
        for block in blocks(ids.len(), n) {
            let ids = &ids[block.clone()];
            let mut block_weights = Array2::zeros((block.len(), n));
            columns_into(weights.view(), ids, &mut block_weights.view_mut());
            if let (Some(u), Some(queries)) = (&mut u, &queries) {
                multiply(isa, block_weights.view(), queries.view(), &mut u.slice_mut(s![block, ..]));
            }
            let rows = backward.rows(left, ids)?;
            add_product(isa, left.of(isa, rows.view()).view(), block_weights.view(), &mut pooled.view_mut());
        }
        let u = u.map(|u| row_gradient(ids, u, backward.layer.vocab_size())).transpose()?;
        Ok(FactorGradients { u, ..backward.shared(left, backward.products(pooled.view(), vectors)) })
    }

    fn of_bag_weights(
        backward: &Backward<'_, Self>,
        bags: &Bags<'_>,
        grad_out: ArrayView2<'_, f32>,
    ) -> Result<Array1<f32>> {
        let vectors = backward.to_rank_space(grad_out);
        let bias = backward.layer.factors().bias();
        let constants = bias.map(|bias| grad_out.rows().into_iter().map(|row| row.dot(&bias)).collect::<Vec<f32>>());
        let fill = |ids: &[TokenId], out: ArrayViewMut2<'_, f32>| backward.layer.lookup_rank_into(ids, out);
        weight_gradients(bags, backward.layer.padding_id(), fill, vectors.view(), constants.as_deref())
    }

    fn of_cross_entropy(
        backward: &Backward<'_, Self>,
        hidden: ArrayView2<'_, f32>,
        targets: &[TokenId],
        ignored: Option<TokenId>,
    ) -> Result<CrossEntropy<FactorGradients>> {
        cross_entropy::with_gradients(backward, hidden, targets, ignored)
    }

    fn loss(
        backward: &Backward<'_, Self>,
        hidden: ArrayView2<'_, f32>,
        targets: &[TokenId],
        ignored: Option<TokenId>,
    ) -> Result<f64> {
        cross_entropy::loss(backward, hidden, targets, ignored)
    }
}

impl Backward<'_, FactorizedEmbedding> {
    /// Of some of the parameters; the others are frozen.
    #[must_use]
    pub fn with_trainable(self, trainable: Trainable) -> Self {
        Self { trainable, ..self }
    }

    /// `vectors` \[n, dim\] · (diag(D) · V)ᵀ → \[n, rank\]
    pub(super) fn to_rank_space(&self, vectors: ArrayView2<'_, f32>) -> Array2<f32> {
        let mut out = Array2::zeros((vectors.nrows(), self.layer.rank()));
        self.layer.to_rank_space_into(vectors, &mut out.view_mut());
        out
    }

    /// The rows of U of some ids, if they are needed.
    pub(super) fn rows(&self, left: Left, ids: &[TokenId]) -> Result<Array2<f32>> {
        if left.rank == 0 { Ok(Array2::zeros((ids.len(), 0))) } else { self.layer.lookup_rank(ids) }
    }

    /// What the gradients that are wanted need of rows.
    pub(super) fn left(&self) -> Left {
        let (factors, wanted) = (self.layer.factors(), self.trainable);
        let has_rank = wanted.v || wanted.diagonal && factors.diagonal().is_some();
        Left { rank: if has_rank { factors.rank() } else { 0 }, bias: wanted.bias && factors.bias().is_some() }
    }

    /// The transpose of rows \[rank, n\], with their weights below it, times `vectors` \[n, dim\].
    pub(super) fn products(&self, rows: ArrayView2<'_, f32>, vectors: ArrayView2<'_, f32>) -> Array2<f32> {
        let mut products = Array2::zeros((rows.nrows(), self.layer.dim()));
        add_product(self.layer.isa(), rows, vectors, &mut products.view_mut());
        products
    }

    /// The gradients of D, V and b where out = rows · diag(D)·V + weights · bᵀ, or what has the same gradients, of
    /// [`products`](Self::products) with the gradient of out.
    pub(super) fn shared(&self, left: Left, products: Array2<f32>) -> FactorGradients {
        let (factors, wanted) = (self.layer.factors(), self.trainable);
        let bias = left.bias.then(|| products.row(left.rank).to_owned());
        let mut v = products.slice_move(s![..left.rank, ..]);
        let of_row = |(v, product): (ArrayView1<'_, f32>, ArrayView1<'_, f32>)| v.dot(&product);
        let has_diagonal = wanted.diagonal && factors.diagonal().is_some();
        let diagonal = has_diagonal.then(|| factors.v().rows().into_iter().zip(v.rows()).map(of_row).collect());
        if let Some(scales) = factors.diagonal().filter(|_| wanted.v) {
            v *= &scales.insert_axis(Axis(1));
        }
        FactorGradients { u: None, diagonal, v: wanted.v.then_some(v), bias }
    }
}
