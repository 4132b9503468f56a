//! Rows that are copied as they are, widened where they are narrow.

#![allow(unsafe_code)]

use std::ops::Range;

use ndarray::ArrayViewMut2;

use super::{
    Isa,
    output::OutRows,
    packed::PANEL_WIDTH,
    parallel::for_each_range,
    prefetch::prefetch,
    simd::{Kernel, Number, Simd, load_part, widen, with_numbers},
};
use crate::{
    TokenId,
    rows::{Numbers, Rows},
};

/// How many rows ahead of their use the next ones are asked for: far enough to keep as many on their way as the machine can
/// wait for, near enough to stay in the second-level cache. 8 and 16 rows were slower by up to a third where rows are short.
pub(crate) const AHEAD: usize = 32;

/// Bytes of a row that are asked for line by line: what follows in a longer one, the machine guesses sooner than we ask.
const MAX_PREFETCH: usize = 1536;

/// What a number takes that is read from a large table, about.
pub(super) const NANOSECONDS_PER_NUMBER: f64 = 0.3;

/// Rows that a thread takes at least.
const UNIT: usize = 16;

/// Asks for a row that is needed [a while later](AHEAD).
#[inline(always)]
pub(crate) fn prefetch_row<T>(row: &[T]) {
    prefetch(row, MAX_PREFETCH);
}

/// Row `ids[i]` of the table into row i of `out`.
pub(crate) fn copy_rows(isa: Isa, table: &Rows<'_>, ids: &[TokenId], out: &mut ArrayViewMut2<'_, f32>) {
    match table.numbers() {
        Some(numbers) => copy_stored_rows(isa, numbers, ids, out),
        None => table.copy_rows_into(ids.iter().map(|&id| id as usize), out.rows_mut().into_iter()),
    }
}

/// Row `ids[i]` of the numbers into row i of `out`.
pub(crate) fn copy_stored_rows(isa: Isa, numbers: Numbers<'_>, ids: &[TokenId], out: &mut ArrayViewMut2<'_, f32>) {
    assert_eq!(out.nrows(), ids.len());
    let out = OutRows::new(out);
    for_each_range(ids.len(), UNIT, out.columns() as f64 * NANOSECONDS_PER_NUMBER, |range| {
        with_numbers!(numbers, |numbers| isa.run(Copy { numbers, ids, range, out }));
    });
}

struct Copy<'a, T> {
    numbers: &'a [T],
    ids: &'a [TokenId],
    range: Range<usize>,
    /// Borrowed mutably by [`copy_stored_rows`], which gives every row to one thread.
    out: OutRows<'a>,
}

impl<T: Number> Kernel for Copy<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, isa: S) {
        let width = self.out.columns();
        let row = |id: TokenId| &self.numbers[id as usize * width..][..width];
        for i in self.range {
            if let Some(&next) = self.ids.get(i + AHEAD) {
                prefetch_row(row(next));
            }
            let row = row(self.ids[i]);
            if self.out.has_slices() {
                // SAFETY: row i is this thread's: see the field.
                widen(isa, row, unsafe { self.out.slice(i) });
            } else {
                for (column, piece) in (0..).step_by(PANEL_WIDTH).zip(row.chunks(PANEL_WIDTH)) {
                    let mut numbers = [0.0; PANEL_WIDTH];
                    isa.store(load_part(isa, piece), &mut numbers);
                    let columns = self.out.columns_of(column..column + piece.len());
                    // SAFETY: the same.
                    unsafe { columns.write(i, &numbers[..piece.len()]) };
                }
            }
        }
    }
}
