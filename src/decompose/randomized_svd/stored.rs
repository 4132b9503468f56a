//! A randomized SVD as it is stored, not checked yet.

use serde::Deserialize;

use super::{Objective, Products, Rank};
use crate::{ColumnCovariance, Error, MeanRemoval, Result, RowWeights};

/// What is not said of the numbers is as [`RandomizedSvd::new`](super::RandomizedSvd::new) has it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RandomizedSvd {
    rank: Rank,
    oversampling: Option<usize>,
    power_iterations: Option<usize>,
    block: Option<usize>,
    products: Option<Products>,
    #[serde(default)]
    seed: u64,
    row_weights: Option<RowWeights>,
    column_covariance: Option<ColumnCovariance>,
    #[serde(default)]
    mean_removal: MeanRemoval,
}

impl TryFrom<RandomizedSvd> for super::RandomizedSvd {
    type Error = Error;

    fn try_from(stored: RandomizedSvd) -> Result<Self> {
        stored.rank.check_setting()?;
        let RandomizedSvd { rank, products, seed, row_weights, column_covariance, mean_removal, .. } = stored;
        let plain = Self::new(rank);
        let method = Self {
            oversampling: stored.oversampling.unwrap_or(plain.oversampling),
            power_iterations: stored.power_iterations.unwrap_or(plain.power_iterations),
            products,
            seed,
            objective: Objective { row_weights, column_covariance, mean_removal },
            ..plain
        };
        Ok(match stored.block {
            Some(block) => method.with_block(block),
            None => method,
        })
    }
}
