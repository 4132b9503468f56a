//! The truncated SVD, by what it promises.
#![cfg(all(feature = "decompose", feature = "safetensors"))]

#[path = "../support/mod.rs"]
mod support;

mod checks;
mod glove;
mod plain;
mod rank;
mod tables;
mod weighted;
