//! What a quantized table takes and what it lost.

use std::fmt;

use super::table::Energy;
use crate::{QuantizedFactors, quantize::PartBytes};

/// How a table was quantized.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct QuantizationReport {
    /// The bytes of each part.
    pub part_bytes: PartBytes,
    /// ‖E − Ê‖ / ‖E‖, Frobenius norms, measured on what comes back.
    pub relative_error: f64,
    /// The same with the squared norm of each row weighted; the same number where there are no row weights.
    pub weighted_relative_error: f64,
    /// The relative error that was to be expected.
    pub predicted_relative_error: f64,
    /// The weighted relative error that was to be expected.
    pub predicted_weighted_relative_error: f64,
}

impl QuantizationReport {
    pub(super) fn new(factors: &QuantizedFactors, predicted: Energy, achieved: Energy) -> Self {
        Self {
            part_bytes: factors.part_bytes(),
            relative_error: achieved.plain,
            weighted_relative_error: achieved.weighted,
            predicted_relative_error: predicted.plain,
            predicted_weighted_relative_error: predicted.weighted,
        }
    }
}

impl fmt::Display for QuantizationReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "relative error {:.6}", self.relative_error)
    }
}
