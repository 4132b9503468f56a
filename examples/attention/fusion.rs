//! Attention of tokens to tokens and to the states of another encoder.

use candle_core::{D, Module, Result, Tensor};
use candle_nn::{Embedding as Positions, Linear, VarBuilder, embedding, linear, ops::softmax_last_dim};
use factorized_embedding::FactorizedEmbedding;

/// Lookups, positions, and a joint attention whose keys and values are those of the tokens and of the states.
#[derive(Debug)]
pub(crate) struct Fusion {
    pub(crate) tokens: FactorizedEmbedding,
    pub(crate) positions: Positions,
    /// Queries, keys and values of tokens side by side: dim → 3 · dim.
    pub(crate) query_key_value: Linear,
    pub(crate) attention: Attention,
}

/// What comes behind queries, keys and values.
#[derive(Clone, Debug)]
pub(crate) struct Attention {
    /// Keys and values of states side by side: width of the states → 2 · dim.
    key_value: Linear,
    out: Linear,
    num_heads: usize,
}

impl Fusion {
    /// For at most `context` tokens, and states of another `width`.
    pub(crate) fn new(
        tokens: FactorizedEmbedding,
        [dim, num_heads, context, width]: [usize; 4],
        builder: &VarBuilder<'_>,
    ) -> Result<Self> {
        let attention = Attention {
            key_value: linear(width, 2 * dim, builder.pp("key_value"))?,
            out: linear(dim, dim, builder.pp("out"))?,
            num_heads,
        };
        Ok(Self {
            tokens,
            positions: embedding(context, dim, builder.pp("positions"))?,
            query_key_value: linear(dim, 3 * dim, builder.pp("query_key_value"))?,
            attention,
        })
    }

    /// `ids` \[t\], `states` \[s, width\] → \[t, dim\]
    pub(crate) fn forward(&self, ids: &Tensor, states: &Tensor) -> Result<Tensor> {
        let places = Tensor::arange(0, ids.dim(0)? as u32, ids.device())?;
        let vectors = (self.tokens.forward(ids)? + self.positions.forward(&places)?)?;
        self.attention.forward(&vectors.apply(&self.query_key_value)?, states)
    }
}

impl Attention {
    /// `projected` \[t, 3 · dim\] of tokens, `states` \[s, width\] → \[t, dim\]
    pub(crate) fn forward(&self, projected: &Tensor, states: &Tensor) -> Result<Tensor> {
        let projected = projected.chunk(3, D::Minus1)?;
        let of_states = states.apply(&self.key_value)?.chunk(2, D::Minus1)?;
        let query = self.heads(&projected[0])?;
        let key = self.heads(&Tensor::cat(&[&projected[1], &of_states[0]], 0)?)?;
        let value = self.heads(&Tensor::cat(&[&projected[2], &of_states[1]], 0)?)?;
        let scale = (query.dim(D::Minus1)? as f64).powf(-0.5);
        let attended = softmax_last_dim(&(query * scale)?.matmul(&key.t()?)?)?.matmul(&value)?;
        attended.transpose(0, 1)?.flatten_from(1)?.apply(&self.out)
    }

    /// \[n, dim\] → \[heads, n, dim / heads\]
    fn heads(&self, x: &Tensor) -> Result<Tensor> {
        let (n, dim) = x.dims2()?;
        x.reshape((n, self.num_heads, dim / self.num_heads))?.transpose(0, 1)?.contiguous()
    }
}
