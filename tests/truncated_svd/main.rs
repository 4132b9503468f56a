//! The truncated SVD, by what it promises.

#[path = "../support/mod.rs"]
mod support;

mod checks;
mod glove;
mod plain;
mod rank;
mod tables;
mod weighted;
