//! Factors and tables in safetensors files.
#![cfg(all(feature = "decompose", feature = "safetensors"))]

#[path = "../support/mod.rs"]
mod support;

mod blocks;
mod decomposed;
mod hostile_blocks;
mod hostile_factors;
mod hostile_headers;
mod hostile_quantized;
mod quantized;
mod quantized_reader;
mod round_trips;
mod saving;
mod sharded;
mod streaming;
mod tables;
