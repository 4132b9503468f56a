//! From a table to its factors.

mod rank;
mod truncated_svd;

use std::fmt;

use ndarray::Array1;

pub use rank::Rank;
pub use truncated_svd::TruncatedSvd;

use crate::Factors;

/// Factors of a table, and what they lost.
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub struct Decomposition {
    /// The factors, of the chosen rank.
    pub factors: Factors,
    /// All singular values of the (weighted) table, never increasing: as many as the smaller of its sides.
    pub singular_values: Array1<f64>,
    /// ‖E − Ê‖ / ‖E‖, Frobenius norms, measured on the factors as they are stored.
    pub relative_error: f64,
    /// The same with every row weighted, where row weights were given.
    pub weighted_relative_error: Option<f64>,
}

impl fmt::Debug for Decomposition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { factors, singular_values, relative_error, weighted_relative_error } = self;
        let singular_values = singular_values.len();
        write!(f, "Decomposition({factors:?}, {singular_values} singular values, relative error {relative_error:.6}")?;
        if let Some(weighted) = weighted_relative_error {
            write!(f, ", weighted {weighted:.6}")?;
        }
        f.write_str(")")
    }
}
