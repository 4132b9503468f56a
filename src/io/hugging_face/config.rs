//! What `config.json` says of a model.

use std::path::Path;

use super::json::Members;
use crate::{Error, Result};

pub(super) const FORMAT: &str = "model configuration";
/// What they are called beside a model.
pub(super) const CONFIG: &str = "config.json";

/// The widths of hidden states, under the names that families give them.
const HIDDEN_SIZES: [&str; 3] = ["hidden_size", "n_embd", "d_model"];

/// The part of `config.json` that says something of the token table. What a model does not say is `None`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ModelConfig {
    /// The family of the model, such as "bert".
    pub model_type: Option<String>,
    /// Rows of the token table.
    pub vocab_size: Option<usize>,
    /// Numbers of a hidden state: `hidden_size`, `n_embd` (GPT-2) or `d_model` (T5), the first that is there.
    pub hidden_size: Option<usize>,
    /// Columns of the token table where they are not those of hidden states, as in ALBERT.
    pub embedding_size: Option<usize>,
    /// Whether the output head is the token table.
    pub tie_word_embeddings: Option<bool>,
    /// Which of its names `hidden_size` has.
    pub(super) hidden_size_name: &'static str,
}

impl ModelConfig {
    /// # Errors
    /// [`InvalidFile`](Error::InvalidFile) for values of other types.
    pub(super) fn new(path: &Path, members: &Members) -> Result<Self> {
        let read = || {
            let number = |name| members.value::<usize>(name, "a whole number");
            let mut config = Self {
                model_type: members.value("model_type", "a string")?,
                vocab_size: number("vocab_size")?,
                embedding_size: number("embedding_size")?,
                tie_word_embeddings: members.value("tie_word_embeddings", "true or false")?,
                ..Self::default()
            };
            for name in HIDDEN_SIZES {
                if config.hidden_size.is_none() {
                    (config.hidden_size, config.hidden_size_name) = (number(name)?, name);
                }
            }
            Ok(config)
        };
        read().map_err(|reason| Error::InvalidFile { path: path.to_owned(), format: FORMAT, reason })
    }
}
