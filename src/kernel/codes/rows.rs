//! Rows that are decoded to be multiplied: the coordinates of each, one row after the other.

use std::{cell::Cell, ops::Range};

use super::{
    super::{
        Isa,
        multiply::Source,
        output::OutRows,
        packed::PanelRow,
        scratch::{self, Scratch},
        simd::{Kernel, Simd},
        tile::{BLOCK_ROWS, Block},
    },
    CodedRows, Found,
    lines::{Lines, Row, read_lines},
};
use crate::{QuantizedFactors, TokenId};

const MAX_GROUPS: usize = QuantizedFactors::MAX_GROUPS;

/// Rows that are found, asked for and sorted together: a few dozen KB of codes.
const SORTED_ROWS: usize = 16 * BLOCK_ROWS;

#[derive(Default)]
struct Buffers {
    /// Rows that are sorted, and those in order.
    found: Vec<(Found, usize)>,
    sorted: Vec<(Found, usize)>,
    /// Lines of a row.
    lines: Vec<PanelRow>,
    /// A block of rows.
    rows: Vec<f32>,
    /// A block of products whose rows are not side by side where they belong.
    products: Vec<f32>,
}

thread_local! {
    static BUFFERS: Scratch<Buffers> = const {
        Cell::new(Buffers {
            found: Vec::new(),
            sorted: Vec::new(),
            lines: Vec::new(),
            rows: Vec::new(),
            products: Vec::new(),
        })
    };
}

/// The coordinates of the rows of a range into `out` \[len of the range, rank\].
pub(crate) fn decode_rows(isa: Isa, coded: CodedRows<'_>, range: Range<usize>, out: &mut [f32]) {
    assert_eq!(out.len(), range.len() * coded.layout.rank());
    isa.run_codes(Decode { coded, range, out });
}

struct Decode<'a> {
    coded: CodedRows<'a>,
    range: Range<usize>,
    out: &'a mut [f32],
}

impl Kernel for Decode<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, isa: S) {
        let Self { coded, range, out } = self;
        let width = coded.layout.rank();
        let mut buffers = BUFFERS.take();
        for start in range.clone().step_by(SORTED_ROWS) {
            let end = range.end.min(start + SORTED_ROWS);
            buffers.find(None, coded, start..end);
            let Buffers { sorted, lines, .. } = &mut buffers;
            for &(found, row) in &sorted[..end - start] {
                decode(isa, coded, found, lines, &mut out[(row - range.start) * width..][..width]);
            }
        }
        BUFFERS.set(buffers);
    }
}

/// Values times σ and the scale of their row, line by line.
struct Scaled<'a> {
    lines: &'a mut [PanelRow],
    scales: &'a [PanelRow],
    row_scale: f32,
}

impl<S: Simd> Lines<S, 1> for Scaled<'_> {
    #[inline(always)]
    fn take(&mut self, isa: S, line: usize, [value]: [S::Line; 1]) {
        let scaled = isa.mul_add_lines(value, isa.load(&self.scales[line].0), isa.zero());
        isa.store(isa.mul(isa.splat(self.row_scale), scaled), &mut self.lines[line].0);
    }
}

/// The coordinates of a row, as many as `out` takes: all that are not always 0 in its group, and zeros.
#[inline(always)]
fn decode<S: Simd>(isa: S, coded: CodedRows<'_>, found: Found, lines: &mut Vec<PanelRow>, out: &mut [f32]) {
    let group = &coded.layout.groups[found.group];
    let row = Row::new(group, coded.codes, found.place);
    let lines = scratch::at_least(lines, group.num_lines);
    let row_scale = coded.layout.row_scales[row.row_scale_code(group)];
    // SAFETY: `Row::new` has been given the same group.
    unsafe { read_lines(isa, group, &[row], &mut Scaled { lines: &mut *lines, scales: &group.scales, row_scale }) };
    out.fill(0.0);
    group.for_each_number(lines, out, |out, number| *out = number);
}

/// Multiplies some coded rows with panels. Only `multiply_range` makes one, whose contract it relies on: until it returns, nobody
/// else touches the rows of `out` that the products go to, and `out` has as many columns as the panels.
///
/// Rows are sorted by group, and those of a block are multiplied as far as any of them has coordinates that are not always 0.
/// That changes no bit: a sum is what it was when products of 0 are added to it, if −0 is made 0 in the end.
pub(in crate::kernel) struct MultiplyCodes<'a> {
    pub(in crate::kernel) source: Source<'a>,
    pub(in crate::kernel) coded: CodedRows<'a>,
    pub(in crate::kernel) range: Range<usize>,
    pub(in crate::kernel) out: OutRows<'a>,
}

impl Kernel for MultiplyCodes<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, isa: S) {
        let Self { source, coded, range, out } = self;
        // No closure: the compiler might not use the instruction set in one.
        let mut buffers = BUFFERS.take();
        let width = source.panels.width();
        for start in range.clone().step_by(SORTED_ROWS) {
            let end = range.end.min(start + SORTED_ROWS);
            buffers.find(source.ids, coded, start..end);
            for first in (0..end - start).step_by(BLOCK_ROWS) {
                let Buffers { sorted, lines, rows, products, .. } = &mut buffers;
                let block_rows = &sorted[first..(end - start).min(first + BLOCK_ROWS)];
                let mut depth = 0;
                for (found, _) in block_rows {
                    depth = depth.max(coded.layout.groups[found.group].depth);
                }
                let rows = scratch::at_least(rows, BLOCK_ROWS * depth);
                for (slot, (found, _)) in block_rows.iter().enumerate() {
                    decode(isa, coded, *found, lines, &mut rows[slot * depth..][..depth]);
                }
                let products =
                    if out.has_slices() { &mut [][..] } else { scratch::at_least(products, BLOCK_ROWS * width) };
                let products_start = products.as_mut_ptr();
                let mut block = Block::new(source.panels, source.start).up_to(depth);
                for (slot, &(_, i)) in block_rows.iter().enumerate() {
                    let target = if out.has_slices() {
                        out.row(source.position(i))
                    } else {
                        // SAFETY: the buffer holds BLOCK_ROWS rows of `width`, and a block has no more rows.
                        unsafe { products_start.add(slot * width) }
                    };
                    let factor = source.factors.map_or(1.0, |factors| factors[i]);
                    // SAFETY: `width` numbers, of the buffer or of the row of `out`, which has as many columns as the panels; the
                    // buffer is ours, and nobody else touches the row: see the type.
                    unsafe { block.push(&rows[slot * depth..][..depth], factor, target) };
                }
                isa.multiply_block(&block);
                if !out.has_slices() {
                    for (slot, &(_, i)) in block_rows.iter().enumerate() {
                        // SAFETY: nobody else touches the row: see the type.
                        unsafe { out.write(source.position(i), &products[slot * width..][..width]) };
                    }
                }
            }
        }
        BUFFERS.set(buffers);
    }
}

impl Buffers {
    /// Finds the rows of ids, or rows in order, and sorts them by group: a counting sort.
    #[inline(always)]
    fn find(&mut self, ids: Option<&[TokenId]>, coded: CodedRows<'_>, range: Range<usize>) {
        let mut starts = [0; MAX_GROUPS + 1];
        let found = scratch::at_least(&mut self.found, range.len());
        for (found, i) in found.iter_mut().zip(range.clone()) {
            *found = (coded.find(ids.map_or(i, |ids| ids[i] as usize)), i);
            starts[found.0.group + 1] += 1;
        }
        for group in 0..MAX_GROUPS {
            starts[group + 1] += starts[group];
        }
        let sorted = scratch::at_least(&mut self.sorted, range.len());
        for &row in &*found {
            let start = &mut starts[row.0.group];
            sorted[*start] = row;
            *start += 1;
        }
    }
}
