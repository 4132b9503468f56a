//! A schedule as it is stored, not checked yet.

use serde::Deserialize;

use super::Decay;
use crate::{Error, Result};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Schedule {
    learning_rate: f64,
    #[serde(default)]
    warm_up: u64,
    #[serde(default)]
    decay: Decay,
}

impl TryFrom<Schedule> for super::Schedule {
    type Error = Error;

    fn try_from(stored: Schedule) -> Result<Self> {
        let schedule = Self::constant(stored.learning_rate)?.with_warm_up(stored.warm_up);
        match stored.decay {
            Decay::None => Ok(schedule),
            Decay::Linear { end, last } => schedule.with_linear_decay(end, last),
            Decay::Cosine { end, last } => schedule.with_cosine_decay(end, last),
        }
    }
}
