//! A truncated SVD as it is stored, not checked yet.

use serde::Deserialize;

use super::{Objective, Rank, SvdRoute};
use crate::{ColumnCovariance, Error, MeanRemoval, Result, RowWeights};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TruncatedSvd {
    rank: Rank,
    #[serde(default)]
    route: SvdRoute,
    row_weights: Option<RowWeights>,
    column_covariance: Option<ColumnCovariance>,
    #[serde(default)]
    mean_removal: MeanRemoval,
}

impl TryFrom<TruncatedSvd> for super::TruncatedSvd {
    type Error = Error;

    fn try_from(stored: TruncatedSvd) -> Result<Self> {
        let TruncatedSvd { rank, route, row_weights, column_covariance, mean_removal } = stored;
        rank.check_setting()?;
        Ok(Self { rank, route, objective: Objective { row_weights, column_covariance, mean_removal } })
    }
}
