//! Optimizers and what belongs to them.

#[path = "../support/mod.rs"]
mod support;

mod drawn;
#[cfg(feature = "decompose")]
mod eigenbasis;
#[cfg(feature = "safetensors")]
mod hostile;
mod layers;
mod norms;
mod rates;
#[cfg(feature = "decompose")]
mod recovery;
mod reference;
mod refusals;
mod rules;
mod schedules;
#[cfg(feature = "safetensors")]
mod states;
#[cfg(feature = "rayon")]
mod threads;
mod together;
#[cfg(feature = "decompose")]
mod upkeep;
