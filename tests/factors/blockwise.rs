//! What a blockwise layer does beyond the contract of all layers.

use factorized_embedding::{
    Bags, BlockFactors, BlockwiseEmbedding, Dtype, Embedding, FactorizedEmbedding, Pooling, RepeatedIds, Shape, TokenId,
};
use ndarray::s;

use crate::support::{
    compare::{Expected, assert_close, assert_same_bits},
    factor_parts::FactorParts,
    random, reference,
};

/// More than are sorted at a time.
const MANY_IDS: usize = (2 << 15) + 100;

fn parts(vocab_size: usize, rank: usize) -> FactorParts {
    FactorParts::normal(Shape { vocab_size, rank, dim: 19 }, rank as u64)
}

/// Two thirds of the rows in a group of rank 3, the others in one of rank 6 or of rank 0.
fn layer() -> BlockwiseEmbedding {
    let blocks = vec![Some(parts(40, 3).factors()), Some(parts(10, 6).factors()), None];
    let group_of = (0..60).map(|row| [0, 0, 1, 0, 0, 2][row % 6]).collect();
    BlockwiseEmbedding::new(BlockFactors::new(group_of, blocks, 19).expect("factors that fit the groups"))
}

#[test]
fn one_group_gives_the_bits_of_a_factorized_layer() {
    let factors = parts(50, 7).factors();
    let blocks = BlockFactors::new(vec![0; 50], vec![Some(factors.clone())], 19).expect("factors of all rows");
    let (blockwise, factorized) = (BlockwiseEmbedding::new(blocks), FactorizedEmbedding::new(factors));
    let ids: Vec<TokenId> = (0..50).collect();
    let expected = factorized.lookup(&ids).expect("ids of the vocabulary");
    assert_same_bits("rows", blockwise.lookup(&ids).expect("ids of the vocabulary").view(), expected.view());
    let hidden = random::normal((5, 19), 1);
    let expected = factorized.logits(hidden.view()).expect("hidden states of the dim");
    assert_same_bits(
        "logits",
        blockwise.logits(hidden.view()).expect("hidden states of the dim").view(),
        expected.view(),
    );
    let found = blockwise.top_k(hidden.view(), 9).expect("hidden states of the dim");
    assert_eq!(found, factorized.top_k(hidden.view(), 9).expect("hidden states of the dim"));
}

#[test]
fn rows_of_many_ids_are_those_of_each() {
    let ids = random::ids(MANY_IDS, 60, 2);
    for repeated_ids in [RepeatedIds::Compute, RepeatedIds::Copy, RepeatedIds::Automatic] {
        let layer = layer().with_repeated_ids(repeated_ids);
        let all: Vec<TokenId> = (0..60).collect();
        let table = layer.lookup(&all).expect("ids of the vocabulary");
        let rows = layer.lookup(&ids).expect("ids of the vocabulary");
        for (row, &id) in rows.rows().into_iter().zip(&ids) {
            assert_eq!(row, table.row(id as usize), "id {id}, {repeated_ids:?}");
        }
    }
}

/// Long bags are pooled in pieces, short ones many at a time.
#[test]
fn bags_around_many_ids_are_sums_whatever_stands_beside_them() {
    let layer = layer().with_padding_id(2).expect("an id of the vocabulary");
    let lens = [3, MANY_IDS, 0, 1 << 15, (1 << 15) - 1, 2, 7, (1 << 15) + 1, 0];
    let offsets: Vec<usize> = lens.iter().scan(0, |end, len| Some(std::mem::replace(end, *end + len))).collect();
    let ids = random::ids(lens.iter().sum(), 60, 3);
    let weights: Vec<f32> = random::normal((1, ids.len()), 4).into_iter().collect();
    let mut table = ndarray::Array2::<f64>::zeros((60, 19));
    let mut magnitudes = table.clone();
    for (group, parts) in [parts(40, 3), parts(10, 6)].iter().enumerate() {
        let (rows, row_magnitudes) = (reference::dense(parts), reference::dense(&parts.abs()));
        for (i, &id) in layer.factors().ids_of(group).iter().enumerate().filter(|(_, id)| **id != 2) {
            table.row_mut(id as usize).assign(&rows.row(i));
            magnitudes.row_mut(id as usize).assign(&row_magnitudes.row(i));
        }
    }
    for weighted in [false, true] {
        let sum = |range: std::ops::Range<usize>| {
            let bags = Bags::new(&ids[range.clone()], &[0], Pooling::Sum).expect("one bag");
            let bags = if weighted { bags.with_weights(&weights[range]).expect("a weight for each id") } else { bags };
            layer.bag(&bags).expect("ids of the vocabulary")
        };
        let bags = Bags::new(&ids, &offsets, Pooling::Sum).expect("rising offsets");
        let bags = if weighted { bags.with_weights(&weights).expect("a weight for each id") } else { bags };
        let sums = layer.bag(&bags).expect("ids of the vocabulary");
        for (bag, range) in bags.ranges().enumerate() {
            let what = format!("bag {bag}, weighted: {weighted}");
            let actual = sums.slice(s![bag..=bag, ..]);
            assert_same_bits(&what, actual, sum(range.clone()).view());
            let weight = |i: usize| if weighted { f64::from(weights[i]) } else { 1.0 };
            let ids_of_bag = || range.clone().map(|i| (ids[i], weight(i)));
            let values = reference::bag(&table, &[ids_of_bag().collect()], Pooling::Sum);
            let weights_of_bag = ids_of_bag().map(|(id, weight)| (id, weight.abs())).collect();
            let magnitudes = reference::bag(&magnitudes, &[weights_of_bag], Pooling::Sum);
            // The terms of a row of each group, with its bias, and as many rows as 64 are added at a time: long sums are
            // sums of such sums.
            let terms = 3 + 6 + 2 + 64 + range.len().div_ceil(64);
            assert_close(&what, actual, &Expected::new(values, terms, &magnitudes));
        }
    }
}

#[test]
fn a_narrow_layer_is_that_of_narrow_factors_with_the_same_settings() {
    let layer = layer().with_padding_id(4).expect("an id of the vocabulary");
    let narrow = [layer.to_f16(), layer.to_bf16(), layer.to_int8()];
    for (narrow, dtype) in narrow.into_iter().zip([Dtype::F16, Dtype::Bf16, Dtype::Int8]) {
        let narrow = narrow.expect("small numbers");
        assert_eq!(narrow.padding_id(), Some(4), "{dtype}");
        let expected = layer.factors().to_dtype(dtype).expect("small numbers");
        assert_eq!(*narrow.factors(), expected, "{dtype}");
        assert_eq!(narrow.into_factors(), expected, "{dtype}");
    }
}
