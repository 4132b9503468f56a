//! What does not fit is refused before anything is written.

use factorized_embedding::{Bags, Embedding, EmbeddingExt, Error, Pooling, Result, TokenId};
use ndarray::{Array2, ArrayViewMut2, array};

use super::subject::Reference;
use crate::support::output::{Layout, Output};

pub(crate) fn check(layer: &dyn Embedding, reference: &Reference) {
    let (vocab_size, dim) = reference.table.dim();
    let outside = TokenId::try_from(vocab_size).expect("a small vocabulary");
    for id in [outside, TokenId::MAX] {
        ids_outside(layer, reference, id);
    }
    let ids = [0, 0];
    let bags = Bags::new(&ids, &[0, 1, 1], Pooling::Mean).expect("rising offsets");
    wrong_outputs(reference, "out [n, dim]", (2, dim), |out| layer.lookup_into(&ids, out));
    wrong_outputs(reference, "out [b, dim]", (3, dim), |out| layer.bag_into(&bags, out));
    let weights = Array2::zeros((2, vocab_size));
    wrong_outputs(reference, "out [n, dim]", (2, dim), |out| layer.soft_lookup_into(weights.view(), out));
    let hidden = Array2::zeros((2, dim));
    wrong_outputs(reference, "out [n, vocab_size]", (2, vocab_size), |out| layer.logits_into(hidden.view(), out));
    wrong_inputs(layer, reference);
}

/// Ids that the table has no row for, at each place where ids go in.
fn ids_outside(layer: &dyn Embedding, reference: &Reference, id: TokenId) {
    let refused = |what: &str, result: Result<()>, position: usize| match result {
        Err(Error::IdOutOfRange { id: actual, position: at, vocab_size }) => {
            assert_eq!((actual, at, vocab_size), (id, position, reference.vocab_size()), "{}, {what}", reference.name);
        }
        other => panic!("{}, {what}: {other:?} for id {id}", reference.name),
    };
    // The first of two wrong ids is the one that is reported.
    let ids = [0, 0, id, 0, TokenId::MAX];
    refused("lookup", layer.lookup(&ids).map(drop), 2);
    let mut out = Output::new(Layout::RowMajor, (ids.len(), reference.dim()));
    refused("lookup_into", layer.lookup_into(&ids, out.view_mut()), 2);
    out.assert_untouched();
    for pooling in [Pooling::Sum, Pooling::Mean, Pooling::Max] {
        let bags = Bags::new(&ids, &[0, 1], pooling).expect("rising offsets");
        refused("bag", layer.bag(&bags).map(drop), 2);
        let mut out = Output::new(Layout::RowMajor, (2, reference.dim()));
        refused("bag_into", layer.bag_into(&bags, out.view_mut()), 2);
        out.assert_untouched();
    }
    refused("similarity", layer.similarity(id, 0).map(drop), 0);
    refused("similarity", layer.similarity(0, id).map(drop), 1);
    refused("analogy", layer.analogy(&[[0, 0, 0], [0, id, 0]], 1).map(drop), 4);
    // Row-major positions, however the ids lie in memory.
    let array = array![[0, 0, 0], [0, id, 0]];
    refused("lookup_array", layer.lookup_array(&array).map(drop), 4);
    refused("lookup_array", layer.lookup_array(&array.t()).map(drop), 3);
}

/// Outputs with a row or a column too many or too few.
fn wrong_outputs(
    reference: &Reference,
    what: &str,
    expected: (usize, usize),
    call: impl Fn(ArrayViewMut2<'_, f32>) -> Result<()>,
) {
    let (rows, columns) = expected;
    for actual in [(rows + 1, columns), (rows - 1, columns), (rows, columns + 1), (rows, columns - 1), (0, columns)] {
        let mut out = Output::new(Layout::RowMajor, actual);
        refused_shape(reference, what, call(out.view_mut()), expected, actual);
        out.assert_untouched();
    }
}

/// Weights, hidden states and queries with a column too many or too few.
fn wrong_inputs(layer: &dyn Embedding, reference: &Reference) {
    let (vocab_size, dim) = reference.table.dim();
    let n = 2;
    for width in [vocab_size - 1, vocab_size + 1] {
        let (weights, what) = (Array2::zeros((n, width)), "weights [n, vocab_size]");
        refused_shape(reference, what, layer.soft_lookup(weights.view()).map(drop), (n, vocab_size), (n, width));
        let mut out = Output::new(Layout::RowMajor, (n, dim));
        let result = layer.soft_lookup_into(weights.view(), out.view_mut());
        refused_shape(reference, what, result, (n, vocab_size), (n, width));
        out.assert_untouched();
    }
    for width in [dim - 1, dim + 1] {
        let (hidden, what) = (Array2::zeros((n, width)), "hidden [n, dim]");
        refused_shape(reference, what, layer.logits(hidden.view()).map(drop), (n, dim), (n, width));
        let mut out = Output::new(Layout::RowMajor, (n, vocab_size));
        refused_shape(reference, what, layer.logits_into(hidden.view(), out.view_mut()), (n, dim), (n, width));
        out.assert_untouched();
        refused_shape(reference, what, layer.top_k(hidden.view(), 1).map(drop), (n, dim), (n, width));
        let queries = "queries [n, dim]";
        refused_shape(reference, queries, layer.nearest(hidden.view(), 1).map(drop), (n, dim), (n, width));
    }
}

fn refused_shape(
    reference: &Reference,
    what: &str,
    result: Result<()>,
    expected: (usize, usize),
    actual: (usize, usize),
) {
    let message = result.expect_err("the shape does not fit").to_string();
    let (expected, actual) = ([expected.0, expected.1], [actual.0, actual.1]);
    assert_eq!(message, format!("{what} has shape {actual:?}, expected {expected:?}"), "{}", reference.name);
}
