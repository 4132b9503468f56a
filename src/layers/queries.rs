//! What products with a table need beside it: queries as its stored rows see them, and sums of rows.

use std::cell::Cell;

use ndarray::{ArrayView2, ArrayViewMut2};

use crate::kernel::scratch::{self, Scratch};

/// Vectors [n, width] that are multiplied with stored rows, and a constant for each that every score begins with.
#[derive(Default)]
pub(super) struct Queries {
    vectors: Vec<f32>,
    constants: Vec<f32>,
    len: usize,
    width: usize,
    has_constants: bool,
}

thread_local! {
    static KEPT: Scratch<Queries> = const {
        Cell::new(Queries { vectors: Vec::new(), constants: Vec::new(), len: 0, width: 0, has_constants: false })
    };
}

thread_local! {
    static SUMS: Scratch<Vec<f32>> = const { Cell::new(Vec::new()) };
}

/// Works with zeros [n, width] in memory that the thread keeps from call to call.
pub(super) fn with_sums(n: usize, width: usize, work: impl FnOnce(&mut ArrayViewMut2<'_, f32>)) {
    scratch::with(&SUMS, |sums| {
        let sums = scratch::at_least(sums, n * width);
        sums.fill(0.0);
        if let Ok(mut sums) = ArrayViewMut2::from_shape((n, width), sums) {
            work(&mut sums);
        }
    });
}

impl Queries {
    /// Works with queries in memory that the thread keeps from call to call.
    pub(super) fn with_kept(work: impl FnOnce(&mut Self)) {
        scratch::with(&KEPT, work);
    }

    /// Makes room for so many vectors, without constants.
    pub(super) fn resize(&mut self, len: usize, width: usize) {
        (self.len, self.width, self.has_constants) = (len, width, false);
        self.vectors.resize(len * width, 0.0);
    }

    pub(super) fn vectors(&self) -> ArrayView2<'_, f32> {
        match ArrayView2::from_shape((self.len, self.width), &self.vectors) {
            Ok(vectors) => vectors,
            Err(_) => unreachable!("`resize` makes just as many numbers"),
        }
    }

    pub(super) fn vectors_mut(&mut self) -> ArrayViewMut2<'_, f32> {
        match ArrayViewMut2::from_shape((self.len, self.width), &mut self.vectors) {
            Ok(vectors) => vectors,
            Err(_) => unreachable!("`resize` makes just as many numbers"),
        }
    }

    pub(super) fn constants(&self) -> Option<&[f32]> {
        self.has_constants.then_some(self.constants.as_slice())
    }

    /// Sets a constant for each vector.
    pub(super) fn set_constants(&mut self, constants: impl Iterator<Item = f32>) {
        self.constants.clear();
        self.constants.extend(constants);
        self.has_constants = true;
    }
}
