use approx::assert_abs_diff_eq;
use ndarray::{Array2, ArrayView2, Axis, array, concatenate, s};
use rand::{SeedableRng, rngs::ChaCha8Rng};
use rand_distr::{Distribution, StandardNormal};

use super::{
    Eigen, RightSvd, gram, mirror, orthonormal_columns, product, pseudo_inverse, right_svd, right_svd_of_gram,
    square_root, symmetric_eigen, transposed_product, triangular_factor,
};

const SHAPES: [(usize, usize); 6] = [(40, 7), (7, 7), (4, 9), (1, 5), (6, 1), (130, 33)];

fn normal(shape: (usize, usize), seed: u64) -> Array2<f64> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    Array2::from_shape_simple_fn(shape, || StandardNormal.sample(&mut rng))
}

fn full_gram(matrix: ArrayView2<'_, f64>) -> Array2<f64> {
    let mut full = gram(matrix);
    mirror(&mut full);
    full
}

#[test]
fn products_are_those_of_ndarray() {
    for shape in SHAPES {
        let (a, b) = (normal(shape, 1), normal((shape.1, 3), 2));
        assert_abs_diff_eq!(product(a.view(), b.view()), a.dot(&b), epsilon = 1e-13);
        let c = normal((shape.0, 3), 3);
        assert_abs_diff_eq!(transposed_product(a.view(), c.view()), a.t().dot(&c), epsilon = 1e-13);
        // Strided views too.
        let (every_second, reversed) = (a.slice(s![..;2, ..]), a.slice(s![.., ..;-1]));
        assert_abs_diff_eq!(product(every_second, b.view()), every_second.dot(&b), epsilon = 1e-13);
        assert_abs_diff_eq!(full_gram(reversed), reversed.t().dot(&reversed), epsilon = 1e-12);
        let narrow = a.mapv(|value| value as f32);
        let expected = narrow.t().dot(&narrow);
        for ((i, j), value) in gram(narrow.view()).indexed_iter() {
            let expected = if j <= i { expected[[i, j]] } else { 0.0 };
            assert_abs_diff_eq!(*value, expected, epsilon = 1e-4);
        }
    }
}

#[test]
fn right_singular_vectors_diagonalise_the_gram_matrix() {
    for shape in SHAPES {
        let matrix = normal(shape, 3);
        let from_gram = right_svd_of_gram(gram(matrix.view()).view()).expect("converges");
        let side = shape.0.min(shape.1);
        let exact = right_svd(matrix.view()).expect("converges");
        assert_eq!(exact.v.dim(), (side, shape.1));
        let RightSvd { singular_values, v } = from_gram;
        assert_abs_diff_eq!(singular_values.slice(s![..side]), exact.singular_values, epsilon = 1e-10);
        for (singular_values, v) in [(singular_values, v), (exact.singular_values, exact.v)] {
            assert_abs_diff_eq!(v.dot(&v.t()), Array2::eye(v.nrows()), epsilon = 1e-13);
            let image = matrix.dot(&v.t());
            let expected = Array2::from_diag(&singular_values.mapv(|value| value * value));
            assert_abs_diff_eq!(image.t().dot(&image), expected, epsilon = 1e-10);
            assert!(singular_values.windows(2).into_iter().all(|pair| pair[0] >= pair[1]));
        }
    }
}

#[test]
fn triangular_factors_keep_the_gram_matrix_and_orthonormal_columns_the_span() {
    for shape in SHAPES {
        let matrix = normal(shape, 4);
        let (r, q) = (triangular_factor(matrix.view()), orthonormal_columns(matrix.view()));
        assert_eq!((r.dim(), q.dim()), ((shape.0.min(shape.1), shape.1), (shape.0, shape.0.min(shape.1))));
        assert_abs_diff_eq!(r.t().dot(&r), matrix.t().dot(&matrix), epsilon = 1e-12);
        assert_abs_diff_eq!(q.t().dot(&q), Array2::eye(q.ncols()), epsilon = 1e-13);
        assert_abs_diff_eq!(q.dot(&q.t()).dot(&matrix), matrix, epsilon = 1e-13);
    }
}

#[test]
fn small_singular_values_are_accurate_to_the_largest() {
    // Columns of geometric scales: the Gram matrix loses everything below 1e-8.
    let scales = array![1.0, 1e-4, 1e-8, 1e-12];
    let matrix = orthonormal_columns(normal((50, 4), 1).view()) * &scales;
    let exact = right_svd(matrix.view()).expect("converges").singular_values;
    assert_abs_diff_eq!(exact, scales, epsilon = 1e-15);
    let noisy = right_svd_of_gram(full_gram(matrix.view()).view()).expect("converges").singular_values;
    assert_abs_diff_eq!(noisy, scales, epsilon = 1e-7);
}

#[test]
fn eigenvectors_are_those_of_their_eigenvalues() {
    let matrix = full_gram(normal((6, 9), 8).view());
    let Eigen { values, vectors } = symmetric_eigen(matrix.view()).expect("converges");
    assert!(values.windows(2).into_iter().all(|pair| pair[0] >= pair[1]));
    assert_abs_diff_eq!(vectors.dot(&matrix), &vectors * &values.insert_axis(Axis(1)), epsilon = 1e-12);
}

#[test]
fn the_pseudo_inverse_inverts_what_can_be_inverted() {
    let matrix = normal((3, 8), 5);
    let inverse = pseudo_inverse(matrix.view(), 1e-12).expect("converges");
    assert_abs_diff_eq!(matrix.dot(&inverse), Array2::eye(3), epsilon = 1e-13);

    // Rank 2 of 3: A·A⁺·A = A still holds, and A⁺·A is a projection.
    let deficient = concatenate![Axis(0), matrix.slice(s![..2, ..]), matrix.slice(s![..1, ..])];
    let inverse = pseudo_inverse(deficient.view(), 1e-12).expect("converges");
    assert_abs_diff_eq!(deficient.dot(&inverse).dot(&deficient), deficient, epsilon = 1e-12);
}

#[test]
fn the_square_root_squares_to_the_matrix() {
    let factor = normal((5, 3), 7);
    let covariance = factor.dot(&factor.t());
    let root = square_root(covariance.view()).expect("converges");
    assert_abs_diff_eq!(root.dot(&root.t()), covariance, epsilon = 1e-12);
}
