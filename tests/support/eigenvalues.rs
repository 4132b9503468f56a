//! Singular values by another way than the crate's: eigenvalues of the Gram matrix, by Jacobi's rotations (Golub & Van Loan,
//! "Matrix Computations", §8.5), in f64.

use ndarray::{Array1, Array2, ArrayView2};

/// More are never needed: convergence is quadratic.
const SWEEPS: usize = 12;

/// The Gram matrix of A, where row i of A is √weightᵢ · row i of the table.
pub(crate) fn gram(table: ArrayView2<'_, f32>, weights: Option<&[f64]>) -> Array2<f64> {
    let dim = table.ncols();
    let mut gram = Array2::zeros((dim, dim));
    for (i, row) in table.rows().into_iter().enumerate() {
        let weight = weights.map_or(1.0, |weights| weights[i]);
        for j in 0..dim {
            for k in 0..dim {
                gram[[j, k]] += weight * f64::from(row[j]) * f64::from(row[k]);
            }
        }
    }
    gram
}

/// The eigenvalues of a symmetric matrix, never increasing.
pub(crate) fn eigenvalues(mut matrix: Array2<f64>) -> Array1<f64> {
    let n = matrix.nrows();
    for _ in 0..SWEEPS {
        for p in 0..n {
            for q in p + 1..n {
                rotate(&mut matrix, p, q);
            }
        }
    }
    let mut values = matrix.diag().to_vec();
    values.sort_by(|a, b| b.total_cmp(a));
    values.into()
}

/// Makes the entry \[p, q\] zero.
fn rotate(matrix: &mut Array2<f64>, p: usize, q: usize) {
    if matrix[[p, q]] == 0.0 {
        return;
    }
    let theta = (matrix[[q, q]] - matrix[[p, p]]) / (2.0 * matrix[[p, q]]);
    let tangent = theta.signum() / (theta.abs() + theta.hypot(1.0));
    let cosine = tangent.hypot(1.0).recip();
    let sine = tangent * cosine;
    for k in 0..matrix.nrows() {
        let (a, b) = (matrix[[k, p]], matrix[[k, q]]);
        matrix[[k, p]] = cosine * a - sine * b;
        matrix[[k, q]] = sine * a + cosine * b;
    }
    for k in 0..matrix.nrows() {
        let (a, b) = (matrix[[p, k]], matrix[[q, k]]);
        matrix[[p, k]] = cosine * a - sine * b;
        matrix[[q, k]] = sine * a + cosine * b;
    }
}

/// How far an eigenvalue of a Gram matrix may be off: it is a sum over the rows, and in each sweep every entry takes part
/// in about 2·dim rotations.
pub(crate) fn tolerance(table: ArrayView2<'_, f32>, gram: &Array2<f64>) -> f64 {
    (table.nrows() + 2 * SWEEPS * table.ncols()) as f64 * f64::EPSILON * gram.diag().sum()
}

/// √(tail / total): the least relative error of any factors of each rank from 0 on (Eckart & Young 1936).
pub(crate) fn optimal_errors(squared_singular_values: &Array1<f64>) -> Vec<f64> {
    let total = squared_singular_values.sum();
    (0..=squared_singular_values.len())
        .map(|rank| {
            let tail: f64 = squared_singular_values.iter().skip(rank).sum();
            if total > 0.0 { (tail.max(0.0) / total).sqrt() } else { 0.0 }
        })
        .collect()
}
