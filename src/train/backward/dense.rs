//! Gradients of a dense table.

use ndarray::{Array1, ArrayView2, ArrayViewMut2};

use super::{
    Backward,
    bags::{check_weighted, weight_gradients},
    table::TableGradient,
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

    /// The gradient of bags: ∂L/∂E of the rows of all ids. That of a maximum goes to the row that holds it, column by column,
    /// to the first in the bag if there are several; the rows of the other ids are zero there.
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
}
