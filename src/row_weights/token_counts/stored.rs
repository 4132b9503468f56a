//! Counts of tokens as they are stored, not checked yet.

use serde::Deserialize;

use super::check_size;
use crate::{Error, Result};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TokenCounts {
    counts: Vec<u64>,
}

impl TryFrom<TokenCounts> for super::TokenCounts {
    type Error = Error;

    fn try_from(stored: TokenCounts) -> Result<Self> {
        check_size(stored.counts.len())?;
        Ok(Self { counts: stored.counts })
    }
}
