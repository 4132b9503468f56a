//! The scales of rows, in steps of a logarithm.

/// Row i is multiplied with 2^(min + step·(code − 1)), or with 0 where its code is 0.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct RowScales {
    /// Bits of a code, 1 to 8.
    pub(crate) bits: u8,
    /// log₂ of the smallest scale that is not zero.
    pub(crate) min: f32,
    /// From one code to the next, log₂ of their ratio.
    pub(crate) step: f32,
}

impl RowScales {
    /// The scale of each code, \[2^bits\].
    pub(crate) fn table(self) -> Vec<f32> {
        let scale = |code: u32| (f64::from(self.min) + f64::from(self.step) * f64::from(code - 1)).exp2() as f32;
        (0..1_u32 << self.bits).map(|code| if code == 0 { 0.0 } else { scale(code) }).collect()
    }
}
