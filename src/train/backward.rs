//! The backward pass of the layers.

mod bags;
mod cross_entropy;
mod dense;
mod differentiate;
mod factorized;
mod head;
mod left;
mod operations;
mod row_parts;
mod table;
mod weighted;

pub(super) use differentiate::Differentiate;

use super::Trainable;

/// Gradients of a layer's parameters, from the gradients of what the layer gave: ∂L/∂parameters from ∂L/∂out.
///
/// Gradients of rows are sparse. Those of repeated ids are summed before anything is multiplied: with the sums
/// G \[k, dim\] of ∂L/∂out over the k ids that occur, and their rows A of U,
///
/// ```text
/// ∂U = G · (diag(D)·V)ᵀ        M = Aᵀ · G        ∂V = diag(D) · M        ∂D[r] = Σⱼ V[r, j] · M[r, j]        ∂b = Σ G
/// ```
///
/// so that memory and time go with the batch, whatever the vocabulary. A padding id has no gradient at all: what stands
/// in ∂L/∂out where its rows were looked up goes nowhere. Numbers are computed in `f32`, the same to the bit for every
/// number of threads; what stays on one thread is looking for the maxima of bags, and the gradients of weights.
///
/// A layer whose U is stored narrow has the gradients of the numbers that it stands for. That is what its other parts
/// are trained with, while U is frozen.
///
/// What else a layer reads has its gradient from the layer itself: the hidden states of
/// [`logits`](crate::Embedding::logits) from [`soft_lookup`](crate::Embedding::soft_lookup) of ∂L/∂logits, the weights
/// of a soft lookup from `logits` of ∂L/∂out.
///
/// It borrows the layer: make one for each step, or for the micro-batches of a step.
///
/// # Examples
///
/// ```
/// use factorized_embedding::{Embedding, FactorizedEmbedding, Factors, train::Backward};
/// use ndarray::{Array2, array};
///
/// # fn main() -> factorized_embedding::Result<()> {
/// let factors = Factors::new(array![[1.0], [2.0], [5.0]], array![[3.0, 4.0]])?;
/// let embedding = FactorizedEmbedding::new(factors);
/// let vectors = embedding.lookup(&[2, 0, 2])?;
/// let grad_out = Array2::ones(vectors.dim()); // of L = the sum of all numbers
/// let gradients = Backward::new(&embedding).lookup(&[2, 0, 2], grad_out.view())?;
/// let u = gradients.u.expect("U is not frozen");
/// assert_eq!(u.ids(), Some(&[0, 2][..]));
/// assert_eq!(u.values(), array![[7.0], [14.0]]);
/// assert_eq!(gradients.v, Some(array![[11.0, 11.0]]));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Backward<'a, L> {
    layer: &'a L,
    trainable: Trainable,
    scale_grad_by_freq: bool,
}

impl<'a, L> Backward<'a, L> {
    /// Of all parameters of a layer.
    #[must_use]
    pub fn new(layer: &'a L) -> Self {
        Self { layer, trainable: Trainable::default(), scale_grad_by_freq: false }
    }

    /// With its settings as they are given.
    #[cfg(feature = "candle")]
    pub(crate) fn with_settings(layer: &'a L, trainable: Trainable, scale_grad_by_freq: bool) -> Self {
        Self { trainable, scale_grad_by_freq, ..Self::new(layer) }
    }

    /// Divides the gradient of each token's row by how often the id occurs in the batch, padding not counted: PyTorch's
    /// option of the same name. Lookups and bags do; D, V and b, which all tokens share, have the gradient that they
    /// have.
    #[must_use]
    pub fn scale_grad_by_freq(self) -> Self {
        Self { scale_grad_by_freq: true, ..self }
    }
}
