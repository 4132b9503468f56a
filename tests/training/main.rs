//! Optimizers and what belongs to them.

#[path = "../support/mod.rs"]
mod support;

mod drawn;
mod layers;
mod reference;
mod refusals;
mod rules;
#[cfg(feature = "rayon")]
mod threads;
