//! Lines of values out of the codes of rows: the loop that everything with codes is made of.

use super::{
    super::simd::Simd,
    layout::{GroupLayout, Levels, Segment},
};
use crate::factors::{QuantizedFactors, WINDOW_BITS};

/// The codes of a row.
#[derive(Clone, Copy)]
pub(super) struct Row<'a> {
    /// The bytes of the row, and [`CODE_PADDING`](QuantizedFactors::CODE_PADDING) more.
    bytes: &'a [u8],
    /// The circle of the trellis from [`WINDOW_BITS`] bits before it begins on, as far as these are looked at. Then zeros.
    head: [u8; 32],
}

impl<'a> Row<'a> {
    pub(super) const EMPTY: Self = Self { bytes: &[], head: [0; 32] };

    /// The row of a group that begins with a byte.
    #[inline(always)]
    pub(super) fn new(group: &GroupLayout, codes: &'a [u8], place: usize) -> Self {
        let bytes = &codes[place..][..group.row_bytes + QuantizedFactors::CODE_PADDING];
        let mut head = [0; 32];
        if let Some(circle) = group.circle {
            let part = |bit: usize| -> u128 {
                let mut part = [0; 16];
                part.copy_from_slice(&bytes[bit / 8..][..16]);
                u128::from_le_bytes(part) >> (bit % 8)
            };
            let tail = part(circle.tail) as u64 & ((1 << WINDOW_BITS) - 1);
            let circle = part(circle.start) << WINDOW_BITS | u128::from(tail);
            head[..16].copy_from_slice(&circle.to_le_bytes());
        }
        Self { bytes, head }
    }

    /// The number that the scale of the row is looked up with.
    #[inline(always)]
    pub(super) fn row_scale_code(&self, group: &GroupLayout) -> usize {
        let (byte, shift, mask) = group.row_scale;
        usize::from(u16::from_le_bytes([self.bytes[byte], self.bytes[byte + 1]]) >> shift) & mask
    }

    /// A line of codes.
    ///
    /// # Safety
    /// The segment is one of the row's group, and `line` one of its lines.
    #[inline(always)]
    unsafe fn line(&self, segment: &Segment, line: usize) -> &[u8; 16] {
        let start = if segment.from_head { self.head.as_ptr() } else { self.bytes.as_ptr() };
        // SAFETY: a line of the head begins with its first or second byte, so that 16 of 32 are left. Every other line begins
        // in the row, as its layout has asserted, and there are 16 bytes behind the row.
        let bytes = unsafe { start.add(segment.byte + (line - segment.lines.start) * segment.stride) };
        // SAFETY: the same: sixteen bytes, which may be at any address.
        unsafe { &*bytes.cast() }
    }
}

/// What becomes of lines of values of `R` rows.
pub(super) trait Lines<S: Simd, const R: usize> {
    /// Line `line` of every row: what its codes stand for, and anything in places where there is no code.
    fn take(&mut self, isa: S, line: usize, values: [S::Line; R]);
}

/// Reads all lines of some rows of a group.
#[inline(always)]
pub(super) fn read_lines<S: Simd, const R: usize>(
    isa: S,
    group: &GroupLayout,
    rows: &[Row<'_>; R],
    lines: &mut impl Lines<S, R>,
) {
    for segment in &group.segments {
        let unpacking = isa.unpacking(segment.unpacking);
        match &segment.levels {
            Levels::Sixteen(levels) => {
                let levels = isa.load(&levels.0);
                for line in segment.lines.clone() {
                    let mut values = [isa.zero(); R];
                    for r in 0..R {
                        // SAFETY: a segment of the group, and one of its lines.
                        let codes = isa.unpack(unpacking, unsafe { rows[r].line(segment, line) });
                        values[r] = isa.permute(levels, codes);
                    }
                    lines.take(isa, line, values);
                }
            }
            Levels::ThirtyTwo([low, high]) => {
                let levels = [isa.load(&low.0), isa.load(&high.0)];
                for line in segment.lines.clone() {
                    let mut values = [isa.zero(); R];
                    for r in 0..R {
                        // SAFETY: the same.
                        let codes = isa.unpack(unpacking, unsafe { rows[r].line(segment, line) });
                        values[r] = isa.permute_two(levels, codes);
                    }
                    lines.take(isa, line, values);
                }
            }
            Levels::More(table) => {
                for line in segment.lines.clone() {
                    let mut values = [isa.zero(); R];
                    for r in 0..R {
                        // SAFETY: the same.
                        let codes = isa.unpack(unpacking, unsafe { rows[r].line(segment, line) });
                        values[r] = isa.look_up(*table, codes);
                    }
                    lines.take(isa, line, values);
                }
            }
        }
    }
}
