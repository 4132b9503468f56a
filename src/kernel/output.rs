//! The output of a kernel: rows that several threads write, each its own.

#![allow(unsafe_code)]

use std::{marker::PhantomData, ops::Range};

use ndarray::ArrayViewMut2;

/// A matrix \[n, columns\] of any strides that is written row by row, in any order, by any number of threads.
#[derive(Clone, Copy)]
pub(super) struct OutRows<'a> {
    start: *mut f32,
    row_stride: isize,
    column_stride: isize,
    num_rows: usize,
    columns: usize,
    borrow: PhantomData<&'a mut [f32]>,
}

// SAFETY: the matrix is borrowed mutably for 'a; the methods that touch it are unsafe and demand of their callers that no two
// threads touch a number at the same time.
unsafe impl Send for OutRows<'_> {}
// SAFETY: the same.
unsafe impl Sync for OutRows<'_> {}

impl<'a> OutRows<'a> {
    pub(super) fn new(out: &'a mut ArrayViewMut2<'_, f32>) -> Self {
        let &[row_stride, column_stride] = out.strides() else { unreachable!("two dimensions have two strides") };
        let (num_rows, columns) = out.dim();
        // The stride of a single column, or of no rows, is never taken, whatever it says.
        let column_stride = if columns > 1 && num_rows > 0 { column_stride } else { 1 };
        Self { start: out.as_mut_ptr(), row_stride, column_stride, num_rows, columns, borrow: PhantomData }
    }

    /// The rows from one on.
    pub(super) fn rows_from(self, row: usize) -> Self {
        Self { start: self.row(row), num_rows: self.num_rows - row, ..self }
    }

    /// The columns of a range.
    pub(super) fn columns_of(self, range: Range<usize>) -> Self {
        assert!(range.start <= range.end && range.end <= self.columns, "columns of the output");
        let start = self.start.wrapping_offset(range.start as isize * self.column_stride);
        Self { start, columns: range.len(), ..self }
    }

    pub(super) fn num_rows(self) -> usize {
        self.num_rows
    }

    pub(super) fn columns(self) -> usize {
        self.columns
    }

    /// Whether the numbers of a row lie side by side.
    pub(super) fn has_slices(self) -> bool {
        self.column_stride == 1
    }

    /// Where a row begins: at `columns` numbers side by side if it [has slices](Self::has_slices).
    #[inline(always)]
    pub(super) fn row(self, row: usize) -> *mut f32 {
        assert!(row < self.num_rows, "a row of the output");
        // SAFETY: the row is one of the matrix, which lies within one allocation.
        unsafe { self.start.offset(row as isize * self.row_stride) }
    }

    /// A row as a slice.
    ///
    /// # Safety
    /// No other thread touches the row, and no other slice of it is alive.
    ///
    /// # Panics
    /// If the numbers of a row do not lie side by side.
    pub(super) unsafe fn slice(self, row: usize) -> &'a mut [f32] {
        assert!(self.has_slices());
        // SAFETY: `columns` numbers of the matrix lie side by side from there; nobody else touches them, says the caller.
        unsafe { std::slice::from_raw_parts_mut(self.row(row), self.columns) }
    }

    /// Writes numbers, one for each column, into a row.
    ///
    /// # Safety
    /// No other thread touches the row, and no slice of it is alive.
    pub(super) unsafe fn write(self, row: usize, numbers: &[f32]) {
        assert_eq!(numbers.len(), self.columns);
        if self.has_slices() {
            // SAFETY: what this method demands.
            unsafe { self.slice(row) }.copy_from_slice(numbers);
            return;
        }
        let start = self.row(row);
        for (column, &number) in (0..).zip(numbers) {
            // SAFETY: a number of the row: there are as many as columns.
            let target = unsafe { start.offset(column * self.column_stride) };
            // SAFETY: the same, and nobody else touches it, says the caller.
            unsafe { target.write(number) };
        }
    }

    /// Copies one row to another.
    ///
    /// # Safety
    /// The rows differ; no other thread touches `to` or writes `from`, and no slice of them is alive.
    pub(super) unsafe fn copy(self, from: usize, to: usize) {
        let (from, to) = (self.row(from), self.row(to));
        if self.has_slices() {
            // SAFETY: `columns` numbers side by side from each of them on, of different rows.
            unsafe { std::ptr::copy_nonoverlapping(from, to, self.columns) };
            return;
        }
        for column in 0..self.columns as isize {
            // SAFETY: a number of the row.
            let source = unsafe { from.offset(column * self.column_stride) };
            // SAFETY: a number of the other row.
            let target = unsafe { to.offset(column * self.column_stride) };
            // SAFETY: two numbers of the matrix; nobody else writes them, says the caller.
            unsafe { target.copy_from_nonoverlapping(source, 1) };
        }
    }

    /// Writes each number into its column of a row.
    ///
    /// # Safety
    /// No other thread touches these numbers, and no slice of the row is alive.
    pub(super) unsafe fn scatter(self, row: usize, columns: impl Iterator<Item = usize>, numbers: &[f32]) {
        let start = self.row(row);
        for (column, &number) in columns.zip(numbers) {
            assert!(column < self.columns, "a column of the output");
            // SAFETY: a number of the row.
            let target = unsafe { start.offset(column as isize * self.column_stride) };
            // SAFETY: the same, and nobody else touches it, says the caller.
            unsafe { target.write(number) };
        }
    }
}
