//! A block of a transformer, normalised before each part (GPT-2), of candle's modules.

use std::cell::RefCell;

use candle_core::{D, Device, Module, Result, Tensor};
use candle_nn::{LayerNorm, Linear, VarBuilder, layer_norm_no_bias, linear_no_bias};
use rand::{Rng, rngs::ChaCha8Rng};

use crate::plan::{DIM, NUM_HEADS};

const EPSILON: f64 = 1e-5;

/// Dropout (Srivastava et al. 2014) by a generator of its own.
#[derive(Debug)]
pub(crate) struct Dropout {
    rate: f32,
    rng: RefCell<ChaCha8Rng>,
}

impl Dropout {
    pub(crate) fn new(rate: f32, rng: ChaCha8Rng) -> Self {
        Self { rate, rng: RefCell::new(rng) }
    }

    pub(crate) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        if self.rate == 0.0 {
            return Ok(x.clone());
        }
        let mut random = vec![0; x.elem_count()];
        self.rng.borrow_mut().fill_bytes(&mut random);
        let threshold = (self.rate * 256.0).round() as u8;
        let kept = 256.0 / (256.0 - f32::from(threshold));
        let mask = random.into_iter().map(|byte| if byte < threshold { 0.0 } else { kept });
        x * Tensor::from_iter(mask, &Device::Cpu)?.reshape(x.shape())?
    }
}

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
            feed_forward_in: linear_no_bias(DIM, 4 * DIM, builder.pp("feed_forward_in"))?,
            feed_forward_out: linear_no_bias(4 * DIM, DIM, builder.pp("feed_forward_out"))?,
        })
    }

    /// x \[b, t, dim\] → \[b, t, dim\], with `mask` \[t, t\] added to all scores.
    pub(crate) fn forward(&self, x: &Tensor, mask: &Tensor, dropout: Option<&Dropout>) -> Result<Tensor> {
        let dropped = |x: Tensor| dropout.map_or(Ok(x.clone()), |dropout| dropout.forward(&x));
        let x = (x + dropped(self.attend(&x.apply(&self.attention_norm)?, mask)?)?)?;
        let fed = x.apply(&self.feed_forward_norm)?.apply(&self.feed_forward_in)?.relu()?;
        &x + dropped(self.feed_forward_out.forward(&fed)?)?
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
