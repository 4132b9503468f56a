//! Products of matrices.

use faer::{
    Accum, MatMut, MatRef, Par,
    linalg::matmul::{
        matmul,
        triangular::{self, BlockStructure},
    },
    traits::RealField,
};
use ndarray::{Array2, ArrayView2, ArrayViewMut2, LinalgScalar};

/// What matrices are made of.
pub(crate) trait Number: RealField + LinalgScalar + Copy {}

impl Number for f32 {}
impl Number for f64 {}

/// A · B, \[m × k\] · \[k × n\].
pub(crate) fn product<T: Number>(a: ArrayView2<'_, T>, b: ArrayView2<'_, T>) -> Array2<T> {
    multiply(a, b, false)
}

/// Aᵀ · B, \[k × m\]ᵀ · \[k × n\].
pub(crate) fn transposed_product<T: Number>(a: ArrayView2<'_, T>, b: ArrayView2<'_, T>) -> Array2<T> {
    multiply(a, b, true)
}

/// [`product`] into an array of the caller's \[m × n\].
pub(crate) fn product_into<T: Number>(a: ArrayView2<'_, T>, b: ArrayView2<'_, T>, mut out: ArrayViewMut2<'_, T>) {
    let (a, b) = (a.as_standard_layout(), b.as_standard_layout());
    let (rows, columns) = out.dim();
    match out.as_slice_mut() {
        Some(out) => {
            let out = MatMut::from_row_major_slice_mut(out, rows, columns);
            matmul(out, Accum::Replace, row_major(&a), row_major(&b), T::one(), Par::Seq);
        }
        None => out.assign(&product(a.view(), b.view())),
    }
}

fn multiply<T: Number>(a: ArrayView2<'_, T>, b: ArrayView2<'_, T>, transposed: bool) -> Array2<T> {
    let (a, b) = (a.as_standard_layout(), b.as_standard_layout());
    let (left, right) = (row_major(&a), row_major(&b));
    let left = if transposed { left.transpose() } else { left };
    let mut out = Array2::zeros((left.nrows(), right.ncols()));
    matmul(row_major_mut(&mut out), Accum::Replace, left, right, T::one(), Par::Seq);
    out
}

/// The lower triangle of Aᵀ · A \[n × n\] of A \[m × n\]; zeros above it.
pub(crate) fn gram<T: Number>(a: ArrayView2<'_, T>) -> Array2<T> {
    let mut out = Array2::zeros((a.ncols(), a.ncols()));
    add_gram(a, &mut out);
    out
}

/// Adds the lower triangle of Aᵀ · A to that of a row-major matrix \[n × n\].
pub(crate) fn add_gram<T: Number>(a: ArrayView2<'_, T>, out: &mut Array2<T>) {
    let a = a.as_standard_layout();
    let a = row_major(&a);
    triangular::matmul(
        row_major_mut(out),
        BlockStructure::TriangularLower,
        Accum::Add,
        a.transpose(),
        BlockStructure::Rectangular,
        a,
        BlockStructure::Rectangular,
        T::one(),
        Par::Seq,
    );
}

/// Copies the lower triangle of a square matrix to the upper one.
pub(crate) fn mirror(matrix: &mut Array2<f64>) {
    for row in 1..matrix.nrows() {
        for column in 0..row {
            matrix[[column, row]] = matrix[[row, column]];
        }
    }
}

fn row_major<'a, T: Number, S: ndarray::Data<Elem = T>>(
    array: &'a ndarray::ArrayBase<S, ndarray::Ix2>,
) -> MatRef<'a, T> {
    // Arrays of standard layout have a slice.
    MatRef::from_row_major_slice(array.as_slice().unwrap_or_default(), array.nrows(), array.ncols())
}

fn row_major_mut<T: Number>(array: &mut Array2<T>) -> MatMut<'_, T> {
    let (rows, columns) = array.dim();
    MatMut::from_row_major_slice_mut(array.as_slice_mut().unwrap_or_default(), rows, columns)
}
