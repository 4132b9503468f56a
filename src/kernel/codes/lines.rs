//! Lines of values out of the codes of rows: the loop that everything with codes is made of.

use super::{
    super::simd::Simd,
    layout::{GroupLayout, Levels, Segment},
    unpacking::Table,
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

    /// Where the lines of a segment begin.
    #[inline(always)]
    fn start(&self, segment: &Segment) -> *const u8 {
        let start = if segment.from_head { self.head.as_ptr() } else { self.bytes.as_ptr() };
        start.wrapping_add(segment.byte)
    }
}

/// What becomes of lines of values of `R` rows.
pub(super) trait Lines<S: Simd, const R: usize> {
    /// Line `line` of every row: what its codes stand for, and anything in places where there is no code.
    fn take(&mut self, isa: S, line: usize, values: [S::Line; R]);
}

/// Reads all lines of some rows of a group.
///
/// # Safety
/// The rows are of that group.
#[inline(always)]
pub(super) unsafe fn read_lines<S: Simd, const R: usize>(
    isa: S,
    group: &GroupLayout,
    rows: &[Row<'_>; R],
    lines: &mut impl Lines<S, R>,
) {
    for segment in &group.segments {
        match &segment.levels {
            Levels::Sixteen(levels) => {
                let levels = Sixteen::<S>(isa.load(&levels.0));
                // SAFETY: a segment of the group, which is that of the rows, says the caller.
                unsafe { read_segment(isa, segment, rows, levels, lines) };
            }
            Levels::ThirtyTwo([low, high]) => {
                let levels = ThirtyTwo::<S>([isa.load(&low.0), isa.load(&high.0)]);
                // SAFETY: the same.
                unsafe { read_segment(isa, segment, rows, levels, lines) };
            }
            // SAFETY: the same.
            Levels::More(table) => unsafe { read_segment(isa, segment, rows, *table, lines) },
            Levels::Mirrored(table) => {
                let levels = Halved::<S>(isa.mirrored(table));
                // SAFETY: the same.
                unsafe { read_segment(isa, segment, rows, levels, lines) };
            }
        }
    }
}

/// Reads the lines of a segment.
///
/// # Safety
/// The segment is one of the rows' group.
#[inline(always)]
unsafe fn read_segment<S: Simd, const R: usize>(
    isa: S,
    segment: &Segment,
    rows: &[Row<'_>; R],
    levels: impl LookUp<S>,
    lines: &mut impl Lines<S, R>,
) {
    let unpacking = isa.unpacking(segment.unpacking);
    let mut starts = [std::ptr::null(); R];
    for r in 0..R {
        starts[r] = rows[r].start(segment);
    }
    let mut offset = 0;
    for line in segment.lines.clone() {
        // SAFETY: sixteen bytes, which may be at any address: a line of the head begins with its first or second byte of
        // 32; every other line begins in the row, as its layout has asserted, and there are 16 bytes behind the row.
        let bytes = |r: usize| unsafe { &*starts[r].wrapping_add(offset).cast() };
        let mut codes = [isa.unpack(unpacking, bytes(0)); R];
        for (r, codes) in codes.iter_mut().enumerate().skip(1) {
            *codes = isa.unpack(unpacking, bytes(r));
        }
        lines.take(isa, line, levels.look_up_rows(isa, codes));
        offset += segment.stride;
    }
}

/// What codes stand for, in registers.
trait LookUp<S: Simd>: Copy {
    fn look_up(self, isa: S, codes: S::Codes) -> S::Line;

    #[inline(always)]
    fn look_up_rows<const R: usize>(self, isa: S, codes: [S::Codes; R]) -> [S::Line; R] {
        let mut values = [isa.zero(); R];
        for r in 0..R {
            values[r] = self.look_up(isa, codes[r]);
        }
        values
    }
}

#[derive(Clone, Copy)]
struct Sixteen<S: Simd>(S::Line);

impl<S: Simd> LookUp<S> for Sixteen<S> {
    #[inline(always)]
    fn look_up(self, isa: S, codes: S::Codes) -> S::Line {
        isa.permute(self.0, codes)
    }
}

#[derive(Clone, Copy)]
struct ThirtyTwo<S: Simd>([S::Line; 2]);

impl<S: Simd> LookUp<S> for ThirtyTwo<S> {
    #[inline(always)]
    fn look_up(self, isa: S, codes: S::Codes) -> S::Line {
        isa.permute_two(self.0, codes)
    }
}

impl<S: Simd> LookUp<S> for Table<'_> {
    #[inline(always)]
    fn look_up(self, isa: S, codes: S::Codes) -> S::Line {
        isa.look_up(self, codes)
    }
}

#[derive(Clone, Copy)]
struct Halved<S: Simd>(S::Mirrored);

impl<S: Simd> LookUp<S> for Halved<S> {
    #[inline(always)]
    fn look_up(self, isa: S, codes: S::Codes) -> S::Line {
        isa.look_up_mirrored(self.0, codes)
    }

    #[inline(always)]
    fn look_up_rows<const R: usize>(self, isa: S, codes: [S::Codes; R]) -> [S::Line; R] {
        let mut values = [isa.zero(); R];
        let (fours, rest) = codes.as_chunks();
        let (of_fours, of_rest) = values.as_chunks_mut();
        for (values, &codes) in of_fours.iter_mut().zip(fours) {
            *values = isa.look_up_mirrored_four(self.0, codes);
        }
        for (value, &codes) in of_rest.iter_mut().zip(rest) {
            *value = self.look_up(isa, codes);
        }
        values
    }
}
