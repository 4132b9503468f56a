//! Quantized tables, by what a quantizer promises.
#![cfg(feature = "decompose")]

#[path = "../support/mod.rs"]
mod support;

mod allocation;
mod budgets;
mod degenerate;
mod errors;
mod gaussian;
mod reports;
mod same;
mod tables;
