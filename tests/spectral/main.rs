//! Singular value decompositions of all kinds, by what they promise.
#![cfg(all(feature = "decompose", feature = "safetensors"))]

#[path = "../support/mod.rs"]
mod support;

mod checks;
mod covariance;
mod glove;
mod gram;
mod mean;
mod plain;
mod randomized;
mod rank;
mod rank_rules;
mod routes;
mod tables;
mod weighted;
