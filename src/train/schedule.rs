//! Learning rates.

#[cfg(feature = "serde")]
mod stored;

use std::f64::consts::PI;

use crate::{Error, Result};

/// The learning rate of every step: it may warm up linearly, and then stays, or decays linearly or as half a cosine.
///
/// # Examples
///
/// ```
/// use factorized_embedding::train::Schedule;
///
/// # fn main() -> factorized_embedding::Result<()> {
/// let schedule = Schedule::constant(0.1)?.with_warm_up(4).with_cosine_decay(104, 0.01)?;
/// assert_eq!(schedule.learning_rate(0), 0.025);
/// assert_eq!(schedule.learning_rate(3), 0.1);
/// assert_eq!(schedule.learning_rate(1000), 0.01);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(try_from = "stored::Schedule"))]
pub struct Schedule {
    learning_rate: f64,
    warm_up: u64,
    decay: Decay,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case", deny_unknown_fields))]
enum Decay {
    #[default]
    None,
    Linear {
        end: u64,
        last: f64,
    },
    Cosine {
        end: u64,
        last: f64,
    },
}

impl Schedule {
    /// The same learning rate η in every step.
    ///
    /// # Errors
    /// [`InvalidSetting`](Error::InvalidSetting) when it is negative or not finite.
    pub fn constant(learning_rate: f64) -> Result<Self> {
        Ok(Self { learning_rate: checked("learning_rate", learning_rate)?, warm_up: 0, decay: Decay::None })
    }

    /// The same, but step i of the first `steps` has η·(i + 1) / `steps`: no step is made in vain, and the last of them is the
    /// first with η.
    #[must_use]
    pub fn with_warm_up(self, steps: u64) -> Self {
        Self { warm_up: steps, ..self }
    }

    /// The same, but from the end of the warm-up on the learning rate falls in a straight line, to `last` in step `end` and all
    /// that follow.
    ///
    /// # Errors
    /// [`InvalidSetting`](Error::InvalidSetting) when `last` is negative or not finite.
    pub fn with_linear_decay(self, end: u64, last: f64) -> Result<Self> {
        Ok(Self { decay: Decay::Linear { end, last: checked("last learning rate", last)? }, ..self })
    }

    /// The same, but from the end of the warm-up on the learning rate falls as half a cosine, to `last` in step `end` and all
    /// that follow (Loshchilov & Hutter 2017, "SGDR: Stochastic Gradient Descent with Warm Restarts", §3, without restarts).
    ///
    /// # Errors
    /// [`InvalidSetting`](Error::InvalidSetting) when `last` is negative or not finite.
    pub fn with_cosine_decay(self, end: u64, last: f64) -> Result<Self> {
        Ok(Self { decay: Decay::Cosine { end, last: checked("last learning rate", last)? }, ..self })
    }

    /// The learning rate of a step; the first one is step 0.
    #[must_use]
    pub fn learning_rate(&self, step: u64) -> f64 {
        let Self { learning_rate, warm_up, decay } = *self;
        if step < warm_up {
            return learning_rate * (step + 1) as f64 / warm_up as f64;
        }
        let (end, last) = match decay {
            Decay::None => return learning_rate,
            Decay::Linear { end, last } | Decay::Cosine { end, last } => (end, last),
        };
        if step >= end {
            return last;
        }
        let progress = (step - warm_up) as f64 / (end - warm_up) as f64;
        let remaining = match decay {
            Decay::Cosine { .. } => (1.0 + (PI * progress).cos()) / 2.0,
            _ => 1.0 - progress,
        };
        last + (learning_rate - last) * remaining
    }
}

fn checked(name: &'static str, value: f64) -> Result<f64> {
    if value.is_finite() && value >= 0.0 {
        return Ok(value);
    }
    Err(Error::InvalidSetting { name, value, expected: "a finite number that is not negative" })
}
