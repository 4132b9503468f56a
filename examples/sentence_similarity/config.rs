//! What `config.json` says of a BERT encoder.

use std::{fs, path::Path};

use candle_nn::Activation;
use serde_json::Value;

use crate::support::Result;

#[derive(Clone, Debug)]
pub(crate) struct Config {
    pub(crate) hidden_size: usize,
    pub(crate) num_layers: usize,
    pub(crate) num_heads: usize,
    pub(crate) intermediate_size: usize,
    pub(crate) num_positions: usize,
    pub(crate) num_types: usize,
    pub(crate) epsilon: f64,
    pub(crate) activation: Activation,
}

impl Config {
    /// Refuses what this encoder would compute otherwise than the model was trained.
    pub(crate) fn read(folder: &Path) -> Result<Self> {
        let path = folder.join("config.json");
        let said = json(&path)?;
        let shown = path.display();
        let text = |name: &str| said.get(name).and_then(Value::as_str);
        match text("model_type") {
            Some("bert") => {}
            Some(other) => return Err(format!("{shown} has model_type {other:?}, expected \"bert\"").into()),
            None => return Err(format!("{shown} has no model_type, expected \"bert\"").into()),
        }
        if let Some(other) = text("position_embedding_type").filter(|&kind| kind != "absolute") {
            return Err(format!("{shown} has position_embedding_type {other:?}, expected \"absolute\"").into());
        }
        let activation = match text("hidden_act").unwrap_or("gelu") {
            "gelu" => Activation::Gelu, // the exact one, by the error function
            "gelu_new" | "gelu_pytorch_tanh" => Activation::GeluPytorchTanh,
            "relu" => Activation::Relu,
            other => return Err(format!("{shown} has hidden_act {other:?}, expected gelu, gelu_new or relu").into()),
        };
        let number = |name: &str| -> Result<usize> {
            let number = said.get(name).and_then(Value::as_u64).and_then(|number| usize::try_from(number).ok());
            let positive = number.filter(|&number| number > 0);
            Ok(positive.ok_or_else(|| format!("{shown} does not say {name} as a whole number above 0"))?)
        };
        let config = Self {
            hidden_size: number("hidden_size")?,
            num_layers: number("num_hidden_layers")?,
            num_heads: number("num_attention_heads")?,
            intermediate_size: number("intermediate_size")?,
            num_positions: number("max_position_embeddings")?,
            num_types: number("type_vocab_size")?,
            epsilon: said.get("layer_norm_eps").and_then(Value::as_f64).unwrap_or(1e-12),
            activation,
        };
        let Self { hidden_size, num_heads, .. } = config;
        if !hidden_size.is_multiple_of(num_heads) {
            let problem = format!("hidden_size {hidden_size}, which {num_heads} attention heads do not divide");
            return Err(format!("{shown} has {problem}").into());
        }
        Ok(config)
    }
}

/// The content of a JSON file.
pub(crate) fn json(path: &Path) -> Result<Value> {
    let bytes = fs::read(path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
    Ok(serde_json::from_slice(&bytes).map_err(|error| format!("{} is not valid JSON: {error}", path.display()))?)
}
