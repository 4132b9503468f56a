//! Models in the folders that Hugging Face libraries read and write: their tables as layers, and checkpoints with a table in
//! factors or codes.
//!
//! - [`Checkpoint::open`] opens a folder, an index or a file; [`Checkpoint::token_table`] finds the table and what gives logits.
//! - [`Checkpoint::embedding`] is a table as a layer, [mapped](crate::io::safetensors#memory-maps) and in the type that it has
//!   in the file. [`Checkpoint::albert_factors`], [`Checkpoint::patch_table`] and [`LoraEmbedding`] read what is kept in
//!   other ways.
//! - [`Checkpoint::save_with`] writes a checkpoint with another table, [`Checkpoint::restore`] one with a dense table again.
//!
#![doc = include_str!("../../docs/checkpoints.md")]

mod albert;
mod annotation;
mod checkpoint;
mod config;
mod job;
mod json;
mod lora;
mod names;
mod new_folder;
mod pieces;
mod replacement;
mod save;
mod stored;
mod tables;
mod token_table;

pub use checkpoint::Checkpoint;
pub use config::ModelConfig;
pub use lora::LoraEmbedding;
pub use names::Family;
pub use replacement::{Replacement, TableErrors};
pub use save::SavedTable;
pub use token_table::{OutputHead, TokenTable};
