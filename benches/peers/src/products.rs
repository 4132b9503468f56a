//! The matrix products of libraries that write into an array of the caller's.

use faer::{Accum, MatMut, MatRef, Par, linalg::matmul::matmul};
use gemm::Parallelism;

/// A matrix in row-major order, as it stands or transposed.
#[derive(Clone, Copy)]
pub(crate) struct Matrix<'a> {
    numbers: &'a [f32],
    rows: usize,
    cols: usize,
    transposed: bool,
}

impl<'a> Matrix<'a> {
    pub(crate) fn new(numbers: &'a [f32], rows: usize, cols: usize) -> Self {
        assert_eq!(numbers.len(), rows * cols);
        Self { numbers, rows, cols, transposed: false }
    }

    pub(crate) fn t(self) -> Self {
        Self { transposed: !self.transposed, ..self }
    }

    fn shape(&self) -> (usize, usize) {
        if self.transposed { (self.cols, self.rows) } else { (self.rows, self.cols) }
    }

    /// Distance of columns, distance of rows.
    fn strides(&self) -> (isize, isize) {
        let width = self.cols as isize;
        if self.transposed { (width, 1) } else { (1, width) }
    }

    fn faer(&self) -> MatRef<'a, f32> {
        let matrix = MatRef::from_row_major_slice(self.numbers, self.rows, self.cols);
        if self.transposed { matrix.transpose() } else { matrix }
    }
}

#[derive(Clone, Copy)]
pub(crate) enum Library {
    Gemm,
    Faer,
}

impl Library {
    pub(crate) const ALL: [(&'static str, Self); 2] = [("gemm", Self::Gemm), ("faer", Self::Faer)];

    /// a · b into `out`, row-major.
    pub(crate) fn product(self, a: Matrix<'_>, b: Matrix<'_>, out: &mut [f32], threads: usize) {
        let ((m, k), (inner, n)) = (a.shape(), b.shape());
        assert_eq!((k, m * n), (inner, out.len()));
        match self {
            Self::Gemm => {
                let parallelism = if threads == 1 { Parallelism::None } else { Parallelism::Rayon(threads) };
                let ((a_cs, a_rs), (b_cs, b_rs)) = (a.strides(), b.strides());
                let (a, b, out) = (a.numbers.as_ptr(), b.numbers.as_ptr(), out.as_mut_ptr());
                // SAFETY: the shapes fit each other and the slices, which `Matrix::new` and the assertion above checked; `out`
                // is borrowed alone.
                unsafe {
                    gemm::gemm(
                        m,
                        n,
                        k,
                        out,
                        1,
                        n as isize,
                        false,
                        a,
                        a_cs,
                        a_rs,
                        b,
                        b_cs,
                        b_rs,
                        0.0,
                        1.0,
                        false,
                        false,
                        false,
                        parallelism,
                    );
                }
            }
            Self::Faer => {
                let par = if threads == 1 { Par::Seq } else { Par::rayon(threads) };
                matmul(MatMut::from_row_major_slice_mut(out, m, n), Accum::Replace, a.faer(), b.faer(), 1.0, par);
            }
        }
    }
}
