//! Training: gradients of the factors, sparse where the table is, and the optimizers that follow them.

mod backward;
mod cross_entropy;
mod factor_gradients;
#[cfg(feature = "decompose")]
mod gradient_covariance;
mod gradients;
mod max_norm;
mod occurrences;
mod optimizer;
mod row_gradient;
mod schedule;
mod trainable;
mod trainable_embedding;

pub use backward::Backward;
pub use cross_entropy::CrossEntropy;
pub use factor_gradients::FactorGradients;
#[cfg(feature = "decompose")]
pub use gradient_covariance::GradientCovariance;
#[cfg(feature = "candle")]
pub(crate) use gradients::clip_factor;
pub use gradients::{Gradients, clip_global_norm};
pub use max_norm::Renormalize;
pub use optimizer::{ArrayOptimizer, FactorOptimizer, Momentum, Optimizer, OptimizerState, PartRates, TableOptimizer};
pub use row_gradient::RowGradient;
pub use schedule::Schedule;
pub use trainable::Trainable;
pub use trainable_embedding::TrainableEmbedding;
