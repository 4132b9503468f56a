use approx::assert_abs_diff_eq;
use ndarray::{Array2, Axis, array, concatenate};
use rand::{SeedableRng, rngs::ChaCha8Rng};
use rand_distr::{Distribution, StandardNormal};

use super::{RightSvd, TriangularFactor, pseudo_inverse, square_root};

fn normal(shape: (usize, usize), seed: u64) -> Array2<f64> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    Array2::from_shape_simple_fn(shape, || StandardNormal.sample(&mut rng))
}

fn svd_of_blocks(matrix: &Array2<f64>, block: usize) -> RightSvd {
    let mut factor = TriangularFactor::new(matrix.ncols());
    for rows in matrix.axis_chunks_iter(Axis(0), block) {
        factor.append(rows);
    }
    factor.svd().expect("a random matrix converges")
}

#[test]
fn v_diagonalises_the_gram_matrix_for_every_block_size() {
    for shape in [(40, 7), (7, 7), (4, 9), (1, 5), (6, 1)] {
        let matrix = normal(shape, 3);
        for block in [1, 3, 7, 100] {
            let RightSvd { singular_values, v } = svd_of_blocks(&matrix, block);
            assert_eq!(v.dim(), (shape.0.min(shape.1), shape.1));
            assert_abs_diff_eq!(v.dot(&v.t()), Array2::eye(v.nrows()), epsilon = 1e-13);
            let image = matrix.dot(&v.t());
            let expected = Array2::from_diag(&singular_values.mapv(|value| value * value));
            assert_abs_diff_eq!(image.t().dot(&image), expected, epsilon = 1e-11);
            assert!(singular_values.windows(2).into_iter().all(|pair| pair[0] >= pair[1]));
        }
    }
}

#[test]
fn small_singular_values_are_accurate_to_the_largest() {
    // Columns of geometric scales: the Gram matrix would lose everything below 1e-8.
    let scales = array![1.0, 1e-4, 1e-8, 1e-12];
    let orthonormal = svd_of_blocks(&normal((4, 50), 1), 2).v;
    let matrix = orthonormal.t().to_owned() * &scales;
    assert_abs_diff_eq!(svd_of_blocks(&matrix, 9).singular_values, scales, epsilon = 1e-15);
}

#[test]
fn the_pseudo_inverse_inverts_what_can_be_inverted() {
    let matrix = normal((3, 8), 5);
    let inverse = pseudo_inverse(matrix.view(), 1e-12).expect("converges");
    assert_abs_diff_eq!(matrix.dot(&inverse), Array2::eye(3), epsilon = 1e-13);

    // Rank 2 of 3: A·A⁺·A = A still holds, and A⁺·A is a projection.
    let deficient = concatenate![Axis(0), matrix.slice(ndarray::s![..2, ..]), matrix.slice(ndarray::s![..1, ..])];
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
