//! The `sentence_similarity` example: the parts that need no model, and the program as its users meet it.

#[path = "../../examples/sentence_similarity/csv.rs"]
mod csv;
mod parts;
#[cfg(all(feature = "candle", feature = "decompose", feature = "safetensors", feature = "tokenizers"))]
mod program;
#[path = "../../examples/sentence_similarity/spearman.rs"]
mod spearman;
#[cfg(all(feature = "candle", feature = "decompose", feature = "safetensors", feature = "tokenizers"))]
#[path = "../support/mod.rs"]
mod support;
