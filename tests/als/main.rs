//! Alternating least squares, by what it promises.
#![cfg(all(feature = "decompose", feature = "safetensors"))]

#[path = "../support/mod.rs"]
mod support;

mod checks;
mod glove;
mod losses;
mod missing;
mod observations;
mod planted;
mod refusals;
mod ridge;
mod starts;
#[cfg(feature = "rayon")]
mod threads;
mod whole;
