//! Without weights.

use factorized_embedding::{Decompose, Decomposition, Rank, TruncatedSvd};
use ndarray::{Array2, ArrayView2, s};

use super::{
    checks::{check_decomposition, relative_error, rounding},
    tables::{BLOCK_EDGES, tables},
};
use crate::support::{
    compare::assert_same_bits,
    eigenvalues::{eigenvalues, gram},
    random,
};

fn decompose(table: ArrayView2<'_, f32>, rank: usize) -> Decomposition {
    TruncatedSvd::new(Rank::Fixed(rank)).decompose(table).expect("a finite table and a rank that it has")
}

#[test]
fn the_promises_hold_for_every_kind_of_table_at_every_rank() {
    for (name, table) in tables() {
        for rank in 1..=table.nrows().min(table.ncols()) {
            let decomposition = decompose(table.view(), rank);
            assert_eq!(decomposition.factors.rank(), rank);
            check_decomposition(name, table.view(), None, &decomposition);
        }
    }
}

#[test]
fn the_promises_hold_across_blocks_of_rows() {
    for rows in BLOCK_EDGES {
        let table = random::normal((rows, 5), 21);
        check_decomposition(&format!("{rows} rows"), table.view(), None, &decompose(table.view(), 3));
    }
}

#[test]
fn jacobi_rotations_give_known_eigenvalues() {
    // What the checks trust: [[2, 1], [1, 2]] has the eigenvalues 3 and 1, and the trace stays.
    let known = eigenvalues(ndarray::array![[2.0, 1.0], [1.0, 2.0]]);
    approx::assert_abs_diff_eq!(known, ndarray::array![3.0, 1.0], epsilon = 1e-15);
    let gram = gram(random::normal((20, 6), 1).view(), None);
    let values = eigenvalues(gram.clone());
    approx::assert_relative_eq!(values.sum(), gram.diag().sum(), max_relative = 1e-13);
    let squares: f64 = values.mapv(|value| value * value).sum();
    approx::assert_relative_eq!(squares, gram.mapv(|value| value * value).sum(), max_relative = 1e-13);
}

#[test]
fn strides_of_the_table_change_nothing() {
    let table = random::normal((30, 8), 22);
    let expected = decompose(table.view(), 5);
    let transposed = table.t().to_owned();
    let mut spread = Array2::zeros((60, 9));
    spread.slice_mut(s![..;2, ..;-1]).slice_mut(s![.., ..8]).assign(&table);
    let strided = [transposed.t(), spread.slice(s![..;2, ..;-1]).slice_move(s![.., ..8])];
    for view in strided {
        assert_eq!(view, table);
        let decomposition = decompose(view, 5);
        check_decomposition("strided", view, None, &decomposition);
        assert_eq!(decomposition.spectrum, expected.spectrum);
        assert_same_bits("V", decomposition.factors.v(), expected.factors.v());
    }
}

#[test]
fn the_same_table_gives_the_same_bits() {
    let table = random::normal((1100, 9), 23);
    let (first, second) = (decompose(table.view(), 4), decompose(table.view(), 4));
    assert_eq!(first, second);
    assert_same_bits("U", first.factors.u().view(), second.factors.u().view());
    assert_same_bits("V", first.factors.v(), second.factors.v());
}

#[test]
fn a_smaller_rank_is_a_part_of_a_larger_one() {
    let table = random::normal((30, 8), 24);
    let (small, large) = (decompose(table.view(), 3).factors, decompose(table.view(), 7).factors);
    assert_same_bits("V", small.v(), large.v().slice(s![..3, ..]));
    assert_same_bits("U", small.u().view(), large.u().slice(s![.., ..3]));
}

#[test]
fn scaling_the_table_scales_the_singular_values_only() {
    let table = random::normal((30, 8), 25);
    let expected = decompose(table.view(), 5);
    for scale in [2.0_f32.powi(-40), 2.0, 2.0_f32.powi(60)] {
        let scaled = decompose((&table * scale).view(), 5);
        check_decomposition(&format!("scaled by {scale:e}"), (&table * scale).view(), None, &scaled);
        approx::assert_relative_eq!(
            scaled.spectrum.singular_values(),
            &expected.spectrum.singular_values() * f64::from(scale),
            max_relative = 1e-12
        );
        approx::assert_relative_eq!(scaled.relative_error, expected.relative_error, max_relative = 1e-6);
    }
}

#[test]
fn the_full_rank_loses_nothing_but_rounding() {
    for (name, table) in tables() {
        let decomposition = decompose(table.view(), table.nrows().min(table.ncols()));
        let tolerance = rounding(table.view(), None, &decomposition.factors);
        let error = relative_error(table.view(), None, &decomposition.factors);
        assert!(error <= tolerance, "{name}: {error:e} is more than rounding, {tolerance:e}");
    }
}

#[test]
fn a_table_of_zeros_has_zero_factors_and_no_error() {
    let decomposition = decompose(Array2::zeros((6, 4)).view(), 3);
    assert_eq!(decomposition.relative_error, 0.0);
    assert_eq!(decomposition.factors.to_dense(), Array2::<f32>::zeros((6, 4)));
}
