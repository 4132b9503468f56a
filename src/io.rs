//! Files.

pub mod safetensors;
