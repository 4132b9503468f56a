//! The cross-entropy of a layer that is its model's head, too.

use ndarray::{Array1, Array2, ArrayView1, ArrayView2, Axis, aview1, concatenate, s};

use super::{
    Backward,
    head::{Counted, Head},
    left::Left,
    weighted::{add_product, multiply, row_gradient},
};
use crate::{
    DenseEmbedding, Embedding, FactorizedEmbedding, Result, TokenId,
    train::{CrossEntropy, FactorGradients, RowGradient, transpose::transpose_into},
};

impl Backward<'_, FactorizedEmbedding> {
    /// The mean cross-entropy of the [`logits`](Embedding::logits) of hidden states, and all gradients, at once:
    /// without the logits and their gradients, \[n, `vocab_size`\] numbers each, ever being there.
    ///
    /// Of the vocabulary a block is held at a time, whose logits take 1 MB, or 256 · n bytes if that is more. Beside it
    /// there are a copy of the hidden states, a few arrays \[n, rank\], and the gradients: that of U is of all rows but
    /// padding (of none, if all targets are ignored). The logit of padding is 0, and counts as such.
    ///
    /// # Shapes
    /// `hidden` \[n, dim\], `targets` \[n\]; those that are `ignored`, which need not be an id of the vocabulary, count
    /// for nothing
    ///
    /// # Errors
    /// [`ShapeMismatch`](crate::Error::ShapeMismatch), [`IdOutOfRange`](crate::Error::IdOutOfRange),
    /// [`NonFinite`](crate::Error::NonFinite) for hidden states, [`Overflow`](crate::Error::Overflow).
    ///
    /// # Examples
    ///
    /// ```
    /// use factorized_embedding::{FactorizedEmbedding, Factors, train::Backward};
    /// use ndarray::array;
    ///
    /// # fn main() -> factorized_embedding::Result<()> {
    /// let embedding = FactorizedEmbedding::new(Factors::new(array![[1.0], [1.0], [1.0]], array![[3.0, 4.0]])?);
    /// let hidden = array![[0.5, 0.0], [0.0, 1.0]];
    /// let result = Backward::new(&embedding).cross_entropy(hidden.view(), &[2, 0], None)?;
    /// assert!((result.loss - 3.0_f64.ln()).abs() < 1e-6); // three equal rows are equally likely
    /// # Ok(())
    /// # }
    /// ```
    pub fn cross_entropy(
        &self,
        hidden: ArrayView2<'_, f32>,
        targets: &[TokenId],
        ignored: Option<TokenId>,
    ) -> Result<CrossEntropy<FactorGradients>> {
        let counted = Counted::new(self.layer, hidden, targets, ignored)?;
        let (isa, rank, factors) = (self.layer.isa(), self.layer.rank(), self.layer.factors());
        let queries = self.to_rank_space(counted.hidden.view());
        let head = self.head(&counted, queries.view());
        let softmax = head.softmax()?;

        let left = Left { rank, bias: false };
        let has_bias = factors.bias().is_some();
        let mut u = self.trainable.u.then(|| Array2::zeros((head.ids.len(), rank)));
        // W · U transposed, for the gradients W of the logits, and below it their sums, which are the weights of the
        // bias.
        let mut pooled = Array2::zeros((rank + usize::from(has_bias), queries.nrows()));
        head.gradients(&softmax, |block, rows, of_logits| {
            if let Some(u) = &mut u {
                multiply(isa, of_logits, queries.view(), &mut u.slice_mut(s![block, ..]));
            }
            add_product(isa, left.of(rows.view()).view(), of_logits, &mut pooled.slice_mut(s![..rank, ..]));
        })?;
        if has_bias {
            pooled.row_mut(rank).assign(&aview1(&head.sums(&softmax)));
        }

        let mut of_hidden = Array2::zeros(counted.hidden.dim());
        let projection = factors.projection();
        let with_bias =
            factors.bias().and_then(|bias| concatenate(Axis(0), &[projection.view(), bias.insert_axis(Axis(0))]).ok());
        let mut pooled_rows = Array2::zeros((queries.nrows(), pooled.nrows()));
        transpose_into(pooled.view(), pooled_rows.view_mut());
        multiply(isa, pooled_rows.view(), with_bias.unwrap_or(projection).view(), &mut of_hidden.view_mut());

        let wanted = self.left();
        let rows = if wanted.rank > 0 { 0 } else { rank }..if wanted.bias { rank + 1 } else { rank };
        let shared = self.shared(wanted, pooled.slice(s![rows, ..]), counted.hidden.view());
        let u = u.map(|u| row_gradient(head.ids, u, self.layer.vocab_size())).transpose()?;
        let hidden = counted.spread(of_hidden, targets.len());
        Ok(CrossEntropy { loss: softmax.loss, hidden, gradients: FactorGradients { u, ..shared } })
    }

    /// The mean cross-entropy alone, as for validation: in one pass over the vocabulary.
    ///
    /// # Shapes
    /// Those of [`cross_entropy`](Self::cross_entropy).
    ///
    /// # Errors
    /// The same.
    pub fn cross_entropy_loss(
        &self,
        hidden: ArrayView2<'_, f32>,
        targets: &[TokenId],
        ignored: Option<TokenId>,
    ) -> Result<f64> {
        let counted = Counted::new(self.layer, hidden, targets, ignored)?;
        let queries = self.to_rank_space(counted.hidden.view());
        Ok(self.head(&counted, queries.view()).softmax()?.loss)
    }

    fn head(
        &self,
        counted: &Counted,
        queries: ArrayView2<'_, f32>,
    ) -> Head<impl Fn(&[TokenId]) -> Result<Array2<f32>>> {
        let of_hidden =
            |bias: ArrayView1<'_, f32>| counted.hidden.rows().into_iter().map(|row| row.dot(&bias)).collect();
        let constants: Option<Array1<f32>> = self.layer.factors().bias().map(of_hidden);
        let rows = |ids: &[TokenId]| self.layer.lookup_rank(ids);
        let constants = constants.as_ref().map(|constants| constants.view());
        Head::new(self.layer, self.layer.isa(), counted, (queries, constants), rows)
    }
}

impl Backward<'_, DenseEmbedding<'_>> {
    /// The mean cross-entropy of the [`logits`](Embedding::logits) of hidden states, and all gradients, at once:
    /// without the logits and their gradients, \[n, `vocab_size`\] numbers each, ever being there.
    ///
    /// # Shapes
    /// `hidden` \[n, dim\], `targets` \[n\]; those that are `ignored`, which need not be an id of the vocabulary, count
    /// for nothing
    ///
    /// # Errors
    /// [`ShapeMismatch`](crate::Error::ShapeMismatch), [`IdOutOfRange`](crate::Error::IdOutOfRange),
    /// [`NonFinite`](crate::Error::NonFinite) for hidden states, [`Overflow`](crate::Error::Overflow).
    pub fn cross_entropy(
        &self,
        hidden: ArrayView2<'_, f32>,
        targets: &[TokenId],
        ignored: Option<TokenId>,
    ) -> Result<CrossEntropy<RowGradient>> {
        let counted = Counted::new(self.layer, hidden, targets, ignored)?;
        let (isa, dim) = (self.layer.isa(), self.layer.dim());
        let head = self.head(&counted);
        let softmax = head.softmax()?;
        let left = Left { rank: dim, bias: false };
        let mut gradient = Array2::zeros((head.ids.len(), dim));
        let mut pooled = Array2::zeros((dim, counted.hidden.nrows()));
        head.gradients(&softmax, |block, rows, of_logits| {
            multiply(isa, of_logits, counted.hidden.view(), &mut gradient.slice_mut(s![block, ..]));
            add_product(isa, left.of(rows.view()).view(), of_logits, &mut pooled.view_mut());
        })?;
        let mut of_hidden = Array2::zeros(counted.hidden.dim());
        transpose_into(pooled.view(), of_hidden.view_mut());
        let gradients = row_gradient(head.ids, gradient, self.layer.vocab_size())?;
        Ok(CrossEntropy { loss: softmax.loss, hidden: counted.spread(of_hidden, targets.len()), gradients })
    }

    /// The mean cross-entropy alone, as for validation: in one pass over the vocabulary.
    ///
    /// # Shapes
    /// Those of [`cross_entropy`](Self::cross_entropy).
    ///
    /// # Errors
    /// The same.
    pub fn cross_entropy_loss(
        &self,
        hidden: ArrayView2<'_, f32>,
        targets: &[TokenId],
        ignored: Option<TokenId>,
    ) -> Result<f64> {
        let counted = Counted::new(self.layer, hidden, targets, ignored)?;
        Ok(self.head(&counted).softmax()?.loss)
    }

    fn head(&self, counted: &Counted) -> Head<impl Fn(&[TokenId]) -> Result<Array2<f32>>> {
        let rows = |ids: &[TokenId]| self.layer.lookup(ids);
        Head::new(self.layer, self.layer.isa(), counted, (counted.hidden.view(), None), rows)
    }
}
