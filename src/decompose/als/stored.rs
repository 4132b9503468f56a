//! Alternating least squares as they are stored, not checked yet.

use serde::{Deserialize, Serializer, ser::Error as _};

use crate::{Error, Factors, Result, RowWeights};

/// What is not said is as [`AlternatingLeastSquares::new`](super::AlternatingLeastSquares::new) has it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AlternatingLeastSquares {
    rank: usize,
    ridge: Option<f64>,
    max_iterations: Option<usize>,
    tolerance: Option<f64>,
    seed: Option<u64>,
    row_weights: Option<RowWeights>,
}

impl TryFrom<AlternatingLeastSquares> for super::AlternatingLeastSquares {
    type Error = Error;

    fn try_from(stored: AlternatingLeastSquares) -> Result<Self> {
        let plain = Self::new(stored.rank);
        let method = Self {
            ridge: stored.ridge.unwrap_or(plain.ridge),
            max_iterations: stored.max_iterations.unwrap_or(plain.max_iterations),
            tolerance: stored.tolerance.unwrap_or(plain.tolerance),
            seed: stored.seed.unwrap_or(plain.seed),
            row_weights: stored.row_weights,
            ..plain
        };
        method.check_settings()?;
        Ok(method)
    }
}

/// Factors to begin with are no setting: they have files of their own.
pub(super) fn refuse<S: Serializer>(_: &Option<Factors>, _: S) -> std::result::Result<S::Ok, S::Error> {
    Err(S::Error::custom("a warm start is not written among settings: it belongs in a file of factors"))
}
