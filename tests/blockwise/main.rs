//! Block-wise low rank, by what it promises.
#![cfg(all(feature = "decompose", feature = "safetensors"))]

#[path = "../support/mod.rs"]
mod support;
#[path = "../spectral/tables.rs"]
mod tables;

mod budgets;
mod checks;
mod glove;
mod groups;
mod means;
mod one_group;
mod ranks;
mod refinement;
mod refusals;
