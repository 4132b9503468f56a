//! Gradients of lookups, bags, soft lookups and logits: against central differences, against the gradient of the whole
//! table, and what they are made of.

#[path = "../support/mod.rs"]
mod support;

mod bags;
mod chain;
mod check;
mod cross_entropy;
mod lookups;
mod operation;
mod parts;
mod products;
mod reference;
mod sums;
mod threads;
