//! The bridge to candle: layers as modules, gradients that come through candle's autograd, against the same model on plain
//! variables of candle's.

#[path = "../support/mod.rs"]
mod support;

mod accumulation;
mod clipping;
mod modules;
mod operations;
mod plain;
mod refusals;
mod threads;
mod training;
mod variables;
