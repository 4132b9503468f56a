//! Checkpoints in folders as Hugging Face libraries write them.
#![cfg(all(feature = "decompose", feature = "safetensors"))]

mod albert;
mod config;
mod families;
mod hostile;
mod lora;
mod model;
mod restoring;
mod saving;
#[path = "../support/mod.rs"]
mod support;
mod tables;
