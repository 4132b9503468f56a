//! What the loss of a tied head gives.

use std::fmt;

use ndarray::Array2;

/// The cross-entropy of a tied head, with its gradients `G` ([`FactorGradients`](super::FactorGradients) or
/// [`RowGradient`](super::RowGradient)).
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub struct CrossEntropy<G> {
    /// The mean of −ln softmax(logits)\[target\] over the targets that are not ignored; 0 if all are.
    pub loss: f64,
    /// ∂L/∂hidden \[n, dim\]: zero rows where targets are ignored.
    pub hidden: Array2<f32>,
    /// Of the layer's parameters.
    pub gradients: G,
}

impl<G: fmt::Debug> fmt::Debug for CrossEntropy<G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { loss, hidden, gradients } = self;
        write!(f, "CrossEntropy(loss {loss}, hidden {:?}, {gradients:?})", hidden.shape())
    }
}
