//! The same attention without its first projections.

use candle_core::{Module, Result, Tensor};
use factorized_embedding::{FactorizedEmbedding, candle::to_array};

use crate::fusion::{Attention, Fusion};

/// Queries, keys and values come out of the lookup: (E + P)·W + c = (E·W + c) + P·W, of tokens E and positions P.
///
/// That holds where nothing stands between the lookup and the projection. Models that normalise the sum first (BERT, GPT-2)
/// cannot be folded; those that rotate queries and keys afterwards (`RoPE`) can.
#[derive(Debug)]
pub(crate) struct FoldedFusion {
    /// Rows of 3 · dim numbers, of the same rank.
    pub(crate) tokens: FactorizedEmbedding,
    /// \[context, 3 · dim\]
    positions: Tensor,
    attention: Attention,
}

impl FoldedFusion {
    pub(crate) fn new(fusion: &Fusion) -> Result<Self> {
        let Fusion { tokens, positions, query_key_value, attention } = fusion;
        let weight = query_key_value.weight().t()?;
        let bias = query_key_value.bias().map(Tensor::to_vec1::<f32>).transpose()?.map(ndarray::Array1::from);
        let tokens = tokens.then_linear(to_array(&weight)?.view(), bias.as_ref().map(|bias| bias.view()))?;
        let positions = positions.embeddings().matmul(&weight)?;
        Ok(Self { tokens, positions, attention: attention.clone() })
    }

    /// `ids` \[t\], `states` \[s, width\] → \[t, dim\]
    pub(crate) fn forward(&self, ids: &Tensor, states: &Tensor) -> Result<Tensor> {
        let projected = (self.tokens.forward(ids)? + self.positions.narrow(0, 0, ids.dim(0)?)?)?;
        self.attention.forward(&projected, states)
    }
}
