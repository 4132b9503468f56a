//! Soft lookups and logits.

use factorized_embedding::Embedding;
use ndarray::{Array2, s};

use super::subject::Reference;
use crate::support::{
    compare::{assert_close, widened},
    output::{LAYOUTS, Output},
    random,
};

pub(crate) fn check(layer: &dyn Embedding, reference: &Reference) {
    one_hot_weights_are_a_lookup(layer, reference);
    padding_has_no_weight(layer, reference);
    // 65 is one more query than is scored at a time.
    check_numbers(layer, reference, &[0, 1, 5, 65]);
}

/// The check for so many rows of weights or hidden states at a time.
pub(crate) fn check_numbers(layer: &dyn Embedding, reference: &Reference, numbers: &[usize]) {
    for &n in numbers {
        soft_lookups_are_products_with_the_table(layer, reference, n);
        logits_are_products_with_the_transposed_table(layer, reference, n);
    }
}

fn one_hot_weights_are_a_lookup(layer: &dyn Embedding, reference: &Reference) {
    let ids = random::ids(6, reference.vocab_size(), 31);
    let mut weights = Array2::zeros((ids.len(), reference.vocab_size()));
    for (i, &id) in ids.iter().enumerate() {
        weights[[i, id as usize]] = 1.0;
    }
    let rows = layer.soft_lookup(weights.view()).expect("a weight for each id");
    assert_close(&format!("{}, one-hot weights", reference.name), rows.view(), &reference.lookup(&ids));
}

fn soft_lookups_are_products_with_the_table(layer: &dyn Embedding, reference: &Reference, n: usize) {
    let weights = reference.draw((n, reference.vocab_size()), 32);
    let expected = reference.soft_lookup(&widened(weights.view()));
    let name = format!("{}, soft lookup of {n}", reference.name);
    assert_close(&name, layer.soft_lookup(weights.view()).expect("a weight for each id").view(), &expected);
    for layout in LAYOUTS {
        let mut out = Output::new(layout, (n, reference.dim()));
        layer.soft_lookup_into(weights.view(), out.view_mut()).expect("fitting shapes");
        assert_close(&format!("{name}, {layout:?}"), out.written().view(), &expected);
    }
    let transposed = weights.t().to_owned();
    let from_strided = layer.soft_lookup(transposed.t()).expect("a weight for each id");
    assert_close(&format!("{name}, strided weights"), from_strided.view(), &expected);
}

fn padding_has_no_weight(layer: &dyn Embedding, reference: &Reference) {
    let Some(id) = reference.padding_id else { return };
    let mut weights = reference.draw((3, reference.vocab_size()), 33);
    let expected = reference.soft_lookup(&widened(weights.view()));
    weights.column_mut(id as usize).fill(f32::NAN);
    let rows = layer.soft_lookup(weights.view()).expect("a weight for each id");
    assert_close(&format!("{}, weight of padding", reference.name), rows.view(), &expected);
}

fn logits_are_products_with_the_transposed_table(layer: &dyn Embedding, reference: &Reference, n: usize) {
    let hidden = reference.draw((n, reference.dim()), 34);
    let expected = reference.logits(&widened(hidden.view()));
    let name = format!("{}, logits of {n}", reference.name);
    let logits = layer.logits(hidden.view()).expect("hidden states of the dim");
    assert_close(&name, logits.view(), &expected);
    if let Some(id) = reference.padding_id {
        assert!(logits.column(id as usize).iter().all(|&logit| logit == 0.0), "{name}: padding");
    }
    for layout in LAYOUTS {
        let mut out = Output::new(layout, (n, reference.vocab_size()));
        layer.logits_into(hidden.view(), out.view_mut()).expect("fitting shapes");
        assert_close(&format!("{name}, {layout:?}"), out.written().view(), &expected);
    }
    let transposed = hidden.t().to_owned();
    let from_strided = layer.logits(transposed.t()).expect("hidden states of the dim");
    assert_close(&format!("{name}, strided hidden states"), from_strided.view(), &expected);
    let reversed = layer.logits(hidden.slice(s![..;-1, ..])).expect("hidden states of the dim");
    assert_close(&format!("{name}, reversed hidden states"), reversed.slice(s![..;-1, ..]), &expected);
}
