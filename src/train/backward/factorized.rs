//! Gradients of factors.

use ndarray::{Array1, Array2, ArrayView1, ArrayView2, ArrayViewMut2, Axis, s};

use super::{
    Backward,
    bags::{check_weighted, weight_gradients},
    left::Left,
    table::{TableGradient, divide_rows},
    weighted::{
        add_product, blocks, check_logits, check_soft_lookup, columns_into, multiply, row_gradient, used_columns,
    },
};
use crate::{
    Bags, Embedding, FactorizedEmbedding, Result, TokenId,
    kernel::{self, PackedProjection},
    rows::Numbers,
    train::{FactorGradients, RowGradient, Trainable},
};

impl Backward<'_, FactorizedEmbedding> {
    /// Of some of the parameters; the others are frozen.
    #[must_use]
    pub fn with_trainable(self, trainable: Trainable) -> Self {
        Self { trainable, ..self }
    }

    /// The gradients of a lookup.
    ///
    /// # Shapes
    /// `ids` \[n\], `grad_out` \[n, dim\] → k rows of U for the k different ids but padding; D, V and b whole
    ///
    /// # Errors
    /// [`IdOutOfRange`](crate::Error::IdOutOfRange), [`ShapeMismatch`](crate::Error::ShapeMismatch),
    /// [`NonFinite`](crate::Error::NonFinite), [`Overflow`](crate::Error::Overflow).
    pub fn lookup(&self, ids: &[TokenId], grad_out: ArrayView2<'_, f32>) -> Result<FactorGradients> {
        self.chain(TableGradient::of_lookup(self.layer, self.layer.isa(), ids, grad_out)?)
    }

    /// The gradients of bags. That of a maximum goes to the row that holds it, column by column, to the first in the
    /// bag if there are several.
    ///
    /// # Shapes
    /// `bags` of b bags, `grad_out` \[b, dim\] → k rows of U for the k different ids but padding; D, V and b whole
    ///
    /// # Errors
    /// Those of [`lookup`](Self::lookup).
    ///
    /// # Examples
    ///
    /// ```
    /// use factorized_embedding::{Bags, FactorizedEmbedding, Factors, Pooling, train::Backward};
    /// use ndarray::array;
    ///
    /// # fn main() -> factorized_embedding::Result<()> {
    /// let embedding = FactorizedEmbedding::new(Factors::new(array![[1.0], [2.0], [5.0]], array![[3.0, 4.0]])?);
    /// let bags = Bags::new(&[2, 0, 2], &[0, 2], Pooling::Mean)?; // {2, 0} and {2}
    /// let gradients = Backward::new(&embedding).bag(&bags, array![[1.0, 0.0], [0.0, 1.0]].view())?;
    /// let u = gradients.u.expect("U is not frozen");
    /// assert_eq!((u.ids(), u.values()), (Some(&[0, 2][..]), array![[1.5], [1.5 + 4.0]].view()));
    /// # Ok(())
    /// # }
    /// ```
    pub fn bag(&self, bags: &Bags<'_>, grad_out: ArrayView2<'_, f32>) -> Result<FactorGradients> {
        self.chain(TableGradient::of_bag(self.layer, self.layer.isa(), bags, grad_out)?)
    }

    /// The gradient of the weights of bags: for each id ∂L/∂out of its bag times its row, 0 for padding. Both meet in
    /// rank space.
    ///
    /// # Shapes
    /// `bags` of b bags and n ids, `grad_out` \[b, dim\] → \[n\]
    ///
    /// # Errors
    /// [`WeightsNeedSum`](crate::Error::WeightsNeedSum), and those of [`lookup`](Self::lookup).
    pub fn bag_weights_gradient(&self, bags: &Bags<'_>, grad_out: ArrayView2<'_, f32>) -> Result<Array1<f32>> {
        check_weighted(self.layer, bags, grad_out)?;
        let vectors = self.to_rank_space(grad_out);
        let bias = self.layer.factors().bias();
        let constants = bias.map(|bias| grad_out.rows().into_iter().map(|row| row.dot(&bias)).collect::<Vec<f32>>());
        let fill = |ids: &[TokenId], out: ArrayViewMut2<'_, f32>| self.layer.lookup_rank_into(ids, out);
        weight_gradients(bags, self.layer.padding_id(), fill, vectors.view(), constants.as_deref())
    }

    /// The gradients of a soft lookup; those of its weights are the [`logits`](Embedding::logits) of `grad_out`.
    ///
    /// # Shapes
    /// `weights` \[n, `vocab_size`\], `grad_out` \[n, dim\] → the rows of U that have a weight other than 0; D, V and b
    /// whole
    ///
    /// # Errors
    /// [`ShapeMismatch`](crate::Error::ShapeMismatch), [`NonFinite`](crate::Error::NonFinite).
    pub fn soft_lookup(&self, weights: ArrayView2<'_, f32>, grad_out: ArrayView2<'_, f32>) -> Result<FactorGradients> {
        check_soft_lookup(self.layer, weights, grad_out)?;
        self.of_product(weights, grad_out)
    }

    /// The gradients of logits; those of the hidden states are the [`soft_lookup`](Embedding::soft_lookup) of
    /// `grad_logits`.
    ///
    /// # Shapes
    /// `hidden` \[n, dim\], `grad_logits` \[n, `vocab_size`\] → the rows of U that have a gradient other than 0, nearly
    /// always all of them but padding; D, V and b whole
    ///
    /// # Errors
    /// [`ShapeMismatch`](crate::Error::ShapeMismatch), [`NonFinite`](crate::Error::NonFinite).
    pub fn logits(&self, hidden: ArrayView2<'_, f32>, grad_logits: ArrayView2<'_, f32>) -> Result<FactorGradients> {
        check_logits(self.layer, hidden, grad_logits)?;
        self.of_product(grad_logits, hidden)
    }

    /// Of weights \[n, `vocab_size`\] and vectors \[n, dim\] whose product with the table they are: see `weighted.rs`.
    fn of_product(&self, weights: ArrayView2<'_, f32>, vectors: ArrayView2<'_, f32>) -> Result<FactorGradients> {
        let (isa, n, rank) = (self.layer.isa(), vectors.nrows(), self.layer.rank());
        let ids = used_columns(weights, self.layer.padding_id());
        let (left, queries) = (self.left(), self.trainable.u.then(|| self.to_rank_space(vectors)));
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
            let rows = self.rows(left, ids)?;
            add_product(isa, left.of(rows.view()).view(), block_weights.view(), &mut pooled.view_mut());
        }
        let u = u.map(|u| row_gradient(ids, u, self.layer.vocab_size())).transpose()?;
        Ok(FactorGradients { u, ..self.shared(left, pooled.view(), vectors) })
    }

    /// The chain rule, from the rows of the table to the factors.
    fn chain(&self, table: TableGradient) -> Result<FactorGradients> {
        let TableGradient { ids, counts, rows } = table;
        let mut u = self.trainable.u.then(|| self.to_rank_space(rows.view()));
        if let Some(u) = u.as_mut().filter(|_| self.scale_grad_by_freq) {
            divide_rows(u, &counts);
        }
        let left = self.left();
        let shared = self.shared(left, left.of(self.rows(left, &ids)?.view()).view(), rows.view());
        let u = u.map(|u| RowGradient::of_rows(ids, u)).transpose()?;
        Ok(FactorGradients { u, ..shared })
    }

    /// `vectors` \[n, dim\] · (diag(D) · V)ᵀ → \[n, rank\]
    pub(super) fn to_rank_space(&self, vectors: ArrayView2<'_, f32>) -> Array2<f32> {
        let projection = || self.layer.factors().projection();
        let transposed = self.transposed.get_or_init(|| PackedProjection::new(projection().t(), None));
        let vectors = vectors.as_standard_layout();
        let numbers = Numbers::F32(vectors.as_slice().unwrap_or_default());
        let mut out = Array2::zeros((vectors.nrows(), self.layer.rank()));
        kernel::project(self.layer.isa(), numbers, None, transposed, &mut out.view_mut());
        out
    }

    /// The rows of U of some ids, if they are needed.
    fn rows(&self, left: Left, ids: &[TokenId]) -> Result<Array2<f32>> {
        if left.rank == 0 { Ok(Array2::zeros((ids.len(), 0))) } else { self.layer.lookup_rank(ids) }
    }

    /// What the gradients that are wanted need of rows.
    pub(super) fn left(&self) -> Left {
        let (factors, wanted) = (self.layer.factors(), self.trainable);
        let has_rank = wanted.v || wanted.diagonal && factors.diagonal().is_some();
        Left { rank: if has_rank { factors.rank() } else { 0 }, bias: wanted.bias && factors.bias().is_some() }
    }

    /// The gradients of D, V and b where out = rows · diag(D)·V + weights · bᵀ, or what has the same gradients: of the
    /// transpose of the rows \[rank, n\] with the weights below it, and of `vectors` \[n, dim\].
    pub(super) fn shared(
        &self,
        left: Left,
        rows: ArrayView2<'_, f32>,
        vectors: ArrayView2<'_, f32>,
    ) -> FactorGradients {
        let (factors, wanted) = (self.layer.factors(), self.trainable);
        let mut products = Array2::zeros((left.len(), self.layer.dim()));
        add_product(self.layer.isa(), rows, vectors, &mut products.view_mut());

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
