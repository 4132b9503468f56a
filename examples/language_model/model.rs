//! The transformer between the table and itself.

use candle_core::{Device, Module, Result, Tensor};
use candle_nn::{Init, LayerNorm, VarBuilder};

use crate::{
    block::{Block, norm},
    plan::{CONTEXT, DIM, NUM_BLOCKS},
};

#[derive(Debug)]
pub(crate) struct Transformer {
    /// \[context, dim\]
    positions: Tensor,
    blocks: Vec<Block>,
    norm: LayerNorm,
    /// −∞ where a token would see those behind it \[context, context\].
    mask: Tensor,
}

impl Transformer {
    pub(crate) fn new(builder: &VarBuilder<'_>) -> Result<Self> {
        let future = |i| (0..CONTEXT).map(move |j| if j > i { f32::NEG_INFINITY } else { 0.0 });
        Ok(Self {
            positions: builder.get_with_hints((CONTEXT, DIM), "positions", Init::Const(0.0))?,
            blocks: (0..NUM_BLOCKS).map(|i| Block::new(&builder.pp("blocks").pp(i))).collect::<Result<_>>()?,
            norm: norm(builder.pp("norm"))?,
            mask: Tensor::from_iter((0..CONTEXT).flat_map(future), &Device::Cpu)?.reshape((CONTEXT, CONTEXT))?,
        })
    }

    /// The hidden states that predict the next tokens, of vectors of tokens: \[b, context, dim\] → \[b, context, dim\].
    pub(crate) fn forward(&self, vectors: &Tensor) -> Result<Tensor> {
        let mut x = vectors.broadcast_add(&self.positions)?;
        for block in &self.blocks {
            x = block.forward(&x, &self.mask)?;
        }
        self.norm.forward(&x)
    }
}
