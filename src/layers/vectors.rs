//! What products with a table need beside it, in memory that is kept from call to call.

use std::cell::Cell;

use ndarray::{ArrayView2, ArrayViewMut2};

use crate::kernel::{
    CodedQueries, CodedRows,
    scratch::{self, Scratch},
};

/// Vectors \[n, width\] and a number for each: queries as the stored rows of a table see them, with the constant that every
/// score begins with; or weighted sums of its rows, with the weight of the bias.
#[derive(Default)]
pub(super) struct Vectors {
    vectors: Vec<f32>,
    constants: Vec<f32>,
    /// The same vectors, if they are few queries of coded rows.
    coded: CodedQueries,
    len: usize,
    width: usize,
    has_constants: bool,
}

thread_local! {
    static KEPT: Scratch<Vectors> = const { Cell::new(Vectors::new()) };
}

impl Vectors {
    pub(super) const fn new() -> Self {
        Self {
            vectors: Vec::new(),
            constants: Vec::new(),
            coded: CodedQueries::new(),
            len: 0,
            width: 0,
            has_constants: false,
        }
    }

    /// Works with vectors in memory that the thread keeps from call to call.
    pub(super) fn with_kept(work: impl FnOnce(&mut Self)) {
        scratch::with(&KEPT, work);
    }

    /// So many zero vectors, without constants.
    pub(super) fn reset(&mut self, len: usize, width: usize) {
        (self.len, self.width, self.has_constants) = (len, width, false);
        self.vectors.clear();
        self.vectors.resize(len * width, 0.0);
    }

    /// \[n · width\], row-major.
    pub(super) fn numbers(&self) -> &[f32] {
        &self.vectors
    }

    pub(super) fn vectors(&self) -> ArrayView2<'_, f32> {
        self.part(0, self.width)
    }

    pub(super) fn vectors_mut(&mut self) -> ArrayViewMut2<'_, f32> {
        self.part_mut(0, self.width)
    }

    /// Vectors of a part of the width, where each part has a matrix of its own: \[n, width\], behind those of the parts that
    /// take the first `start` of it.
    pub(super) fn part(&self, start: usize, width: usize) -> ArrayView2<'_, f32> {
        match ArrayView2::from_shape((self.len, width), &self.vectors[self.len * start..][..self.len * width]) {
            Ok(vectors) => vectors,
            Err(_) => unreachable!("as many numbers are asked for"),
        }
    }

    pub(super) fn part_mut(&mut self, start: usize, width: usize) -> ArrayViewMut2<'_, f32> {
        match ArrayViewMut2::from_shape((self.len, width), &mut self.vectors[self.len * start..][..self.len * width]) {
            Ok(vectors) => vectors,
            Err(_) => unreachable!("as many numbers are asked for"),
        }
    }

    /// The constants of a part, where each has its own, part after part.
    pub(super) fn part_constants(&self, part: usize) -> Option<&[f32]> {
        self.constants().map(|constants| &constants[part * self.len..][..self.len])
    }

    pub(super) fn constants(&self) -> Option<&[f32]> {
        self.has_constants.then_some(self.constants.as_slice())
    }

    /// Keeps the vectors as queries of coded rows, too.
    pub(super) fn code_queries(&mut self, rows: CodedRows<'_>) {
        let Self { vectors, coded, len, width, .. } = self;
        coded.set(rows, vectors, (*len, *width));
    }

    pub(super) fn coded(&self) -> &CodedQueries {
        &self.coded
    }

    /// Sets a constant for each vector.
    pub(super) fn set_constants(&mut self, constants: impl Iterator<Item = f32>) {
        self.constants.clear();
        self.constants.extend(constants);
        self.has_constants = true;
    }
}
