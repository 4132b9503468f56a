//! Learning rates of the factors beside each other.

use super::check_not_negative;
use crate::Result;

/// What the learning rate is multiplied with for each part of a factorized layer: 1 unless it is said otherwise.
///
/// Rules such as Adam change every number of a part by about the learning rate. A row of U belongs to one token; V and D
/// belong to all tokens, and a change of theirs moves all vectors at once. So V is best given a smaller rate than U. Different
/// rates for two factors are known from LoRA+ (Hayou, Ghosh & Yu 2024).
///
/// # Examples
///
/// ```
/// use factorized_embedding::train::{FactorOptimizer, Optimizer, PartRates};
///
/// # fn main() -> factorized_embedding::Result<()> {
/// let rates = PartRates { u: 2.0, v: 0.1, ..PartRates::default() };
/// let optimizer = FactorOptimizer::new(Optimizer::adam())?.with_part_rates(rates)?;
/// # assert_eq!(optimizer.part_rates(), rates);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
pub struct PartRates {
    /// For U.
    pub u: f64,
    /// For D.
    pub diagonal: f64,
    /// For V.
    pub v: f64,
    /// For b.
    pub bias: f64,
}

impl PartRates {
    /// # Errors
    /// [`InvalidSetting`](crate::Error::InvalidSetting).
    pub(super) fn check(self) -> Result<Self> {
        let Self { u, diagonal, v, bias } = self;
        [("rate of u", u), ("rate of diagonal", diagonal), ("rate of v", v), ("rate of bias", bias)]
            .into_iter()
            .try_for_each(|(name, rate)| check_not_negative(name, rate))?;
        Ok(self)
    }
}

impl Default for PartRates {
    fn default() -> Self {
        Self { u: 1.0, diagonal: 1.0, v: 1.0, bias: 1.0 }
    }
}
