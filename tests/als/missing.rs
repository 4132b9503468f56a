//! Entries that are missing: every way to say so, and rows and columns of which little is known.

use factorized_embedding::{AlternatingLeastSquares, Observations, RowWeights};
use ndarray::{Array2, s};

use super::checks::{check_form, known, mask, product, zeros_and_ones};
use crate::support::random::{normal, rng};

const SHAPE: (usize, usize) = (40, 12);

fn triplets(table: &Array2<f32>, mask: &Array2<bool>) -> Vec<(u32, u32, f32)> {
    let entries = table.indexed_iter().filter(|(index, _)| mask[*index]);
    entries.map(|((row, column), &value)| (row as u32, column as u32, value)).collect()
}

#[test]
fn triplets_masks_and_weights_of_zero_say_the_same() {
    let mask = mask(SHAPE, 0.6, 21);
    let mut table = normal(SHAPE, 22);
    let from_triplets = triplets(&table, &mask);
    // What is missing may be anything.
    ndarray::Zip::from(&mut table).and(&mask).for_each(|value, known| {
        if !known {
            *value = f32::NAN;
        }
    });
    let weights = zeros_and_ones(&mask).mapv(|weight| weight as f32);
    let mut shuffled = from_triplets.clone();
    rand::seq::SliceRandom::shuffle(&mut shuffled[..], &mut rng(23));
    let expected = known(table.view(), &mask);
    let same = [
        Observations::from_triplets(SHAPE.0, SHAPE.1, from_triplets.clone()),
        Observations::from_triplets(SHAPE.0, SHAPE.1, shuffled),
        Observations::from_weighted_triplets(
            SHAPE.0,
            SHAPE.1,
            table.indexed_iter().map(|((i, j), &value)| (i as u32, j as u32, value, weights[[i, j]])),
        ),
        Observations::from_entry_weights(table.view(), weights.view()),
        Observations::from_mask(table.t().to_owned().t(), mask.view()),
    ];
    let als = AlternatingLeastSquares::new(3).with_ridge(0.1);
    let decomposition = als.fit(&expected).expect("known entries");
    for observations in same {
        let observations = observations.expect("known entries");
        assert_eq!(observations, expected);
        assert_eq!(als.fit(&observations).expect("known entries"), decomposition);
    }
}

#[test]
fn weights_are_relative_without_a_ridge_term_and_row_weights_are_entry_weights() {
    let (table, mask) = (normal(SHAPE, 24), mask(SHAPE, 0.6, 25));
    let counts: Vec<f64> = (0..SHAPE.0).map(|i| f64::from(1_u32 << (i % 3))).collect();
    let rows = RowWeights::new(counts).expect("positive");
    let of_rows = rows.to_vec();
    let weights = Array2::from_shape_fn(SHAPE, |(i, j)| if mask[[i, j]] { (3.0 * of_rows[i]) as f32 } else { 0.0 });
    let als = AlternatingLeastSquares::new(2).with_tolerance(1e-13).with_max_iterations(2000);
    let by_entry =
        als.fit(&Observations::from_entry_weights(table.view(), weights.view()).expect("known")).expect("known");
    let by_row = als.with_row_weights(rows).fit(&known(table.view(), &mask)).expect("known");
    approx::assert_abs_diff_eq!(product(&by_entry.factors), product(&by_row.factors), epsilon = 1e-4);
    let errors = [by_entry, by_row].map(|decomposition| decomposition.weighted_relative_error.expect("weights"));
    approx::assert_relative_eq!(errors[0], errors[1], max_relative = 1e-6);
}

#[test]
fn rows_and_columns_of_which_nothing_is_known_are_zero() {
    let table = normal(SHAPE, 26);
    let mut mask = mask(SHAPE, 0.8, 27);
    mask.slice_mut(s![5, ..]).fill(false);
    mask.slice_mut(s![.., 3]).fill(false);
    for ridge in [0.0, 0.1] {
        let als = AlternatingLeastSquares::new(4).with_ridge(ridge);
        let decomposition = als.fit(&known(table.view(), &mask)).expect("known entries");
        let dense = product(&decomposition.factors);
        assert!(dense.row(5).iter().all(|&x| x == 0.0), "ridge {ridge}: {}", dense.row(5));
        // The column is zero in f64, and V is rotated once more.
        let largest = dense.fold(0.0_f64, |largest, x| largest.max(x.abs()));
        assert!(dense.column(3).iter().all(|x| x.abs() <= 1e-12 * largest), "ridge {ridge}: {}", dense.column(3));
        let known = zeros_and_ones(&mask);
        check_form(&format!("ridge {ridge}"), table.view(), [&known; 2], None, &decomposition);
    }
}

/// With fewer known entries than the rank there are many solutions. The one of least norm is where a small ridge leads
/// to.
#[test]
fn what_is_not_determined_stays_small() {
    let table = normal(SHAPE, 28);
    let mut mask = mask(SHAPE, 0.9, 29);
    mask.slice_mut(s![7, 2..]).fill(false);
    let observations = known(table.view(), &mask);
    let plain = AlternatingLeastSquares::new(4).fit(&observations).expect("known entries");
    let dense = product(&plain.factors);
    for j in 0..2 {
        if mask[[7, j]] {
            approx::assert_abs_diff_eq!(dense[[7, j]], f64::from(table[[7, j]]), epsilon = 1e-5);
        }
    }
    let norm = |row: ndarray::ArrayView1<'_, f64>| row.dot(&row).sqrt();
    let typical = dense.rows().into_iter().map(norm).sum::<f64>() / SHAPE.0 as f64;
    assert!(norm(dense.row(7)) < 3.0 * typical, "{} beside {typical}", norm(dense.row(7)));
}

#[test]
fn rows_of_weight_zero_are_fitted_without_a_ridge_term_and_zero_with_one() {
    let table = normal(SHAPE, 30);
    let mask = mask(SHAPE, 0.8, 31);
    let mut counts = vec![1.0; SHAPE.0];
    counts[9] = 0.0;
    let rows = RowWeights::new(counts.clone()).expect("not negative");
    let als = AlternatingLeastSquares::new(3).with_row_weights(rows);
    let without = als.fit(&known(table.view(), &mask)).expect("known entries");
    // As if the weight was very small.
    counts[9] = 1e-9;
    let small = RowWeights::new(counts).expect("not negative");
    let almost = als.clone().with_row_weights(small).fit(&known(table.view(), &mask)).expect("known entries");
    approx::assert_abs_diff_eq!(product(&without.factors), product(&almost.factors), epsilon = 1e-5);
    let with = als.with_ridge(0.1).fit(&known(table.view(), &mask)).expect("known entries");
    assert!(with.factors.u().row(9).iter().all(|&x| x == 0.0));
}
