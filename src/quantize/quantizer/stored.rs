//! A quantizer as it is stored, not checked yet.

use serde::Deserialize;

use super::{Budget, Level, RotationChoice, RowScale, check_groups};
use crate::{Error, Result, RowWeights};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Quantizer {
    budget: Budget,
    row_weights: Option<RowWeights>,
    #[serde(default)]
    level: Level,
    num_groups: Option<usize>,
    #[serde(default)]
    row_scale: RowScale,
    #[serde(default)]
    rotation: RotationChoice,
    #[serde(default)]
    seed: u64,
}

impl TryFrom<Quantizer> for super::Quantizer {
    type Error = Error;

    fn try_from(stored: Quantizer) -> Result<Self> {
        let Quantizer { budget, row_weights, level, num_groups, row_scale, rotation, seed } = stored;
        budget.check()?;
        if let Some(num_groups) = num_groups {
            check_groups(num_groups)?;
        }
        Ok(Self { budget, row_weights, level, num_groups, row_scale, rotation, seed })
    }
}
