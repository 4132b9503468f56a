//! Gradients of a dense table.

use ndarray::ArrayView2;

use super::{Backward, table::TableGradient};
use crate::{DenseEmbedding, Result, TokenId, train::RowGradient};

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
}
