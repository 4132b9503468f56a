//! What can be asked of a quantizer.

use crate::{Error, QuantizedFactors, Result};

/// How much a quantized table may take, or how much it may lose.
///
/// Bytes are those of its whole file, for whose header [`max_header_bytes`](QuantizedFactors::max_header_bytes) are set aside.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case", deny_unknown_fields))]
#[non_exhaustive]
pub enum Budget {
    /// At most so many bytes.
    Bytes(usize),
    /// So many bits for each number of the table, everything counted.
    BitsPerWeight(f64),
    /// As many times fewer bytes than the table takes in `f32`.
    Ratio(f64),
    /// The fewest bytes whose relative error is at most this, above 0 and below 1: the weighted one where there are row weights.
    RelativeError(f64),
}

impl Budget {
    /// # Errors
    /// [`InvalidSetting`](Error::InvalidSetting).
    pub(super) fn check(self) -> Result<()> {
        let positive = |name, value: f64| {
            if value.is_finite() && value > 0.0 {
                return Ok(());
            }
            Err(Error::InvalidSetting { name, value, expected: "a finite number above 0" })
        };
        match self {
            Self::Bytes(_) => Ok(()),
            Self::BitsPerWeight(bits) => positive("bits per weight", bits),
            Self::Ratio(ratio) => positive("ratio", ratio),
            Self::RelativeError(error) if error > 0.0 && error < 1.0 => Ok(()),
            Self::RelativeError(value) => {
                Err(Error::InvalidSetting { name: "relative error", value, expected: "a number above 0 and below 1" })
            }
        }
    }

    /// The bytes that the file of a table may take, where the budget says so.
    pub(super) fn bytes(self, vocab_size: usize, dim: usize) -> Option<usize> {
        let weights = vocab_size as f64 * dim as f64;
        match self {
            Self::Bytes(bytes) => Some(bytes),
            Self::BitsPerWeight(bits) => Some((weights * bits / 8.0) as usize),
            Self::Ratio(ratio) => Some((4.0 * weights / ratio) as usize),
            Self::RelativeError(_) => None,
        }
    }
}

/// Whether each row has a scale of its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case", deny_unknown_fields))]
#[non_exhaustive]
pub enum RowScale {
    /// Where there are more than 64 columns: in shorter rows its bits are better spent on codes.
    #[default]
    Automatic,
    /// Rows are coded in units of their norms.
    Always,
    /// Rows are coded as they are.
    Never,
}

impl RowScale {
    /// The most columns of tables without scales of rows.
    const FEW_COLUMNS: usize = 64;

    pub(super) fn is_used(self, dim: usize) -> bool {
        match self {
            Self::Automatic => dim > Self::FEW_COLUMNS,
            Self::Always => true,
            Self::Never => false,
        }
    }
}

/// The directions that coordinates are measured in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case", deny_unknown_fields))]
#[non_exhaustive]
pub enum RotationChoice {
    /// Those of which less error is to be expected in the same bytes.
    #[default]
    Automatic,
    /// The singular directions of the table, which are stored with it.
    Svd,
    /// A randomised Hadamard transform of at most 8192 columns, which takes no bytes: as good where all singular values are alike.
    Hadamard,
}

/// # Errors
/// [`InvalidSetting`](Error::InvalidSetting).
pub(super) fn check_groups(num_groups: usize) -> Result<()> {
    if (1..=QuantizedFactors::MAX_GROUPS).contains(&num_groups) {
        return Ok(());
    }
    Err(Error::InvalidSetting { name: "number of groups", value: num_groups as f64, expected: "1 to 16 groups" })
}
