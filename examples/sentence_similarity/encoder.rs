//! The encoder of BERT (Devlin et al. 2019), of candle's modules around a token table of this crate's.

use candle_core::{D, Module, Result, Tensor};
use candle_nn::{Activation, LayerNorm, Linear, VarBuilder, layer_norm, linear, ops::softmax_last_dim};
use factorized_embedding::Embedding;

use crate::config::Config;

/// Everything but the token table, which [`Encoder::forward`] is given.
#[derive(Debug)]
pub(crate) struct Encoder {
    /// \[positions, hidden\]: the position embeddings, and with each the embedding of the first type.
    positions: Tensor,
    norm: LayerNorm,
    layers: Vec<Layer>,
}

#[derive(Debug)]
struct Layer {
    attention: Attention,
    attention_norm: LayerNorm,
    intermediate: Linear,
    activation: Activation,
    output: Linear,
    output_norm: LayerNorm,
}

#[derive(Debug)]
struct Attention {
    query: Linear,
    key: Linear,
    value: Linear,
    output: Linear,
    num_heads: usize,
}

impl Encoder {
    pub(crate) fn new(config: &Config, builder: &VarBuilder<'_>) -> Result<Self> {
        let embeddings = builder.pp("embeddings");
        let hidden = config.hidden_size;
        let positions = embeddings.get((config.num_positions, hidden), "position_embeddings.weight")?;
        let types = embeddings.get((config.num_types, hidden), "token_type_embeddings.weight")?;
        let layers = builder.pp("encoder.layer");
        Ok(Self {
            positions: positions.broadcast_add(&types.get(0)?)?,
            norm: layer_norm(hidden, config.epsilon, embeddings.pp("LayerNorm"))?,
            layers: (0..config.num_layers).map(|i| Layer::new(config, &layers.pp(i))).collect::<Result<_>>()?,
        })
    }

    /// `ids` \[b, t\] of sentences of t tokens each → \[b, hidden\], the means of their hidden states.
    ///
    /// No sentence is padded, so that there is nothing to mask.
    pub(crate) fn forward(&self, table: &dyn Embedding, ids: &Tensor) -> Result<Tensor> {
        let positions = self.positions.narrow(0, 0, ids.dim(1)?)?;
        let vectors = table.forward(ids)?; // [b, t, hidden], looked up by this crate
        let mut x = vectors.broadcast_add(&positions)?.apply(&self.norm)?;
        for layer in &self.layers {
            x = layer.forward(&x)?;
        }
        x.mean(1)
    }
}

impl Layer {
    fn new(config: &Config, builder: &VarBuilder<'_>) -> Result<Self> {
        let (hidden, intermediate) = (config.hidden_size, config.intermediate_size);
        let norm = |name: &str| layer_norm(hidden, config.epsilon, builder.pp(name));
        Ok(Self {
            attention: Attention::new(config, &builder.pp("attention"))?,
            attention_norm: norm("attention.output.LayerNorm")?,
            intermediate: linear(hidden, intermediate, builder.pp("intermediate.dense"))?,
            activation: config.activation,
            output: linear(intermediate, hidden, builder.pp("output.dense"))?,
            output_norm: norm("output.LayerNorm")?,
        })
    }

    /// \[b, t, hidden\] → \[b, t, hidden\], normalised behind each part.
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let x = (x + self.attention.forward(x)?)?.apply(&self.attention_norm)?;
        let fed = x.apply(&self.intermediate)?.apply(&self.activation)?.apply(&self.output)?;
        (x + fed)?.apply(&self.output_norm)
    }
}

impl Attention {
    fn new(config: &Config, builder: &VarBuilder<'_>) -> Result<Self> {
        let projection = |name: &str| linear(config.hidden_size, config.hidden_size, builder.pp(name));
        Ok(Self {
            query: projection("self.query")?,
            key: projection("self.key")?,
            value: projection("self.value")?,
            output: projection("output.dense")?,
            num_heads: config.num_heads,
        })
    }

    /// Multi-head self-attention (Vaswani et al. 2017): \[b, t, hidden\] → \[b, t, hidden\]
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let [query, key, value] = [&self.query, &self.key, &self.value].map(|part| self.heads(&x.apply(part)?));
        let query = query?;
        let scale = (query.dim(D::Minus1)? as f64).powf(-0.5);
        let scores = (query * scale)?.matmul(&key?.t()?)?;
        let attended = softmax_last_dim(&scores)?.matmul(&value?)?;
        attended.transpose(1, 2)?.flatten_from(2)?.apply(&self.output)
    }

    /// \[b, t, hidden\] → \[b, heads, t, hidden / heads\]
    fn heads(&self, x: &Tensor) -> Result<Tensor> {
        let (b, t, hidden) = x.dims3()?;
        x.reshape((b, t, self.num_heads, hidden / self.num_heads))?.transpose(1, 2)?.contiguous()
    }
}
