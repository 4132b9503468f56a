//! The two halves of a lookup, and the whole table.

use factorized_embedding::{Embedding, FactorizedEmbedding, Shape, TokenId};
use ndarray::{Array2, s};

use crate::support::{
    compare::{Expected, assert_close, assert_same_bits},
    factor_parts::FactorParts,
    output::{LAYOUTS, Output},
    random, reference,
};

const SHAPES: [Shape; 4] = [
    Shape { vocab_size: 1, rank: 1, dim: 1 },
    Shape { vocab_size: 30, rank: 3, dim: 17 },
    Shape { vocab_size: 30, rank: 16, dim: 16 },
    Shape { vocab_size: 50, rank: 33, dim: 50 },
];

fn for_each_parts(check: impl Fn(&FactorParts)) {
    for shape in SHAPES {
        FactorParts::normal(shape, 1).variants().iter().for_each(&check);
    }
}

#[test]
fn the_halves_of_a_lookup_are_a_lookup() {
    for_each_parts(|parts| {
        let layer = FactorizedEmbedding::new(parts.factors());
        for n in [0, 1, 4, 25] {
            let ids = random::ids(n, layer.vocab_size(), 2);
            let rank_rows = layer.lookup_rank(&ids).expect("ids of the vocabulary");
            let rows = layer.project(rank_rows.view()).expect("rows of the rank");
            let expected = layer.lookup(&ids).expect("ids of the vocabulary");
            assert_same_bits(&format!("{layer:?}"), rows.view(), expected.view());
            let transposed = rank_rows.t().to_owned();
            let rows = layer.project(transposed.t()).expect("rows of the rank");
            assert_same_bits(&format!("{layer:?}, strided"), rows.view(), expected.view());
        }
    });
}

#[test]
fn both_halves_fill_outputs_of_any_strides() {
    for_each_parts(|parts| {
        let layer = FactorizedEmbedding::new(parts.factors());
        let ids = random::ids(26, layer.vocab_size(), 3);
        let rank_rows = layer.lookup_rank(&ids).expect("ids of the vocabulary");
        let rows = layer.project(rank_rows.view()).expect("rows of the rank");
        for layout in LAYOUTS {
            let mut out = Output::new(layout, rank_rows.dim());
            layer.lookup_rank_into(&ids, out.view_mut()).expect("a fitting output");
            assert_same_bits("lookup_rank", out.written().view(), rank_rows.view());
            let mut out = Output::new(layout, rows.dim());
            layer.project_into(rank_rows.view(), out.view_mut()).expect("a fitting output");
            assert_same_bits("project", out.written().view(), rows.view());
        }
    });
}

#[test]
fn the_first_half_is_a_row_of_u_or_zero_for_padding() {
    let parts = FactorParts::normal(SHAPES[1], 4);
    let layer = FactorizedEmbedding::new(parts.factors()).with_padding_id(5).expect("an id of the vocabulary");
    let rows = layer.lookup_rank(&[5, 29, 5]).expect("ids of the vocabulary");
    assert_eq!(rows.row(1), parts.u.row(29));
    assert_eq!(rows.slice(s![..;2, ..]), Array2::<f32>::zeros((2, 3)));
}

#[test]
fn refused_halves_write_nothing() {
    let layer = FactorizedEmbedding::new(FactorParts::normal(SHAPES[1], 5).factors());
    for layout in LAYOUTS {
        let mut out = Output::new(layout, (2, 3));
        layer.lookup_rank_into(&[0, 30], out.view_mut()).expect_err("30 is no id");
        layer.lookup_rank_into(&[0], out.view_mut()).expect_err("one row, not two");
        layer.project_into(Array2::zeros((2, 3)).view(), out.view_mut()).expect_err("17 columns, not three");
        out.assert_untouched();
        let mut out = Output::new(layout, (2, 17));
        layer.project_into(Array2::zeros((2, 4)).view(), out.view_mut()).expect_err("three directions, not four");
        layer.project_into(Array2::zeros((3, 3)).view(), out.view_mut()).expect_err("two rows, not three");
        out.assert_untouched();
    }
}

#[test]
fn the_dense_table_is_the_product() {
    for_each_parts(|parts| {
        let factors = parts.factors();
        let expected = Expected::new(reference::dense(parts), parts.terms(), &reference::dense(&parts.abs()));
        assert_close(&format!("{factors:?}"), factors.to_dense().view(), &expected);
        let unpadded = FactorizedEmbedding::new(factors.clone());
        let layer = unpadded.clone().with_padding_id(0).expect("an id of the vocabulary");
        let dense = layer.to_dense().expect("finite products");
        assert_eq!(dense.padding_id(), Some(0));
        let all: Vec<TokenId> = (0..).take(layer.vocab_size()).collect();
        let rows = unpadded.lookup(&all).expect("ids of the vocabulary");
        assert_same_bits("the dense table, whose padding row stays", dense.to_array().view(), rows.view());
        let ids: Vec<TokenId> = random::ids(9, layer.vocab_size(), 6);
        let expected = reference::unpadded(&reference::dense(parts), Some(0));
        let magnitudes = reference::lookup(&reference::dense(&parts.abs()), &ids);
        let expected = Expected::new(reference::lookup(&expected, &ids), parts.terms(), &magnitudes);
        assert_close("dense lookup", dense.lookup(&ids).expect("ids of the vocabulary").view(), &expected);
    });
}

#[test]
fn a_product_that_overflows_is_no_dense_layer() {
    let parts = FactorParts {
        u: Array2::from_elem((2, 1), 1e30),
        diagonal: None,
        v: Array2::from_elem((1, 2), 1e30),
        bias: None,
    };
    let error = FactorizedEmbedding::new(parts.factors()).to_dense().expect_err("1e60 is no f32");
    assert_eq!(error.to_string(), "table [vocab_size, dim] holds inf at [0, 0]: only finite numbers can be used");
}
