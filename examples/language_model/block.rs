//! A block of a transformer, normalised before each part (GPT-2), of candle's modules.

use candle_core::{D, Module, Result, Tensor};
use candle_nn::{LayerNorm, Linear, VarBuilder, layer_norm_no_bias, linear_no_bias};

use crate::plan::{DIM, FEED_FORWARD_DIM, NUM_HEADS};

const EPSILON: f64 = 1e-5;

/// A normalisation without bias: with one, candle takes an operation that has no gradient.
pub(crate) fn norm(builder: VarBuilder<'_>) -> Result<LayerNorm> {
    layer_norm_no_bias(DIM, EPSILON, builder)
}

#[derive(Debug)]
pub(crate) struct Block {
    attention_norm: LayerNorm,
    query_key_value: Linear,
    attention_out: Linear,
    feed_forward_norm: LayerNorm,
    feed_forward_in: Linear,
    feed_forward_out: Linear,
}

impl Block {
    pub(crate) fn new(builder: &VarBuilder<'_>) -> Result<Self> {
        Ok(Self {
            attention_norm: norm(builder.pp("attention_norm"))?,
            query_key_value: linear_no_bias(DIM, 3 * DIM, builder.pp("query_key_value"))?,
            attention_out: linear_no_bias(DIM, DIM, builder.pp("attention_out"))?,
            feed_forward_norm: norm(builder.pp("feed_forward_norm"))?,
            feed_forward_in: linear_no_bias(DIM, FEED_FORWARD_DIM, builder.pp("feed_forward_in"))?,
            feed_forward_out: linear_no_bias(FEED_FORWARD_DIM, DIM, builder.pp("feed_forward_out"))?,
        })
    }

    /// x \[b, t, dim\] → \[b, t, dim\], with `mask` \[t, t\] added to all scores.
    pub(crate) fn forward(&self, x: &Tensor, mask: &Tensor) -> Result<Tensor> {
        let x = (x + self.attend(&x.apply(&self.attention_norm)?, mask)?)?;
        let fed = x.apply(&self.feed_forward_norm)?.apply(&self.feed_forward_in)?.relu()?;
        &x + self.feed_forward_out.forward(&fed)?
    }

    /// Causal multi-head self-attention (Vaswani et al. 2017).
    fn attend(&self, x: &Tensor, mask: &Tensor) -> Result<Tensor> {
        let (b, t, dim) = x.dims3()?;
        let width = dim / NUM_HEADS;
        let heads = x.apply(&self.query_key_value)?.reshape((b, t, 3, NUM_HEADS, width))?.permute((2, 0, 3, 1, 4))?;
        let [query, key, value] = [0, 1, 2].map(|part| heads.get(part).and_then(|heads| heads.contiguous()));
        let scores = (query? * (width as f64).powf(-0.5))?.matmul(&key?.t()?)?.broadcast_add(mask)?;
        let attended = softmax(&scores)?.matmul(&value?)?;
        attended.transpose(1, 2)?.reshape((b, t, dim))?.apply(&self.attention_out)
    }
}

/// Over the last dimension. The maximum, which cancels out, has no gradient here; candle's own softmax makes one.
fn softmax(scores: &Tensor) -> Result<Tensor> {
    let exponentials = scores.broadcast_sub(&scores.detach().max_keepdim(D::Minus1)?)?.exp()?;
    exponentials.broadcast_div(&exponentials.sum_keepdim(D::Minus1)?)
}
