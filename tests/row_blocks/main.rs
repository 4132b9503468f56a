//! Sources of row blocks: the same rows in the same order, however they are cut, sought and stored.

#[path = "../support/mod.rs"]
mod support;

mod contract;
mod memory;
#[cfg(feature = "npy")]
mod npy;
#[cfg(feature = "safetensors")]
mod safetensors;
