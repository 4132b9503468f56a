//! Scores of queries with coded rows.
//!
//! ```text
//! out[q, v] = constant[q] + (scale of row v) · Σⱼ Σₖ query[q, group of v][16·k + j] · values(v)[16·k + j]
//! ```
//!
//! A few queries are brought into the order of the codes of each group, and multiplied with σ, once. From then on a line of
//! values is multiplied with a line of the query as soon as it is made, and nothing is stored but scores. 256 rows are sorted by
//! group; of a group, four rows are read together, and multiplied with two queries at a time, so that enough sums are under way, and
//! sixteen sums are transposed and added up together, as in `dots.rs`. Meanwhile the codes of the next rows are asked for: sorted, they
//! are read in no order that the machine would guess.
//!
//! More queries are multiplied with decoded rows, 64 at a time, by `products.rs`.

use std::{cell::Cell, ops::Range};

use ndarray::{Array2, ArrayView2, ArrayViewMut2};

use super::{
    super::{
        Isa,
        output::OutRows,
        packed::{PANEL_WIDTH, PanelRow},
        parallel::for_each_range,
        prefetch::prefetch,
        products::{SCORED_ROWS, TableRows, nanoseconds_per_row, scores_of_range},
        scratch::{self, Scratch},
        simd::{Kernel, Simd},
    },
    CodedRows, decode_rows,
    layout::GroupLayout,
    lines::{Lines, Row, read_lines},
};
use crate::{QuantizedFactors, rows::Numbers};

/// So many queries or fewer are multiplied with values as they are made: to decode rows, and to turn them into panels, takes as
/// long as about so many products.
const FEW_QUERIES: usize = 8;
/// Rows that are sorted by group together.
const SORTED_ROWS: usize = 512;
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
    if n <= FEW_QUERIES || OutRows::new(out).has_slices() {
        return score_into(isa, coded, queries, vectors, rows, OutRows::new(out));
    }
    // Pieces of products add to what stands in the output, in whole lines.
    let mut contiguous = Array2::zeros(out.dim());
    score_into(isa, coded, queries, vectors, rows, OutRows::new(&mut contiguous.view_mut()));
    out.assign(&contiguous);
}

/// Scores of the rows of a range; `vectors` are those of the queries, row-major. Borrows `out` for itself; the numbers of its rows
/// lie side by side, unless the queries are few.
fn score_into(
    isa: Isa,
    coded: CodedRows<'_>,
    queries: Queries<'_>,
    vectors: &[f32],
    rows: Range<usize>,
    out: OutRows<'_>,
) {
    let (n, width) = queries.vectors.dim();
    for_each_range(rows.len(), SORTED_ROWS, nanoseconds_per_row(n, width), |range| {
        if n <= FEW_QUERIES {
            isa.run_codes(FewScores {
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
        if range.is_empty() {
            return;
        }
        let (_, mut place) = places.find(first + range.start);
        let mut ahead = Ahead { codes: coded.codes, place };
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
            ahead.place = place;
            let sorted = Sorted { rows: &sorted, counts: &counts };
            let out = out.columns_of(start..start + len);
            let mut q = 0;
            while q + 2 <= out.num_rows() {
                let scores: [_; 2] = scores(isa, coded, queries, q, constants, sorted, &mut ahead);
                for (i, scores) in scores.iter().enumerate() {
                    // SAFETY: the columns are this thread's: see the field.
                    unsafe { out.write(q + i, &scores[..len]) };
                }
                q += 2;
            }
            if q < out.num_rows() {
                let [scores] = scores(isa, coded, queries, q, constants, sorted, &mut ahead);
                // SAFETY: the same.
                unsafe { out.write(q, &scores[..len]) };
            }
        }
    }
}

/// Rows with their columns, group after group, which have so many each.
#[derive(Clone, Copy)]
struct Sorted<'a> {
    /// The place and the column of each row.
    rows: &'a [(usize, usize)],
    counts: &'a [usize],
}

/// The codes that are read after those of a block of rows.
struct Ahead<'a> {
    codes: &'a [u8],
    place: usize,
}

impl Ahead<'_> {
    /// Asks for so many bytes more.
    #[inline(always)]
    fn ask(&mut self, bytes: usize) {
        let end = self.codes.len().min(self.place + bytes);
        prefetch(&self.codes[self.place.min(end)..end], usize::MAX);
        self.place = end;
    }
}

/// The scores of sorted rows with `Q` queries from one on, at their columns.
#[inline(always)]
fn scores<S: Simd, const Q: usize>(
    isa: S,
    coded: CodedRows<'_>,
    queries: &CodedQueries,
    first_query: usize,
    constants: Option<&[f32]>,
    sorted: Sorted<'_>,
    ahead: &mut Ahead<'_>,
) -> [[f32; SORTED_ROWS]; Q] {
    let groups = &coded.layout.groups;
    let mut num_lines = 0;
    for group in groups {
        num_lines += group.num_lines;
    }
    let mut all = [[0.0; SORTED_ROWS]; Q];
    let (mut first_line, mut first_row) = (0, 0);
    for (group, &count) in groups.iter().zip(sorted.counts) {
        let mut lines: [&[PanelRow]; Q] = [&[]; Q];
        for (q, lines) in lines.iter_mut().enumerate() {
            *lines = &queries.lines[(first_query + q) * num_lines + first_line..][..group.num_lines];
        }
        for sixteen in sorted.rows[first_row..first_row + count].chunks(PANEL_WIDTH) {
            ahead.ask(sixteen.len() * group.row_bytes);
            let (sums, row_scales) = sixteen_products(isa, coded, group, sixteen, &lines);
            for q in 0..Q {
                let constant = constants.map_or(0.0, |constants| constants[first_query + q]);
                for (&(_, column), score) in sixteen.iter().zip(added_up(isa, sums[q], &row_scales, constant)) {
                    all[q][column] = score;
                }
            }
        }
        first_line += group.num_lines;
        first_row += count;
    }
    all
}

/// Sums over every sixteenth code of up to sixteen rows of a group, for each query, and the scales of the rows.
#[inline(always)]
fn sixteen_products<S: Simd, const Q: usize>(
    isa: S,
    coded: CodedRows<'_>,
    group: &GroupLayout,
    rows: &[(usize, usize)],
    queries: &[&[PanelRow]; Q],
) -> ([[S::Line; PANEL_WIDTH]; Q], [f32; PANEL_WIDTH]) {
    let mut sums = [[isa.zero(); PANEL_WIDTH]; Q];
    let mut row_scales = [0.0; PANEL_WIDTH];
    let (fours, rest) = rows.as_chunks::<TOGETHER>();
    for (i, four) in fours.iter().enumerate() {
        let (products, scales) = products(isa, coded, group, four, queries);
        row_scales[i * TOGETHER..][..TOGETHER].copy_from_slice(&scales);
        for q in 0..Q {
            sums[q][i * TOGETHER..][..TOGETHER].copy_from_slice(&products[q]);
        }
    }
    for (i, row) in rest.iter().enumerate() {
        let (products, [scale]) = products(isa, coded, group, &[*row], queries);
        let i = fours.len() * TOGETHER + i;
        row_scales[i] = scale;
        for q in 0..Q {
            sums[q][i] = products[q][0];
        }
    }
    (sums, row_scales)
}

/// The scores of sixteen rows.
#[inline(always)]
fn added_up<S: Simd>(
    isa: S,
    sums: [S::Line; PANEL_WIDTH],
    row_scales: &[f32; PANEL_WIDTH],
    constant: f32,
) -> [f32; PANEL_WIDTH] {
    let one = isa.splat(1.0);
    let mut total = isa.zero();
    for column in isa.transpose(sums) {
        total = isa.mul_add(one, column, total);
    }
    let constant = isa.mul(isa.splat(constant), isa.load(&[1.0; PANEL_WIDTH]));
    let mut scores = [0.0; PANEL_WIDTH];
    isa.store(isa.mul_add_lines(total, isa.load(row_scales), constant), &mut scores);
    scores
}

/// Lines times the lines of queries.
struct Multiplied<'a, S: Simd, const Q: usize, const R: usize> {
    queries: &'a [&'a [PanelRow]; Q],
    sums: [[S::Line; R]; Q],
}

impl<S: Simd, const Q: usize, const R: usize> Lines<S, R> for Multiplied<'_, S, Q, R> {
    #[inline(always)]
    fn take(&mut self, isa: S, line: usize, values: [S::Line; R]) {
        for (query, sums) in self.queries.iter().zip(&mut self.sums) {
            let query = isa.load(&query[line].0);
            for (sum, value) in sums.iter_mut().zip(values) {
                *sum = isa.mul_add_lines(value, query, *sum);
            }
        }
    }
}

/// Sixteen sums for each query and row, and the scales of the rows.
#[inline(always)]
fn products<S: Simd, const Q: usize, const R: usize>(
    isa: S,
    coded: CodedRows<'_>,
    group: &GroupLayout,
    found: &[(usize, usize); R],
    queries: &[&[PanelRow]; Q],
) -> ([[S::Line; R]; Q], [f32; R]) {
    let (mut rows, mut row_scales) = ([Row::EMPTY; R], [0.0; R]);
    for r in 0..R {
        rows[r] = Row::new(group, coded.codes, found[r].0);
        row_scales[r] = coded.layout.row_scales[rows[r].row_scale_code(group)];
    }
    let mut lines = Multiplied { queries, sums: [[isa.zero(); R]; Q] };
    // SAFETY: `Row::new` has been given the same group.
    unsafe { read_lines(isa, group, &rows, &mut lines) };
    (lines.sums, row_scales)
}
