//! Files.

#[cfg(feature = "safetensors")]
pub mod safetensors;
