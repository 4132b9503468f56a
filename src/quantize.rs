//! Tables in codes of few bits, as many for each direction of each group of rows as it deserves.

#[cfg(feature = "decompose")]
mod build;
#[cfg(feature = "decompose")]
mod directions;
#[cfg(feature = "decompose")]
mod distortion;
#[cfg(feature = "decompose")]
mod encode;
#[cfg(feature = "decompose")]
mod finish;
#[cfg(feature = "decompose")]
mod plan;
#[cfg(feature = "decompose")]
mod quantizer;
#[cfg(feature = "decompose")]
mod report;
#[cfg(feature = "decompose")]
mod rotations;
#[cfg(feature = "decompose")]
mod row_scales;
#[cfg(feature = "decompose")]
mod search;
#[cfg(feature = "decompose")]
mod settings;
#[cfg(feature = "decompose")]
mod spread;
#[cfg(feature = "decompose")]
mod strata;
#[cfg(feature = "decompose")]
mod table;
#[cfg(feature = "decompose")]
mod trellis;
#[cfg(feature = "decompose")]
mod water_filling;

#[cfg(feature = "decompose")]
pub use quantizer::{Quantization, Quantizer};
#[cfg(feature = "decompose")]
pub use report::{Advice, GroupReport, QuantizationReport};
#[cfg(feature = "decompose")]
pub use settings::{Budget, RotationChoice, RowScale};
#[cfg(feature = "decompose")]
pub use water_filling::{BitAllocation, WaterFilling};

pub use crate::factors::{Level, PartBytes};
