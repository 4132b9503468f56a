//! The few calls into `faer`, behind plain functions on arrays; each of them runs on the thread that calls it.

mod eigen;
mod least_squares;
mod orthogonal;
mod products;

use faer::{Mat, MatRef};
use ndarray::{Array1, Array2, ArrayView2};

pub(crate) use eigen::{Eigen, right_svd_of_gram, square_root, symmetric_eigen};
pub(crate) use least_squares::{NormalEquations, solve_gram, solve_wide};
pub(crate) use orthogonal::{
    orient, orthonormal_columns, pseudo_inverse, right_svd, triangular_factor, triangular_factor_of_columns,
};
pub(crate) use products::{Number, add_gram, gram, mirror, product, product_into, transposed_product};

/// The singular values of a matrix \[n × dim\], never increasing, and its right singular vectors.
pub(crate) struct RightSvd {
    /// \[k\], k ≤ min(n, dim)
    pub(crate) singular_values: Array1<f64>,
    /// \[k × dim\], orthonormal rows.
    pub(crate) v: Array2<f64>,
}

fn to_mat(array: ArrayView2<'_, f64>) -> Mat<f64> {
    Mat::from_fn(array.nrows(), array.ncols(), |i, j| array[[i, j]])
}

fn to_array(mat: MatRef<'_, f64>) -> Array2<f64> {
    Array2::from_shape_fn((mat.nrows(), mat.ncols()), |(i, j)| mat[(i, j)])
}

#[cfg(test)]
mod tests;
