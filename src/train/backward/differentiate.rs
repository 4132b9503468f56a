//! What each kind of layer does in its own way.

use ndarray::{Array1, ArrayView2};

use super::{Backward, table::TableGradient};
use crate::{Bags, Embedding, Isa, Result, TokenId, train::CrossEntropy};

/// The parts of [`Backward`] that differ between layers, whose gradients are `G`.
///
/// Nobody else can name it: only the layers of this crate are trainable.
pub trait Differentiate<G>: Embedding + Sized {
    /// The instruction set that the layer computes with.
    fn isa(&self) -> Isa;

    /// From the gradients of rows of the table to those of what the rows are made of.
    fn of_rows(backward: &Backward<'_, Self>, table: TableGradient<'_>) -> Result<G>;

    /// Of weights \[n, `vocab_size`\] and vectors \[n, dim\] whose product with the table they are: see `weighted.rs`.
    fn of_product(
        backward: &Backward<'_, Self>,
        weights: ArrayView2<'_, f32>,
        vectors: ArrayView2<'_, f32>,
    ) -> Result<G>;

    /// See [`Backward::bag_weights_gradient`]; what it is asked for makes sense.
    fn of_bag_weights(
        backward: &Backward<'_, Self>,
        bags: &Bags<'_>,
        grad_out: ArrayView2<'_, f32>,
    ) -> Result<Array1<f32>>;

    /// See [`Backward::cross_entropy`].
    fn of_cross_entropy(
        backward: &Backward<'_, Self>,
        hidden: ArrayView2<'_, f32>,
        targets: &[TokenId],
        ignored: Option<TokenId>,
    ) -> Result<CrossEntropy<G>>;

    /// See [`Backward::cross_entropy_loss`].
    fn loss(
        backward: &Backward<'_, Self>,
        hidden: ArrayView2<'_, f32>,
        targets: &[TokenId],
        ignored: Option<TokenId>,
    ) -> Result<f64>;
}
