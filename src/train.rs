//! Training: gradients of the factors, sparse where the table is.

mod backward;
mod factor_gradients;
mod occurrences;
mod row_gradient;
mod trainable;
mod transpose;

pub use backward::Backward;
pub use factor_gradients::FactorGradients;
pub use row_gradient::RowGradient;
pub use trainable::Trainable;
