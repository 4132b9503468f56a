use approx::assert_abs_diff_eq;
use ndarray::{Array1, Array2, concatenate, s};
use rand::{SeedableRng, rngs::ChaCha8Rng};
use rand_distr::{Distribution, StandardNormal};

use super::{NormalEquations, solve_gram, solve_wide};
use crate::linalg::pseudo_inverse;

fn normal(shape: (usize, usize), seed: u64) -> Array2<f64> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    Array2::from_shape_simple_fn(shape, || StandardNormal.sample(&mut rng))
}

fn slice(array: &Array2<f64>) -> &[f64] {
    array.as_slice().expect("row-major")
}

/// The same by blocks of rows, through the normal equations.
fn tall(a: &Array2<f64>, b: &[f64], shift: f64, block: usize) -> Array1<f64> {
    let mut equations = NormalEquations::new(a.ncols());
    equations.add(&vec![7.0; a.ncols()], &[7.0]);
    equations.clear();
    for (rows, values) in a.axis_chunks_iter(ndarray::Axis(0), block).zip(b.chunks(block)) {
        equations.add(slice(&rows.to_owned()), values);
    }
    let mut out = Array1::from_elem(a.ncols(), f64::NAN);
    equations.solve(shift, out.view_mut()).expect("converges");
    out
}

fn wide(a: &Array2<f64>, b: &[f64], shift: f64) -> Array1<f64> {
    let mut out = Array1::from_elem(a.ncols(), f64::NAN);
    solve_wide(slice(a), b, shift, out.view_mut()).expect("converges");
    out
}

/// (Aᵀ·A + shift·I)·x = Aᵀb, as a residual.
fn assert_solves(a: &Array2<f64>, b: &[f64], shift: f64, x: &Array1<f64>) {
    let rest = a.dot(x) - Array1::from(b.to_vec());
    let gradient = a.t().dot(&rest) + x * shift;
    assert_abs_diff_eq!(gradient, Array1::zeros(x.len()), epsilon = 1e-11);
}

#[test]
fn both_ways_solve_the_normal_equations() {
    for (m, n) in [(1, 1), (1, 5), (3, 5), (5, 5), (9, 5), (40, 7)] {
        let (a, b) = (normal((m, n), 1), normal((m, 1), 2));
        for shift in [0.0, 0.5, 100.0] {
            assert_solves(&a, slice(&b), shift, &tall(&a, slice(&b), shift, 4));
            assert_solves(&a, slice(&b), shift, &wide(&a, slice(&b), shift));
        }
    }
}

#[test]
fn singular_equations_have_the_solution_of_least_norm() {
    let (rows, values) = (normal((3, 6), 3), normal((3, 1), 4));
    // Each row twice, and a column of zeros: rank 3 of 6.
    let mut a = concatenate![ndarray::Axis(0), rows, rows];
    a.slice_mut(s![.., 2]).fill(0.0);
    let b = concatenate![ndarray::Axis(0), values, values];
    let inverse = pseudo_inverse(a.view(), 1e-6).expect("converges");
    let expected = inverse.dot(&b.column(0));
    assert_eq!(expected.len(), 6);
    assert_abs_diff_eq!(tall(&a, slice(&b), 0.0, 100), expected, epsilon = 1e-9);
    assert_abs_diff_eq!(wide(&a, slice(&b), 0.0), expected, epsilon = 1e-9);
    let zeros = Array2::zeros((2, 3));
    assert_eq!(tall(&zeros, &[1.0, 2.0], 0.0, 2), Array1::<f64>::zeros(3));
    assert_eq!(wide(&zeros, &[1.0, 2.0], 0.0), Array1::<f64>::zeros(3));
}

#[test]
fn many_right_hand_sides_are_solved_at_once() {
    let (a, b) = (normal((12, 4), 5), normal((12, 3), 6));
    let solution = solve_gram(a.t().dot(&a).view(), 0.25, a.t().dot(&b).view()).expect("converges");
    for (x, b) in solution.columns().into_iter().zip(b.columns()) {
        assert_solves(&a, &b.to_vec(), 0.25, &x.to_owned());
    }
}
