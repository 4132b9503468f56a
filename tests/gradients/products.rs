//! Soft lookups and logits, and what they read beside the table.

use factorized_embedding::{Embedding, Error, Shape, TokenId, train::Backward};
use ndarray::{Array2, s};

use crate::{
    check::{LARGE_SHAPE, SMALL_SHAPES, check, layer},
    operation::Operation,
    reference,
    support::{
        compare::{Expected, assert_close, widened},
        factor_parts::FactorParts,
        random,
    },
};

fn check_products(n: usize, shape: Shape) {
    let weights = random::normal((n, shape.vocab_size), 5);
    check(&Operation::SoftLookup { weights: weights.clone() }, shape);
    // Some rows without any weight; and no weight at all.
    let mut sparse = weights;
    sparse.slice_mut(s![.., 1..4]).fill(0.0);
    check(&Operation::SoftLookup { weights: sparse.clone() }, shape);
    sparse.fill(0.0);
    check(&Operation::SoftLookup { weights: sparse }, shape);
    check(&Operation::Logits { hidden: random::normal((n, shape.dim), 6) }, shape);
}

#[test]
fn agree_with_differences_and_the_chain_rule() {
    for shape in SMALL_SHAPES {
        for n in [0, 1, 5, 18] {
            check_products(n, shape);
        }
    }
}

#[test]
fn agree_with_the_chain_rule_beyond_a_block() {
    check_products(70, LARGE_SHAPE);
    // Several blocks of the vocabulary.
    let shape = Shape { vocab_size: 300, rank: 3, dim: 5 };
    check_products(3000, shape);
}

/// The gradient of hidden states is a soft lookup, that of weights are logits: against central differences.
#[test]
fn what_is_read_beside_the_table_has_its_gradient_from_the_layer() {
    let shape = SMALL_SHAPES[3];
    for padding_id in [None, Some(2)] {
        let arrays = FactorParts::normal(shape, 1);
        let layer = layer(&arrays, padding_id);
        let table = reference::table(&reference::parts(&arrays), padding_id);
        let (hidden, weights) = (random::normal((3, shape.dim), 2), random::normal((3, shape.vocab_size), 3));
        let wide = |array: &Array2<f32>| widened(array.view());
        let terms = shape.rank + 1 + shape.vocab_size + shape.dim;
        let of_magnitudes = reference::table(&reference::abs(&reference::parts(&arrays)), padding_id);

        let loss = |hidden: &Array2<f64>| (hidden.dot(&table.t()) * wide(&weights)).sum();
        let differences = reference::central_differences(&wide(&hidden), loss);
        let magnitudes = wide(&weights).abs().dot(&of_magnitudes) + 1.0;
        let actual = layer.soft_lookup(weights.view()).expect("shapes that fit");
        assert_close("hidden", actual.view(), &Expected::new(differences, terms, &magnitudes));

        let loss = |weights: &Array2<f64>| (weights.dot(&table) * wide(&hidden)).sum();
        let differences = reference::central_differences(&wide(&weights), loss);
        let magnitudes = wide(&hidden).abs().dot(&of_magnitudes.t()) + 1.0;
        let actual = layer.logits(hidden.view()).expect("shapes that fit");
        assert_close("weights", actual.view(), &Expected::new(differences, terms, &magnitudes));
    }
}

#[test]
fn one_hot_weights_are_lookups() {
    let ids: Vec<TokenId> = vec![3, 0, 3, 5];
    let arrays = FactorParts::normal(SMALL_SHAPES[0], 1);
    let layer = layer(&arrays, Some(5));
    let mut weights = Array2::zeros((ids.len(), layer.vocab_size()));
    ids.iter().enumerate().for_each(|(i, &id)| weights[[i, id as usize]] = 1.0);
    let grad_out = random::integers((ids.len(), layer.dim()), 2);
    let backward = Backward::new(&layer);
    let soft = backward.soft_lookup(weights.view(), grad_out.view()).expect("shapes that fit");
    let hard = backward.lookup(&ids, grad_out.view()).expect("shapes that fit");
    let (soft_u, hard_u) = (soft.u.expect("U is trained"), hard.u.expect("U is trained"));
    assert_eq!(soft_u.ids(), hard_u.ids());
    let tolerance = 1e-5 * hard_u.values().iter().fold(0.0_f32, |max, number| max.max(number.abs()));
    assert!((&soft_u.values() - &hard_u.values()).iter().all(|difference| difference.abs() <= tolerance));
}

#[test]
fn bad_input_is_refused() {
    let layer = layer(&FactorParts::normal(SMALL_SHAPES[0], 1), Some(1));
    let dense = layer.to_dense().expect("finite products");
    let (vectors, weights) = (random::normal((2, 5), 1), random::normal((2, 7), 2));
    let of_both = |soft: bool, weights: &Array2<f32>, vectors: &Array2<f32>, message: &str| {
        let (factors, table) = (Backward::new(&layer), Backward::new(&dense));
        let (weights, vectors) = (weights.view(), vectors.view());
        let errors = if soft {
            [factors.soft_lookup(weights, vectors).err(), table.soft_lookup(weights, vectors).err()]
        } else {
            [factors.logits(vectors, weights).err(), table.logits(vectors, weights).err()]
        };
        for error in errors {
            assert_eq!(error.as_ref().map(Error::to_string).as_deref(), Some(message));
        }
    };
    let (no_columns, rows) = (Array2::zeros((2, 0)), Array2::zeros((3, 7)));
    of_both(true, &no_columns, &vectors, "weights [n, vocab_size] has shape [2, 0], expected [2, 7]");
    of_both(true, &rows, &vectors, "grad_out [n, dim] has shape [2, 5], expected [3, 5]");
    of_both(false, &weights, &no_columns, "hidden [n, dim] has shape [2, 0], expected [2, 5]");
    of_both(false, &rows, &vectors, "grad_logits [n, vocab_size] has shape [3, 7], expected [2, 7]");
    let (mut nan_vectors, mut nan_weights) = (vectors.clone(), weights.clone());
    (nan_vectors[[1, 2]], nan_weights[[0, 1]]) = (f32::NAN, f32::NAN);
    let finite = "only finite numbers can be used";
    of_both(true, &weights, &nan_vectors, &format!("grad_out [n, dim] holds NaN at [1, 2]: {finite}"));
    of_both(false, &nan_weights, &vectors, &format!("grad_logits [n, vocab_size] holds NaN at [0, 1]: {finite}"));
}
