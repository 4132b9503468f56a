//! How the rows of one group are coded.

use half::f16;

use super::{Level, bits::read_bits, lloyd_max::lloyd_max, trellis};

/// Fewest bits of a trellis: shorter rows are coded number by number.
const MIN_TRELLIS_BITS: usize = 32;

/// Consecutive codes of one width.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Run {
    /// Bits of a code, 1 to 8.
    pub(crate) width: u8,
    /// How many codes.
    pub(crate) count: usize,
    /// Whether they are steps of the trellis.
    pub(crate) is_trellis: bool,
}

/// How the rows of a group are coded: what the widths of its directions say.
///
/// ```text
/// bits of a row:  codes, widest first, of equal width in the order of the directions | scale of the row | up to 7 zeros
/// ```
///
/// The codes of a trellis are the last of them, and one circle of bits. A group whose widths are all 0 has rows of no bits.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct CodeGroup {
    /// Bits of the code of each direction \[rank\], 0 for those that are left out.
    pub(crate) widths: Vec<u8>,
    /// The standard deviation that the code of each direction is multiplied with \[rank\], 0 for those that are left out.
    pub(crate) scales: Vec<f16>,
    /// The direction of each code, in the order of the codes.
    pub(crate) order: Vec<u32>,
    /// The codes, in order.
    pub(crate) runs: Vec<Run>,
    /// Bits of the codes that are no steps of the trellis.
    pub(crate) scalar_bits: usize,
    /// Bits of the trellis.
    pub(crate) trellis_bits: usize,
    /// Bits of the scale of a row.
    pub(crate) row_scale_bits: usize,
}

impl CodeGroup {
    /// Widths and scales of all directions \[rank\].
    pub(crate) fn new(level: Level, widths: Vec<u8>, scales: Vec<f16>, row_scale_bits: usize) -> Self {
        let bits = |is_step: fn(u8) -> bool| -> usize {
            widths.iter().filter(|&&width| is_step(width)).map(|&width| usize::from(width)).sum()
        };
        let can_be_step = |width: u8| width <= Level::MAX_TRELLIS_WIDTH;
        let has_trellis = level == Level::Trellis && bits(can_be_step) >= MIN_TRELLIS_BITS;
        let (mut order, mut runs) = (Vec::new(), Vec::new());
        for width in (1..=Level::MAX_WIDTH).rev() {
            let before = order.len();
            order.extend(
                (0..).zip(&widths).filter(|&(_, &other)| other == width).map(|(direction, _): (u32, _)| direction),
            );
            let count = order.len() - before;
            if count > 0 {
                runs.push(Run { width, count, is_trellis: has_trellis && can_be_step(width) });
            }
        }
        let trellis_bits = if has_trellis { bits(can_be_step) } else { 0 };
        let scalar_bits = bits(|_| true) - trellis_bits;
        let row_scale_bits = if runs.is_empty() { 0 } else { row_scale_bits };
        Self { widths, scales, order, runs, scalar_bits, trellis_bits, row_scale_bits }
    }

    /// Where in a row its scale begins.
    pub(crate) fn row_scale_start(&self) -> usize {
        self.scalar_bits + self.trellis_bits
    }

    /// The coordinates of a row of the group, before they are multiplied with its scale: calls `set` with each direction that is not
    /// left out.
    pub(crate) fn decode(&self, bytes: &[u8], mut set: impl FnMut(usize, f32)) {
        let (mut directions, mut start) = (self.order.iter(), 0);
        for run in &self.runs {
            let width = usize::from(run.width);
            for &direction in directions.by_ref().take(run.count) {
                let value = if run.is_trellis {
                    trellis::table(run.width)[trellis::window(bytes, self, start + width) as usize]
                } else {
                    lloyd_max(run.width)[read_bits(bytes, start, width) as usize]
                };
                set(direction as usize, value * self.scales[direction as usize].to_f32());
                start += width;
            }
        }
    }

    /// Bytes of a row.
    pub(crate) fn row_bytes(&self) -> usize {
        (self.row_scale_start() + self.row_scale_bits).div_ceil(8)
    }
}
