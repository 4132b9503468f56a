//! What families of models call their tables.

use super::ModelConfig;

/// A family of models, by the name of its token table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Family {
    /// ALBERT: a narrow table, and a mapping to the width of hidden states.
    Albert,
    /// BERT, and what is named like it: RoBERTa, DistilBERT, sentence-transformers.
    Bert,
    /// GPT-2.
    Gpt2,
    /// LLaMA, and what is named like it: Mistral, Qwen, Gemma.
    Llama,
    /// model2vec, a table without a model.
    Model2Vec,
    /// T5.
    T5,
}

/// What sentence-transformers puts before the names of the model within.
const WRAPPED: &str = "0.auto_model.";

/// The names of token tables.
const TOKEN_TABLES: [(Family, &str); 11] = [
    (Family::Albert, "albert.embeddings.word_embeddings.weight"),
    (Family::Bert, "bert.embeddings.word_embeddings.weight"),
    (Family::Bert, "embeddings.word_embeddings.weight"),
    (Family::Bert, "roberta.embeddings.word_embeddings.weight"),
    (Family::Bert, "distilbert.embeddings.word_embeddings.weight"),
    (Family::Gpt2, "transformer.wte.weight"),
    (Family::Gpt2, "wte.weight"),
    (Family::Llama, "model.embed_tokens.weight"),
    (Family::Llama, "embed_tokens.weight"),
    (Family::Model2Vec, "embeddings"),
    (Family::T5, "shared.weight"),
];

/// The output heads that are tensors of their own.
pub(super) const OUTPUT_HEAD: &str = "lm_head.weight";

/// The patch projection of a vision transformer \[hidden, channels, p, p\], and its position embeddings \[1, n, hidden\].
pub(super) const PATCHES: [&str; 2] =
    ["vit.embeddings.patch_embeddings.projection.weight", "embeddings.patch_embeddings.projection.weight"];
pub(super) const POSITIONS: [&str; 2] = ["vit.embeddings.position_embeddings", "embeddings.position_embeddings"];

/// The table of ALBERT, and what maps it to hidden states, behind a prefix.
pub(super) const ALBERT_TABLE: &str = "embeddings.word_embeddings.weight";
const ALBERT_MAPPING: &str = "encoder.embedding_hidden_mapping_in";

/// The names of weight and bias of the mapping that belongs to a table of ALBERT.
pub(super) fn albert_mapping(table: &str) -> Option<[String; 2]> {
    let prefix = table.strip_suffix(ALBERT_TABLE)?;
    Some(["weight", "bias"].map(|part| format!("{prefix}{ALBERT_MAPPING}.{part}")))
}

/// The family whose token table has this name; `has` tells which other tensors there are.
pub(super) fn family_of(name: &str, has: impl Fn(&str) -> bool) -> Option<Family> {
    let bare = name.strip_prefix(WRAPPED).unwrap_or(name);
    let &(family, _) = TOKEN_TABLES.iter().find(|(_, known)| *known == bare)?;
    let is_albert = || albert_mapping(name).is_some_and(|[weight, _]| has(&weight));
    Some(if family == Family::Bert && is_albert() { Family::Albert } else { family })
}

impl Family {
    /// Whether models of the family have tied heads where `config.json` says nothing of it.
    pub(super) fn is_tied(self) -> bool {
        self != Self::Llama
    }

    /// How wide the table is to be, and the name of the setting that says so.
    pub(super) fn width(self, config: &ModelConfig) -> Option<(&'static str, usize)> {
        let narrow = config.embedding_size.map(|size| ("embedding_size", size));
        // The hidden states of ALBERT are wider than its table.
        let hidden = config.hidden_size.filter(|_| self != Self::Albert);
        narrow.or(hidden.map(|size| (config.hidden_size_name, size)))
    }
}
