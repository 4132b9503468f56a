//! Training: gradients of the factors, sparse where the table is.

mod factor_gradients;
mod row_gradient;

pub use factor_gradients::FactorGradients;
pub use row_gradient::RowGradient;
