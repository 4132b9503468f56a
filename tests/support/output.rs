//! Output arrays of all kinds of strides, poisoned so that what was not written, or written outside, is seen.

use ndarray::{Array2, ArrayViewMut2, s};

/// A NaN that no computation gives.
const POISON: u32 = 0x7fc0_dead;

/// How an output array lies in its memory.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Layout {
    RowMajor,
    ColumnMajor,
    WindowOfLarger,
    EveryOtherColumn,
    ReversedRows,
    ReversedColumns,
}

pub(crate) const LAYOUTS: [Layout; 6] = [
    Layout::RowMajor,
    Layout::ColumnMajor,
    Layout::WindowOfLarger,
    Layout::EveryOtherColumn,
    Layout::ReversedRows,
    Layout::ReversedColumns,
];

/// A poisoned array and the part of it that is to be written.
#[derive(Debug)]
pub(crate) struct Output {
    memory: Array2<f32>,
    layout: Layout,
    shape: (usize, usize),
}

impl Output {
    pub(crate) fn new(layout: Layout, shape: (usize, usize)) -> Self {
        let (rows, columns) = shape;
        let memory_shape = match layout {
            Layout::RowMajor | Layout::ReversedRows | Layout::ReversedColumns => (rows, columns),
            Layout::ColumnMajor => (columns, rows),
            Layout::WindowOfLarger => (rows + 3, columns + 5),
            Layout::EveryOtherColumn => (rows, 2 * columns),
        };
        Self { memory: Array2::from_elem(memory_shape, f32::from_bits(POISON)), layout, shape }
    }

    pub(crate) fn view_mut(&mut self) -> ArrayViewMut2<'_, f32> {
        let (rows, columns) = self.shape;
        let memory = self.memory.view_mut();
        match self.layout {
            Layout::RowMajor => memory,
            Layout::ColumnMajor => memory.reversed_axes(),
            Layout::WindowOfLarger => memory.slice_move(s![1..=rows, 2..columns + 2]),
            Layout::EveryOtherColumn => memory.slice_move(s![.., ..;2]),
            Layout::ReversedRows => memory.slice_move(s![..;-1, ..]),
            Layout::ReversedColumns => memory.slice_move(s![.., ..;-1]),
        }
    }

    /// What was written; fails when anything is still poisoned, or something outside was written.
    #[track_caller]
    pub(crate) fn written(mut self) -> Array2<f32> {
        let (rows, columns) = self.shape;
        let outside = self.memory.len() - rows * columns;
        let written = self.view_mut().to_owned();
        assert_eq!(poisoned(&written), 0, "{:?} {:?}: elements that were not written", self.layout, self.shape);
        assert_eq!(poisoned(&self.memory), outside, "{:?} {:?}: elements outside", self.layout, self.shape);
        written
    }

    /// Fails when anything was written.
    #[track_caller]
    pub(crate) fn assert_untouched(&self) {
        assert_eq!(poisoned(&self.memory), self.memory.len(), "{:?} {:?}: untouched", self.layout, self.shape);
    }
}

fn poisoned(array: &Array2<f32>) -> usize {
    array.iter().filter(|value| value.to_bits() == POISON).count()
}
