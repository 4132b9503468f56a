//! What is differentiated, the same for every layer.

use ndarray::{Array1, ArrayView2};

use super::{
    Backward,
    bags::check_weighted,
    table::TableGradient,
    weighted::{check_logits, check_soft_lookup},
};
use crate::{
    Bags, Result, TokenId,
    train::{CrossEntropy, TrainableEmbedding},
};

impl<L: TrainableEmbedding> Backward<'_, L> {
    /// The gradients of a lookup: those of repeated ids are sums.
    ///
    /// # Shapes
    /// `ids` \[n\], `grad_out` \[n, dim\] → k rows of U, or of the dense table, for the k different ids but padding; D, V
    /// and b whole
    ///
    /// # Errors
    /// [`IdOutOfRange`](crate::Error::IdOutOfRange), [`ShapeMismatch`](crate::Error::ShapeMismatch),
    /// [`NonFinite`](crate::Error::NonFinite), [`Overflow`](crate::Error::Overflow) for sums over repeated ids. Products with the
    /// factors are not looked at: where they leave the range of `f32`, optimizers refuse them.
    pub fn lookup(&self, ids: &[TokenId], grad_out: ArrayView2<'_, f32>) -> Result<L::Gradients> {
        L::of_rows(self, TableGradient::of_lookup(self.layer, self.layer.isa(), ids, grad_out)?)
    }

    /// The gradients of bags. That of a maximum goes to the row that holds it, column by column, to the first in the
    /// bag if there are several; the rows of a dense table's other ids are zero there.
    ///
    /// # Shapes
    /// `bags` of b bags, `grad_out` \[b, dim\] → k rows of U, or of the dense table, for the k different ids but padding;
    /// D, V and b whole
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
    pub fn bag(&self, bags: &Bags<'_>, grad_out: ArrayView2<'_, f32>) -> Result<L::Gradients> {
        L::of_rows(self, TableGradient::of_bag(self.layer, self.layer.isa(), bags, grad_out)?)
    }

    /// The gradient of the weights of bags: for each id ∂L/∂out of its bag times its row, 0 for padding. Those of a
    /// factorized layer meet in rank space.
    ///
    /// # Shapes
    /// `bags` of b bags and n ids, `grad_out` \[b, dim\] → \[n\]
    ///
    /// # Errors
    /// [`WeightsNeedSum`](crate::Error::WeightsNeedSum), and those of [`lookup`](Self::lookup).
    pub fn bag_weights_gradient(&self, bags: &Bags<'_>, grad_out: ArrayView2<'_, f32>) -> Result<Array1<f32>> {
        check_weighted(self.layer, bags, grad_out)?;
        L::of_bag_weights(self, bags, grad_out)
    }

    /// The gradients of a soft lookup; those of its weights are the [`logits`](crate::Embedding::logits) of `grad_out`.
    ///
    /// # Shapes
    /// `weights` \[n, `vocab_size`\], `grad_out` \[n, dim\] → the rows of U, or of the dense table, that have a weight
    /// other than 0; D, V and b whole
    ///
    /// # Errors
    /// [`ShapeMismatch`](crate::Error::ShapeMismatch), [`NonFinite`](crate::Error::NonFinite).
    pub fn soft_lookup(&self, weights: ArrayView2<'_, f32>, grad_out: ArrayView2<'_, f32>) -> Result<L::Gradients> {
        check_soft_lookup(self.layer, weights, grad_out)?;
        L::of_product(self, weights, grad_out)
    }

    /// The gradients of logits; those of the hidden states are the [`soft_lookup`](crate::Embedding::soft_lookup) of
    /// `grad_logits`.
    ///
    /// # Shapes
    /// `hidden` \[n, dim\], `grad_logits` \[n, `vocab_size`\] → the rows of U, or of the dense table, that have a gradient
    /// other than 0, nearly always all of them but padding; D, V and b whole
    ///
    /// # Errors
    /// [`ShapeMismatch`](crate::Error::ShapeMismatch), [`NonFinite`](crate::Error::NonFinite).
    pub fn logits(&self, hidden: ArrayView2<'_, f32>, grad_logits: ArrayView2<'_, f32>) -> Result<L::Gradients> {
        check_logits(self.layer, hidden, grad_logits)?;
        L::of_product(self, grad_logits, hidden)
    }

    /// The mean cross-entropy of the [`logits`](crate::Embedding::logits) of hidden states, and all gradients, at once:
    /// without the logits and their gradients, \[n, `vocab_size`\] numbers each, ever being there.
    ///
    /// Of the vocabulary a block is held at a time, whose logits take 1 MB, or 256 · n bytes if that is more. Beside it
    /// there are a copy of the hidden states, a few arrays \[n, rank\] (\[n, dim\] of a dense table), and the gradients:
    /// that of U or of the dense table is of all rows but padding (of none, if all targets are ignored). The logit of
    /// padding is 0, and counts as such.
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
    ) -> Result<CrossEntropy<L::Gradients>> {
        L::of_cross_entropy(self, hidden, targets, ignored)
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
        L::loss(self, hidden, targets, ignored)
    }
}
