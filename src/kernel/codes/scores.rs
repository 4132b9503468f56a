//! Scores of queries with coded rows.
//!
//! ```text
//! out[q, v] = constant[q] + (scale of row v) · Σⱼ Σₖ query[q, group of v][16·k + j] · values(v)[16·k + j]
//! ```
//!
//! A few queries are brought into the order of the codes of each group, and multiplied with σ, once. From then on a line of
//! values is multiplied with a line of the query as soon as it is made, and nothing is stored but scores. 256 rows are sorted by
//! group; of a group, four rows are read together, so that four sums are under way, and sixteen sums are transposed and added
//! up together, as in `dots.rs`.
//!
//! More queries are multiplied with decoded rows, 64 at a time, by `products.rs`.

use std::{cell::Cell, ops::Range};

use ndarray::{ArrayView2, ArrayViewMut2};

use super::{
    super::{
        Isa,
        dots::FEW_QUERIES,
        output::OutRows,
        packed::{PANEL_WIDTH, PanelRow},
        parallel::for_each_range,
        products::{SCORED_ROWS, TableRows, nanoseconds_per_row, scores_of_range},
        scratch::{self, Scratch},
        simd::{Kernel, Simd},
    },
    CodedRows, decode_rows,
    layout::GroupLayout,
    lines::{Lines, Row, read_lines},
};
use crate::{QuantizedFactors, rows::Numbers};

/// Rows that are sorted by group together.
const SORTED_ROWS: usize = 256;
/// Rows that are read together.
const TOGETHER: usize = 4;

/// A few queries in the order of the codes of each group: what rows are scored with.
#[derive(Clone, Debug, Default)]
pub(crate) struct CodedQueries {
    /// Query after query, group after group.
    lines: Vec<PanelRow>,
}

impl CodedQueries {
    pub(crate) const fn new() -> Self {
        Self { lines: Vec::new() }
    }

    /// Queries \[n, rank\], if they are few.
    pub(crate) fn set(&mut self, coded: CodedRows<'_>, queries: &[f32], (n, width): (usize, usize)) {
        self.lines.clear();
        if n > FEW_QUERIES {
            return;
        }
        for query in (0..n).map(|i| &queries[i * width..][..width]) {
            for group in &coded.layout.groups {
                let start = self.lines.len();
                self.lines.extend(&group.scales);
                for (first, order) in &group.runs {
                    let numbers: &mut [f32] = bytemuck::cast_slice_mut(&mut self.lines[start..]);
                    for (number, &coordinate) in numbers[*first..].iter_mut().zip(order) {
                        *number *= query[coordinate as usize];
                    }
                }
            }
        }
    }
}

/// Queries \[n, rank\], the same [in the order of the codes](CodedQueries), and a constant for each.
#[derive(Clone, Copy)]
pub(crate) struct Queries<'a> {
    pub(crate) vectors: ArrayView2<'a, f32>,
    pub(crate) coded: &'a CodedQueries,
    pub(crate) constants: Option<&'a [f32]>,
}

thread_local! {
    /// A block of decoded rows.
    static ROWS: Scratch<Vec<f32>> = const { Cell::new(Vec::new()) };
}

/// The scores of the rows of a range into `out` \[n, len of the range\].
pub(crate) fn score_codes(
    isa: Isa,
    coded: CodedRows<'_>,
    queries: Queries<'_>,
    rows: Range<usize>,
    out: &mut ArrayViewMut2<'_, f32>,
) {
    let (n, width) = queries.vectors.dim();
    assert_eq!((n, rows.len(), width), (out.nrows(), out.ncols(), coded.layout.rank()));
    if n == 0 {
        return;
    }
    if width == 0 {
        for (i, mut scores) in out.rows_mut().into_iter().enumerate() {
            scores.fill(queries.constants.map_or(0.0, |constants| constants[i]));
        }
        return;
    }
    let contiguous = queries.vectors.as_standard_layout();
    let Some(vectors) = contiguous.as_slice() else { unreachable!("the standard layout is contiguous") };
    let out = OutRows::new(out);
    for_each_range(rows.len(), SORTED_ROWS, nanoseconds_per_row(n, width), |range| {
        if n <= FEW_QUERIES {
            isa.run(FewScores {
                coded,
                queries: queries.coded,
                constants: queries.constants,
                first: rows.start,
                range,
                out,
            });
            return;
        }
        scratch::with(&ROWS, |kept| {
            for start in range.clone().step_by(SCORED_ROWS) {
                let block = start..range.end.min(start + SCORED_ROWS);
                let decoded = scratch::at_least(kept, block.len() * width);
                decode_rows(isa, coded, rows.start + block.start..rows.start + block.end, decoded);
                let table = TableRows { rows: Numbers::F32(decoded), width, first: 0, len: block.len() };
                let (len, out) = (block.len(), out.columns_of(block));
                // SAFETY: `out` is borrowed mutably; every column is in one block of one range.
                unsafe { scores_of_range(isa, vectors, queries.constants, table, 0..len, out) };
            }
        });
    });
}

struct FewScores<'a> {
    coded: CodedRows<'a>,
    queries: &'a CodedQueries,
    constants: Option<&'a [f32]>,
    /// The row of the first column.
    first: usize,
    range: Range<usize>,
    /// The columns of the range are this thread's.
    out: OutRows<'a>,
}

impl Kernel for FewScores<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, isa: S) {
        let Self { coded, queries, constants, first, range, out } = self;
        let (places, groups) = (coded.factors.places(), &coded.layout.groups);
        let (mut first_lines, mut num_lines) = ([0; QuantizedFactors::MAX_GROUPS], 0);
        for (first, group) in first_lines.iter_mut().zip(groups) {
            *first = num_lines;
            num_lines += group.num_lines;
        }
        if range.is_empty() {
            return;
        }
        let (_, mut place) = places.find(first + range.start);
        for start in range.clone().step_by(SORTED_ROWS) {
            let len = SORTED_ROWS.min(range.end - start);
            // The place and the column of each row, in the order of the groups.
            let mut of_group = [0_u8; SORTED_ROWS];
            let mut counts = [0; QuantizedFactors::MAX_GROUPS];
            for (column, of_group) in of_group[..len].iter_mut().enumerate() {
                let group = places.group_of(first + start + column);
                *of_group = group as u8;
                counts[group] += 1;
            }
            let (mut ends, mut end) = ([0; QuantizedFactors::MAX_GROUPS], 0);
            for (first, count) in ends.iter_mut().zip(counts) {
                *first = end;
                end += count;
            }
            let mut sorted = [(0, 0); SORTED_ROWS];
            for (column, &group) in of_group[..len].iter().enumerate() {
                let end = &mut ends[usize::from(group)];
                sorted[*end] = (place, column);
                *end += 1;
                place += groups[usize::from(group)].row_bytes;
            }
            for q in 0..out.num_rows() {
                let constant = constants.map_or(0.0, |constants| constants[q]);
                let mut scores = [0.0; SORTED_ROWS];
                for (g, group) in groups.iter().enumerate() {
                    let query = &queries.lines[q * num_lines + first_lines[g]..][..group.num_lines];
                    for sixteen in sorted[ends[g] - counts[g]..ends[g]].chunks(PANEL_WIDTH) {
                        let score = score(isa, coded, group, sixteen, query, constant);
                        for (&(_, column), score) in sixteen.iter().zip(score) {
                            scores[column] = score;
                        }
                    }
                }
                // SAFETY: the columns are this thread's: see the field.
                unsafe { out.columns_of(start..start + len).write(q, &scores[..len]) };
            }
        }
    }
}

/// The scores of up to sixteen rows of a group.
#[inline(always)]
fn score<S: Simd>(
    isa: S,
    coded: CodedRows<'_>,
    group: &GroupLayout,
    rows: &[(usize, usize)],
    query: &[PanelRow],
    constant: f32,
) -> [f32; PANEL_WIDTH] {
    let mut sums = [isa.zero(); PANEL_WIDTH];
    let mut row_scales = [0.0; PANEL_WIDTH];
    let (fours, rest) = rows.as_chunks::<TOGETHER>();
    let mut i = 0;
    for four in fours {
        let products = products(isa, coded, group, four, query);
        for (sum, scale) in products.0.into_iter().zip(products.1) {
            (sums[i], row_scales[i]) = (sum, scale);
            i += 1;
        }
    }
    for row in rest {
        let products = products(isa, coded, group, &[*row], query);
        (sums[i], row_scales[i]) = (products.0[0], products.1[0]);
        i += 1;
    }
    let one = isa.splat(1.0);
    let mut total = isa.zero();
    for column in isa.transpose(sums) {
        total = isa.mul_add(one, column, total);
    }
    let constant = isa.mul(isa.splat(constant), isa.load(&[1.0; PANEL_WIDTH]));
    let mut scores = [0.0; PANEL_WIDTH];
    isa.store(isa.mul_add_lines(total, isa.load(&row_scales), constant), &mut scores);
    scores
}

/// Lines times the lines of a query.
struct Multiplied<'a, S: Simd, const R: usize> {
    query: &'a [PanelRow],
    sums: [S::Line; R],
}

impl<S: Simd, const R: usize> Lines<S, R> for Multiplied<'_, S, R> {
    #[inline(always)]
    fn take(&mut self, isa: S, line: usize, values: [S::Line; R]) {
        let query = isa.load(&self.query[line].0);
        for (sum, value) in self.sums.iter_mut().zip(values) {
            *sum = isa.mul_add_lines(value, query, *sum);
        }
    }
}

/// Sixteen sums for each row, and its scale.
#[inline(always)]
fn products<S: Simd, const R: usize>(
    isa: S,
    coded: CodedRows<'_>,
    group: &GroupLayout,
    found: &[(usize, usize); R],
    query: &[PanelRow],
) -> ([S::Line; R], [f32; R]) {
    let (mut rows, mut row_scales) = ([Row::EMPTY; R], [0.0; R]);
    for r in 0..R {
        rows[r] = Row::new(group, coded.factors.codes(), found[r].0);
        row_scales[r] = coded.layout.row_scales[rows[r].row_scale_code(group)];
    }
    let mut lines = Multiplied { query, sums: [isa.zero(); R] };
    read_lines(isa, group, &rows, &mut lines);
    (lines.sums, row_scales)
}
