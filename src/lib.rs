//! wip

#[cfg(feature = "decompose")]
mod decompose;
mod embedding;
mod error;
pub mod evaluate;
mod factors;
pub mod io;
mod kernel;
mod layers;
#[cfg(feature = "decompose")]
mod linalg;
#[cfg(feature = "safetensors")]
mod memory;
mod reconstruction;
mod row_weights;
mod rows;
mod vocabulary;

#[cfg(feature = "decompose")]
pub use decompose::{Decomposition, Rank, TruncatedSvd};
pub use embedding::{Bags, Embedding, EmbeddingExt, Pooling, TokenId, TopK, token_ids};
pub use error::{Error, Result};
pub use factors::{Factors, Shape};
pub use layers::{DenseEmbedding, FactorizedEmbedding};
pub use row_weights::RowWeights;
pub use rows::Dtype;
pub use vocabulary::Vocabulary;
