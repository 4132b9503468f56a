//! The trellis of the codes that are no numbers by themselves.
//!
//! The steps of a row are a circle of bits. A step adds its bits, and what it stands for is looked up with the last
//! [`WINDOW_BITS`] bits up to its own: every step can be decoded by itself.

use super::{CodeGroup, bits::read_bits};

/// Bits that a step is decoded from.
pub(crate) const WINDOW_BITS: usize = 8;

/// What each window stands for where a step adds `width` bits, 1 to 4.
pub(crate) fn table(width: u8) -> &'static [f32] {
    // Until the trained tables are there: a quantizer of the bits that the step adds, with the others as a dither.
    static TABLES: std::sync::LazyLock<[[f32; 1 << WINDOW_BITS]; 4]> = std::sync::LazyLock::new(|| {
        std::array::from_fn(|k| {
            std::array::from_fn(|window| {
                let hash = (window as u32 + 1).wrapping_mul(0x9e37_79b9).rotate_left(7 * (k as u32 + 1));
                let uniform = (f64::from(hash) + 0.5) / 4_294_967_296.0;
                ((uniform / (1.0 - uniform)).ln() / 1.7) as f32
            })
        })
    });
    &TABLES[usize::from(width) - 1]
}

/// The window of the step whose bits end before bit `end` of a row.
pub(super) fn window(row: &[u8], group: &CodeGroup, end: usize) -> u32 {
    let (circle, bits) = (group.scalar_bits, group.trellis_bits);
    let bit = |i: usize| read_bits(row, circle + (end - circle + bits - WINDOW_BITS + i) % bits, 1);
    (0..WINDOW_BITS).fold(0, |window, i| window | bit(i) << i)
}
