//! The `compress` example as its users meet it: the program is run, and its files and messages are looked at.
#![cfg(all(feature = "decompose", feature = "safetensors", feature = "word-vectors"))]

mod blocks;
mod files;
mod frequencies;
mod methods;
mod plots;
mod quantized;
mod refusals;
mod sharded;
mod sizes;
mod state;
#[path = "../support/mod.rs"]
mod support;
