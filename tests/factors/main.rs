//! Factors and what is made of them, vocabularies and row weights.
#![cfg(all(feature = "decompose", feature = "safetensors"))]

#[path = "../support/mod.rs"]
mod support;

mod balanced;
mod blocks;
mod blockwise;
mod folding;
mod growing;
mod halves;
mod hot_rows;
mod initialisation;
mod row_weights;
mod stored;
mod vocabulary;
