//! Bags of coded rows.
//!
//! ```text
//! for each id i of the bag, in order:  acc[group of i] += weight[i] · (scale of row i) · values(i)
//! for each group, in order:            out[order] += σ · acc[group]
//! ```
//!
//! Sums stay in the order of the codes of their group, so that a bag of many ids puts numbers into the order of the coordinates
//! once for each group, not once for each id. 256 ids are sorted by group before they are read; while they are, the rows of the next 256
//! are asked for, four at a time. Every 64 rows of a group their sum goes to the sum of such sums, as in other tables (Higham 2002, §4.2).

use std::{cell::Cell, ops::Range};

use super::{
    super::{
        packed::PanelRow,
        pool::POOLED_TOGETHER,
        rows::AHEAD,
        scratch::{self, Scratch},
        simd::{Kernel, Simd},
    },
    CodedRows, Found,
    layout::GroupLayout,
    lines::{Lines, Row, read_lines},
};
use crate::{Bags, QuantizedFactors, TokenId};

/// Rows of a group that are read together.
const TOGETHER: usize = 4;

/// Ids that are sorted by group together.
const SORTED_IDS: usize = 256;

/// Places of the next ids, which have been asked for: across the borders of bags.
pub(in crate::kernel) struct Ahead {
    found: [Found; Self::LEN],
    end: usize,
}

impl Ahead {
    const LEN: usize = 2 * SORTED_IDS;

    /// Before the first of some ids.
    pub(in crate::kernel) fn new(first: usize) -> Self {
        const { assert!(AHEAD + SORTED_IDS <= Self::LEN) };
        Self { found: [Found { group: 0, place: 0 }; Self::LEN], end: first }
    }

    /// Asks for the rows up to an id, at most so many as [`SORTED_IDS`] and [`AHEAD`] after the next one to be found.
    #[inline(always)]
    fn ask(&mut self, coded: CodedRows<'_>, ids: &[TokenId], end: usize) {
        while self.end < ids.len().min(end) {
            self.found[self.end % Self::LEN] = coded.find(ids[self.end] as usize);
            self.end += 1;
        }
    }

    /// Where the row of id `i` is; those before it are not asked for any more.
    #[inline(always)]
    fn find(&mut self, coded: CodedRows<'_>, ids: &[TokenId], i: usize) -> Found {
        self.ask(coded, ids, i + AHEAD);
        self.found[i % Self::LEN]
    }
}

#[derive(Default)]
struct Buffers {
    /// Sums in the order of the codes, group after group, and sums of the next ids before they are added to these.
    sums: Vec<PanelRow>,
    partial: Vec<PanelRow>,
    /// Rows that are sorted, and those in order.
    rows: Vec<Weighted>,
    sorted: Vec<Weighted>,
}

thread_local! {
    static BUFFERS: Scratch<Buffers> = const {
        Cell::new(Buffers { sums: Vec::new(), partial: Vec::new(), rows: Vec::new(), sorted: Vec::new() })
    };
}

/// The sum of the rows of one bag into `sum`, which holds zeros. Returns how many ids counted, and the sum of their weights.
pub(in crate::kernel) struct PoolCodes<'a> {
    pub(in crate::kernel) coded: CodedRows<'a>,
    pub(in crate::kernel) ahead: &'a mut Ahead,
    pub(in crate::kernel) bags: &'a Bags<'a>,
    pub(in crate::kernel) range: Range<usize>,
    pub(in crate::kernel) padding_id: Option<TokenId>,
    pub(in crate::kernel) sum: &'a mut [f32],
}

/// A row and what it is multiplied with, before its own scale.
type Weighted = (Found, f32);

impl Kernel for PoolCodes<'_> {
    type Output = (usize, f64);

    #[inline(always)]
    fn run<S: Simd>(self, isa: S) -> (usize, f64) {
        let Self { coded, ahead, bags, mut range, padding_id, sum } = self;
        let groups = &coded.layout.groups;
        let (mut first_lines, mut num_lines) = ([0; QuantizedFactors::MAX_GROUPS], 0);
        for (first, group) in first_lines.iter_mut().zip(groups) {
            *first = num_lines;
            num_lines += group.num_lines;
        }
        let mut buffers = BUFFERS.take();
        let sums = scratch::at_least(&mut buffers.sums, num_lines);
        let mut has_sums = [false; QuantizedFactors::MAX_GROUPS];
        let (mut len, mut weight_sum) = (0, 0.0);
        while !range.is_empty() {
            let rows = scratch::at_least(&mut buffers.rows, SORTED_IDS.min(range.len()));
            let (mut num_rows, mut ends) = (0, [0; QuantizedFactors::MAX_GROUPS]);
            for i in range.start..range.start + rows.len() {
                let found = ahead.find(coded, bags.ids(), i);
                if Some(bags.ids()[i]) == padding_id {
                    continue;
                }
                let weight = bags.weights().map_or(1.0, |weights| weights[i]);
                weight_sum += f64::from(weight);
                rows[num_rows] = (found, weight);
                ends[found.group] += 1;
                num_rows += 1;
            }
            range.start += rows.len();
            len += num_rows;
            let sorted = scratch::at_least(&mut buffers.sorted, num_rows);
            sort(&rows[..num_rows], &mut ends, sorted);
            let mut next = Next { ahead, ids: bags.ids(), end: range.start };
            let mut start = 0;
            for (g, group) in groups.iter().enumerate() {
                let sums = &mut sums[first_lines[g]..][..group.num_lines];
                for rows in sorted[start..ends[g]].chunks(POOLED_TOGETHER) {
                    if has_sums[g] {
                        let partial = scratch::at_least(&mut buffers.partial, group.num_lines);
                        partial.fill(PanelRow::default());
                        add_rows(isa, coded, group, rows, &mut next, partial);
                        add_lines(isa, partial, sums);
                    } else {
                        sums.fill(PanelRow::default());
                        add_rows(isa, coded, group, rows, &mut next, sums);
                        has_sums[g] = true;
                    }
                }
                start = ends[g];
            }
        }
        for (g, group) in groups.iter().enumerate() {
            if has_sums[g] {
                add_in_place(isa, group, &mut sums[first_lines[g]..][..group.num_lines], sum);
            }
        }
        BUFFERS.set(buffers);
        (len, weight_sum)
    }
}

/// Puts rows into the order of their groups, which have so many each: where each group ends is left behind.
#[inline(always)]
fn sort(rows: &[Weighted], counts: &mut [usize; QuantizedFactors::MAX_GROUPS], sorted: &mut [Weighted]) {
    let mut start = 0;
    for count in counts.iter_mut() {
        start += std::mem::replace(count, start);
    }
    for &row in rows {
        let next = &mut counts[row.0.group];
        sorted[*next] = row;
        *next += 1;
    }
}

/// Weighted values of rows, added to a sum one row after the other.
struct Weigh<'a, const R: usize> {
    weights: [f32; R],
    sum: &'a mut [PanelRow],
}

impl<S: Simd, const R: usize> Lines<S, R> for Weigh<'_, R> {
    #[inline(always)]
    fn take(&mut self, isa: S, line: usize, values: [S::Line; R]) {
        let target = &mut self.sum[line].0;
        let mut sum = isa.load(target);
        for (weight, value) in self.weights.into_iter().zip(values) {
            sum = isa.mul_add(isa.splat(weight), value, sum);
        }
        isa.store(sum, target);
    }
}

/// The rows to be asked for while others are read.
struct Next<'a> {
    ahead: &'a mut Ahead,
    ids: &'a [TokenId],
    end: usize,
}

impl Next<'_> {
    #[inline(always)]
    fn ask(&mut self, coded: CodedRows<'_>) {
        self.end += TOGETHER;
        self.ahead.ask(coded, self.ids, self.end);
    }
}

/// Adds rows of a group, in their order, to a sum in the order of the codes.
#[inline(always)]
fn add_rows<S: Simd>(
    isa: S,
    coded: CodedRows<'_>,
    group: &GroupLayout,
    rows: &[Weighted],
    next: &mut Next<'_>,
    sum: &mut [PanelRow],
) {
    let (fours, rest) = rows.as_chunks::<TOGETHER>();
    for four in fours {
        next.ask(coded);
        add(isa, coded, group, four, sum);
    }
    for row in rest {
        add(isa, coded, group, &[*row], sum);
    }
}

#[inline(always)]
fn add<S: Simd, const R: usize>(
    isa: S,
    coded: CodedRows<'_>,
    group: &GroupLayout,
    weighted: &[Weighted; R],
    sum: &mut [PanelRow],
) {
    let (mut rows, mut weights) = ([Row::EMPTY; R], [0.0; R]);
    for r in 0..R {
        let (found, weight) = weighted[r];
        rows[r] = Row::new(group, coded.codes, found.place);
        weights[r] = weight * coded.layout.row_scales[rows[r].row_scale_code(group)];
    }
    // SAFETY: `Row::new` has been given the same group.
    unsafe { read_lines(isa, group, &rows, &mut Weigh { weights, sum }) };
}

#[inline(always)]
fn add_lines<S: Simd>(isa: S, lines: &[PanelRow], sums: &mut [PanelRow]) {
    let one = isa.splat(1.0);
    for (line, sum) in lines.iter().zip(sums) {
        isa.store(isa.mul_add(one, isa.load(&line.0), isa.load(&sum.0)), &mut sum.0);
    }
}

/// Adds σ · sums to the coordinates; the sums are then anything.
#[inline(always)]
fn add_in_place<S: Simd>(isa: S, group: &GroupLayout, sums: &mut [PanelRow], coordinates: &mut [f32]) {
    for (sum, scales) in sums.iter_mut().zip(&group.scales) {
        isa.store(isa.mul_add_lines(isa.load(&sum.0), isa.load(&scales.0), isa.zero()), &mut sum.0);
    }
    group.for_each_number(sums, coordinates, |coordinate, number| *coordinate += number);
}
