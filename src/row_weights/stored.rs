//! Row weights as they are stored, not checked yet.

use serde::Deserialize;

use crate::{Error, Result};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RowWeights {
    counts: Vec<f64>,
    #[serde(default)]
    smoothing: f64,
    #[serde(default = "one")]
    exponent: f64,
}

fn one() -> f64 {
    1.0
}

impl TryFrom<RowWeights> for super::RowWeights {
    type Error = Error;

    fn try_from(stored: RowWeights) -> Result<Self> {
        Self::new(stored.counts)?.with_smoothing(stored.smoothing)?.with_exponent(stored.exponent)
    }
}
