//! Lookups, of lists and of arrays of ids.

use factorized_embedding::{Embedding, EmbeddingExt, TokenId};
use ndarray::{Array2, Array3, Ix1, Ix2, Ix3, Ix4, arr0, s};

use super::subject::Reference;
use crate::support::{
    compare::{assert_close, assert_same_bits},
    output::{LAYOUTS, Output},
    random,
};

/// From none to two tiles and one more, and around blocks of 24 rows.
const LENGTHS: [usize; 18] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 23, 24, 25, 47, 48, 49, 96, 97];

pub(crate) fn check(layer: &dyn Embedding, reference: &Reference) {
    every_row_is_that_of_the_table(layer, reference);
    bits_depend_on_neither_number_nor_position(layer, reference);
    outputs_of_any_strides_are_filled(layer, reference);
    arrays_of_ids_keep_their_shape(layer, reference);
    similarity_is_the_cosine(layer, reference);
}

fn every_row_is_that_of_the_table(layer: &dyn Embedding, reference: &Reference) {
    let name = &reference.name;
    let last = TokenId::try_from(reference.vocab_size() - 1).expect("a small vocabulary");
    let all: Vec<TokenId> = (0..=last).collect();
    assert_close(name, lookup(layer, &all).view(), &reference.lookup(&all));
    let repeated = [last, 0, last, last, 0];
    assert_close(name, lookup(layer, &repeated).view(), &reference.lookup(&repeated));
    assert_eq!(lookup(layer, &[]).dim(), (0, reference.dim()), "{name}: no ids");
}

fn bits_depend_on_neither_number_nor_position(layer: &dyn Embedding, reference: &Reference) {
    let all: Vec<TokenId> = random::ids(97, reference.vocab_size(), 1);
    let alone: Vec<_> = all.iter().map(|&id| lookup(layer, &[id])).collect();
    for len in LENGTHS {
        let rows = lookup(layer, &all[..len]);
        assert_eq!(rows.dim(), (len, reference.dim()));
        for (i, alone) in alone[..len].iter().enumerate() {
            let what = format!("{}: row {i} of {len} against the same row alone", reference.name);
            assert_same_bits(&what, rows.slice(s![i..=i, ..]), alone.view());
        }
    }
}

fn outputs_of_any_strides_are_filled(layer: &dyn Embedding, reference: &Reference) {
    for len in [0, 1, 3, 26] {
        let ids = random::ids(len, reference.vocab_size(), 2);
        let expected = lookup(layer, &ids);
        for layout in LAYOUTS {
            let mut out = Output::new(layout, (len, reference.dim()));
            layer.lookup_into(&ids, out.view_mut()).expect("ids of the vocabulary and a fitting output");
            assert_same_bits(&format!("{}, {layout:?}", reference.name), out.written().view(), expected.view());
        }
    }
}

fn arrays_of_ids_keep_their_shape(layer: &dyn Embedding, reference: &Reference) {
    let (name, dim) = (&reference.name, reference.dim());
    let ids = random::ids(24, reference.vocab_size(), 3);
    let expected = lookup(layer, &ids);

    let scalar = layer.lookup_array(&arr0(ids[0])).expect("an id of the vocabulary");
    assert_eq!(scalar.into_dimensionality::<Ix1>().expect("one dimension"), expected.row(0), "{name}: 0-d");

    let batch = Array2::from_shape_vec((4, 6), ids.clone()).expect("24 ids");
    let vectors = layer.lookup_array(&batch).expect("ids of the vocabulary");
    let vectors = vectors.into_dimensionality::<Ix3>().expect("three dimensions");
    assert_eq!(vectors.shape(), [4, 6, dim]);
    assert_eq!(vectors, expected.to_shape((4, 6, dim)).expect("24 rows"), "{name}: [batch, sequence]");

    // Strided: the same ids with the axes swapped, every other one, backwards.
    let swapped = layer.lookup_array(&batch.t()).expect("ids of the vocabulary");
    assert_eq!(swapped, vectors.view().permuted_axes([1, 0, 2]), "{name}: swapped axes");
    let part = layer.lookup_array(&batch.slice(s![..;-1, 1..;2])).expect("ids of the vocabulary");
    assert_eq!(part, vectors.slice(s![..;-1, 1..;2, ..]), "{name}: strided ids");

    let cube = Array3::from_shape_vec((2, 3, 4), ids).expect("24 ids");
    let vectors = layer.lookup_array(&cube).expect("ids of the vocabulary");
    let vectors = vectors.into_dimensionality::<Ix4>().expect("four dimensions");
    assert_eq!(vectors, expected.to_shape((2, 3, 4, dim)).expect("24 rows"), "{name}: 3-d");

    let none = layer.lookup_array(&Array2::<TokenId>::zeros((3, 0))).expect("no ids");
    assert_eq!(none.shape(), [3, 0, dim], "{name}: no ids");
    assert!(none.into_dimensionality::<Ix2>().is_err(), "one dimension more than the ids");
}

/// The cosine of two rows that are each off by as much as a lookup may be.
fn similarity_is_the_cosine(layer: &dyn Embedding, reference: &Reference) {
    use crate::support::reference::{cosine, norm};
    let (table, magnitudes) = (reference.visible(), reference.visible_magnitudes());
    let row = |id: TokenId| table.row(id as usize).to_owned();
    // A row that is off by δ moves its direction by at most ‖δ‖ / ‖row‖; the result is rounded to f32.
    let turn = |id: TokenId| {
        let norm_of_row = norm(&row(id));
        let terms = reference.terms_of_sum(0) as f64;
        if norm_of_row == 0.0 { 0.0 } else { terms * norm(&magnitudes.row(id as usize).to_owned()) / norm_of_row }
    };
    for pair in random::ids(12, reference.vocab_size(), 4).chunks_exact(2).chain([[0, 0].as_slice()]) {
        let (a, b) = (pair[0], pair[1]);
        let expected = cosine(&row(a), &row(b));
        let tolerance = f64::from(f32::EPSILON) * (1.0 + turn(a) + turn(b));
        let similarity = layer.similarity(a, b).expect("ids of the vocabulary");
        let difference = (f64::from(similarity) - expected).abs();
        assert!(difference <= tolerance, "{}: similarity of {pair:?} is {similarity}, not {expected}", reference.name);
    }
    if let Some(id) = reference.padding_id {
        assert_eq!(layer.similarity(id, 0).expect("ids of the vocabulary"), 0.0, "{}: padding", reference.name);
    }
}

fn lookup(layer: &dyn Embedding, ids: &[TokenId]) -> Array2<f32> {
    layer.lookup(ids).expect("ids of the vocabulary")
}
