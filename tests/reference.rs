//! Chain of trust: the reference that other tests compare with, against algebra that must hold.

mod support;

use factorized_embedding::{Pooling, Shape};
use ndarray::{Array1, Array2, Axis, array};
use support::{
    compare::{Expected, widened},
    factor_parts::FactorParts,
    output::{LAYOUTS, Output},
    random, reference,
};

const SHAPE: Shape = Shape { vocab_size: 7, rank: 3, dim: 5 };

#[test]
fn an_identity_gives_back_the_rows_of_u() {
    let u = random::normal((6, 4), 1);
    let parts = FactorParts { u: u.clone(), diagonal: Some(Array1::ones(4)), v: Array2::eye(4), bias: None };
    assert_eq!(reference::dense(&parts), widened(u.view()));
}

#[test]
fn rank_1_is_an_outer_product() {
    let parts = FactorParts { u: array![[2.0], [3.0]], diagonal: None, v: array![[5.0, 7.0, 11.0]], bias: None };
    assert_eq!(reference::dense(&parts), array![[10.0, 14.0, 22.0], [15.0, 21.0, 33.0]]);
}

#[test]
fn the_order_of_the_directions_changes_nothing() {
    let parts = FactorParts::draw(SHAPE, 2, random::integers);
    let order = [2, 0, 1];
    let permuted = FactorParts {
        u: parts.u.select(Axis(1), &order),
        diagonal: parts.diagonal.as_ref().map(|diagonal| diagonal.select(Axis(0), &order)),
        v: parts.v.select(Axis(0), &order),
        bias: parts.bias.clone(),
    };
    assert_ne!(permuted.u, parts.u);
    assert_eq!(reference::dense(&permuted), reference::dense(&parts));
}

#[test]
fn a_bias_is_added_to_every_row_and_a_diagonal_scales_directions() {
    let parts = FactorParts {
        u: array![[1.0, 1.0], [0.0, 2.0]],
        diagonal: Some(array![10.0, 100.0]),
        v: array![[1.0, 2.0], [3.0, 4.0]],
        bias: Some(array![0.5, -0.5]),
    };
    assert_eq!(reference::dense(&parts), array![[310.5, 419.5], [600.5, 799.5]]);
}

#[test]
fn every_operation_is_a_product_with_the_table() {
    let table = widened(random::integers((4, 3), 3).view());
    let one_hot = array![[0.0, 0.0, 1.0, 0.0], [1.0, 0.0, 0.0, 0.0]];
    assert_eq!(reference::soft_lookup(&table, &one_hot), reference::lookup(&table, &[2, 0]));
    assert_eq!(reference::logits(&table, &Array2::eye(3)), table.t());

    let bags = [vec![(2, 1.0), (0, 1.0)], vec![], vec![(1, 1.0)]];
    let sums = reference::bag(&table, &bags, Pooling::Sum);
    assert_eq!(sums, array![[1.0, 0.0, 1.0, 0.0], [0.0, 0.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0]].dot(&table));
    let means = reference::bag(&table, &bags, Pooling::Mean);
    assert_eq!(means, array![[0.5, 0.0, 0.5, 0.0], [0.0, 0.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0]].dot(&table));
    let maxima = reference::bag(&array![[1.0, -5.0], [-2.0, -3.0]], &[vec![(0, 1.0), (1, 1.0)]], Pooling::Max);
    assert_eq!(maxima, array![[1.0, -3.0]]);
}

#[test]
fn cosines_of_known_angles() {
    assert_eq!(reference::cosine(&array![3.0, 4.0], &array![6.0, 8.0]), 1.0);
    assert_eq!(reference::cosine(&array![3.0, 4.0], &array![-4.0, 3.0]), 0.0);
    assert_eq!(reference::cosine(&array![3.0, 4.0], &array![-5.0, 0.0]), -0.6);
    assert_eq!(reference::cosine(&array![0.0, 0.0], &array![1.0, 0.0]), 0.0);
}

#[test]
fn a_padding_id_has_a_zero_row() {
    let table = array![[1.0, 2.0], [3.0, 4.0]];
    assert_eq!(reference::unpadded(&table, Some(0)), array![[0.0, 0.0], [3.0, 4.0]]);
    assert_eq!(reference::unpadded(&table, None), table);
}

#[test]
fn a_comparison_sees_one_element_beyond_its_tolerance() {
    let expected = Expected::new(array![[1.0, 2.0], [3.0, 4.0]], 2, &array![[1.0, 1.0], [1.0, 1.0]]);
    let tolerance = 2.0 * f32::EPSILON;
    assert_eq!(expected.difference(array![[1.0 + tolerance, 2.0], [3.0, 4.0]].view()), None);
    let report = expected.difference(array![[1.0, 2.0], [3.0 + 2.0 * tolerance, 4.0]].view());
    let report = report.expect("3 + 4 ε is too far from 3");
    assert!(report.starts_with("1 of 4 elements of (2, 2) differ\n  (1, 0): 3.0000005e0, expected 3e0 ± 2.4e-7"));
    assert!(expected.difference(array![[f32::NAN, 2.0], [3.0, 4.0]].view()).is_some(), "NaN is close to nothing");
    assert!(expected.difference(array![[1.0, 2.0]].view()).is_some(), "another shape");
    let exact = Expected::new(array![[1.0]], 0, &array![[1.0]]);
    assert_eq!(exact.difference(array![[1.0]].view()), None);
    assert!(exact.difference(array![[1.0 + f32::EPSILON]].view()).is_some(), "no terms allow no difference");
}

#[test]
fn every_output_layout_shows_what_was_written() {
    let values = random::normal((4, 6), 9);
    for layout in LAYOUTS {
        let mut output = Output::new(layout, (4, 6));
        output.assert_untouched();
        output.view_mut().assign(&values);
        assert_eq!(output.written(), values, "{layout:?}");
    }
}
