//! Training: gradients of the factors, sparse where the table is.

mod backward;
mod cross_entropy;
mod factor_gradients;
mod gradients;
mod occurrences;
mod row_gradient;
mod trainable;
mod transpose;

pub use backward::Backward;
pub use cross_entropy::CrossEntropy;
pub use factor_gradients::FactorGradients;
pub use gradients::{Gradients, clip_global_norm};
pub use row_gradient::RowGradient;
pub use trainable::Trainable;
