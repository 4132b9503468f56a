//! The two ways of coding numbers.

use super::{lloyd_max::lloyd_max, trellis};

/// How the coordinates of a row are coded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case", deny_unknown_fields))]
#[non_exhaustive]
pub enum Level {
    /// Each by itself, with the quantizer of least squared error for a Gaussian (Lloyd 1982; Max 1960).
    #[default]
    Scalar,
    /// Those of up to four bits together, as a walk through a trellis (Marcellin & Fischer 1990) whose state is the last bits of
    /// the code: *bitshift trellis*, with tail-biting (Tseng, Sun, Hou, De Sa 2024). Less error for the same bytes; slower to make.
    Trellis,
}

impl Level {
    /// Bits of the widest codes.
    pub const MAX_WIDTH: u8 = 8;
    /// Bits of the widest codes that a trellis is made of; wider ones are coded by themselves.
    pub const MAX_TRELLIS_WIDTH: u8 = 4;

    /// What the codes stand for, in units of the standard deviation: for codes of `width` bits by themselves one number for
    /// each, in ascending order, for steps of `width` bits of a trellis one for each state. Empty where there is no such code.
    ///
    /// # Examples
    ///
    /// ```
    /// use factorized_embedding::quantize::Level;
    ///
    /// let one_bit = Level::Scalar.codebook(1);
    /// assert_eq!(one_bit, [-0.797_884_6, 0.797_884_6]); // ±√(2/π)
    /// ```
    #[must_use]
    pub fn codebook(self, width: u8) -> &'static [f32] {
        match (self, width) {
            (_, 0) => &[],
            (Self::Trellis, width) if width <= Self::MAX_TRELLIS_WIDTH => trellis::table(width),
            (_, width) if width <= Self::MAX_WIDTH => lloyd_max(width),
            _ => &[],
        }
    }
}
