//! The trellis of the codes that are no numbers by themselves.
//!
//! The steps of a row are a circle of bits. A step adds its bits, and what it stands for is looked up with the last
//! [`WINDOW_BITS`] bits up to its own: every step can be decoded by itself.

mod tables;

use super::{CodeGroup, bits::read_bits};
use tables::HALVES;

/// Bits that a step is decoded from.
pub(crate) const WINDOW_BITS: usize = 10;

/// Mean squared errors of steps of 1 to 4 bits for unit Gaussians that the tables were not made from, in rows of 100
/// steps.
#[cfg(feature = "decompose")]
pub(crate) const DISTORTION: [f64; 4] = [0.2744, 0.0728, 0.0193, 0.00509];

/// What each window stands for where a step adds `width` bits, 1 to 4: multiples of 1/32, the same with the other sign
/// where all bits of the window are the others.
pub(crate) fn table(width: u8) -> &'static [f32] {
    static TABLES: [[f32; 1 << WINDOW_BITS]; 4] = mirrored();
    &TABLES[usize::from(width) - 1]
}

const fn mirrored() -> [[f32; 1 << WINDOW_BITS]; 4] {
    let mut tables = [[0.0; 1 << WINDOW_BITS]; 4];
    let mut k = 0;
    while k < tables.len() {
        let mut window = 0;
        while window < HALVES[k].len() {
            let value = HALVES[k][window] as f32 / 32.0;
            tables[k][window] = value;
            tables[k][tables[k].len() - 1 - window] = -value;
            window += 1;
        }
        k += 1;
    }
    tables
}

/// The window of the step whose bits end before bit `end` of a row.
pub(super) fn window(row: &[u8], group: &CodeGroup, end: usize) -> u32 {
    let (circle, bits) = (group.scalar_bits, group.trellis_bits);
    let bit = |i: usize| read_bits(row, circle + (end - circle + bits - WINDOW_BITS + i) % bits, 1);
    (0..WINDOW_BITS).fold(0, |window, i| window | bit(i) << i)
}
