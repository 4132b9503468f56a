//! One contract for every layer: what `Embedding` promises, checked against the reference for each implementor.
//!
//! `layers.rs`, `blockwise.rs` and `quantized.rs` make every kind of layer with its reference; the other modules check one part of the contract each.

#[path = "../support/mod.rs"]
mod support;

mod analogies;
mod bags;
mod blockwise;
#[cfg(feature = "safetensors")]
mod files;
mod layers;
mod lookups;
mod products;
#[cfg(all(feature = "decompose", feature = "safetensors"))]
mod quantized;
mod refusals;
mod search;
mod subject;

use blockwise::for_each_blockwise;
use factorized_embedding::{Embedding, Shape};
use layers::{Numbers, for_each_dense, for_each_factorized};
#[cfg(all(feature = "decompose", feature = "safetensors"))]
use quantized::for_each_quantized;
use subject::Reference;

/// Everything that every layer promises.
fn check_embedding_contract(layer: &dyn Embedding, reference: &Reference) {
    sizes_are_those_of_the_table(layer, reference);
    lookups::check(layer, reference);
    bags::check(layer, reference);
    products::check(layer, reference);
    search::check(layer, reference);
    analogies::check(layer, reference);
    refusals::check(layer, reference);
}

fn sizes_are_those_of_the_table(layer: &dyn Embedding, reference: &Reference) {
    let name = &reference.name;
    assert_eq!((layer.vocab_size(), layer.dim()), reference.table.dim(), "{name}: vocab_size, dim");
    assert_eq!(layer.num_parameters(), reference.num_parameters, "{name}: num_parameters");
    assert_eq!(layer.size_in_bytes(), reference.size_in_bytes, "{name}: size_in_bytes");
    assert_eq!(layer.padding_id(), reference.padding_id, "{name}: padding_id");
}

/// Rows of one number, of part of a panel of 16 columns, of a panel and one more, of several panels.
const DIMS: [usize; 11] = [1, 2, 3, 15, 16, 17, 31, 32, 33, 48, 50];

#[test]
fn dense_layers_of_every_width_keep_the_contract() {
    for dim in DIMS {
        for_each_dense((53, dim), Numbers::Normal, Some(7), check_embedding_contract);
    }
}

#[test]
fn dense_layers_of_small_integers_keep_the_contract_exactly() {
    for (dim, padding_id) in [(1, 0), (3, 52), (17, 20)] {
        for_each_dense((53, dim), Numbers::Integers, Some(padding_id), check_embedding_contract);
    }
}

#[test]
fn factorized_layers_of_every_width_and_rank_keep_the_contract() {
    for (i, dim) in DIMS.into_iter().enumerate() {
        // 1, the full rank, and one between them, another for every width.
        let mut ranks = vec![1, DIMS[i / 2], dim];
        ranks.dedup();
        for rank in ranks {
            let shape = Shape { vocab_size: 53, rank, dim };
            for_each_factorized(shape, Numbers::Normal, Some(7), check_embedding_contract);
        }
    }
}

#[test]
fn factorized_layers_of_small_integers_keep_the_contract_exactly() {
    for (rank, dim, padding_id) in [(1, 1, 0), (2, 3, 52), (5, 17, 20), (33, 50, 1)] {
        let shape = Shape { vocab_size: 53, rank, dim };
        for_each_factorized(shape, Numbers::Integers, Some(padding_id), check_embedding_contract);
    }
}

#[test]
fn blockwise_layers_of_every_width_keep_the_contract() {
    for dim in DIMS {
        for_each_blockwise((53, dim), Numbers::Normal, Some(7), check_embedding_contract);
    }
}

#[test]
fn blockwise_layers_of_small_integers_keep_the_contract_exactly() {
    for (dim, padding_id) in [(1, 0), (3, 52), (17, 20)] {
        for_each_blockwise((53, dim), Numbers::Integers, Some(padding_id), check_embedding_contract);
    }
}

#[cfg(all(feature = "decompose", feature = "safetensors"))]
#[test]
fn quantized_layers_of_every_width_keep_the_contract() {
    for dim in DIMS {
        for_each_quantized((53, dim), Some(7), check_embedding_contract);
    }
}

#[test]
fn a_vocabulary_of_one_or_two_keeps_the_contract() {
    for vocab_size in [1, 2] {
        for_each_dense((vocab_size, 3), Numbers::Normal, Some(0), check_embedding_contract);
        let shape = Shape { vocab_size, rank: 1, dim: 3 };
        for_each_factorized(shape, Numbers::Normal, Some(0), check_embedding_contract);
        for_each_blockwise((vocab_size, 3), Numbers::Normal, Some(0), check_embedding_contract);
    }
}

/// Vocabularies around the blocks of 256 rows (norms) and of 1024 (scores), padding at the edges of a block.
const VOCABULARIES: [(usize, u32); 8] =
    [(255, 254), (256, 255), (257, 256), (513, 256), (1023, 0), (1024, 1023), (1025, 1024), (2049, 1023)];

#[test]
fn products_and_searches_keep_the_contract_across_blocks_of_the_vocabulary() {
    let check = |layer: &dyn Embedding, reference: &Reference| {
        // A few queries have a way of their own; two blocks are enough for the other.
        let numbers: &[usize] = if reference.vocab_size() > 2000 { &[2, 5] } else { &[2] };
        products::check_numbers(layer, reference, numbers);
        search::check_queries(layer, reference, numbers);
    };
    for (vocab_size, padding_id) in VOCABULARIES {
        for numbers in [Numbers::Normal, Numbers::Integers] {
            let shape = Shape { vocab_size, rank: 2, dim: 3 };
            for_each_factorized(shape, numbers, Some(padding_id), check);
            for_each_dense((vocab_size, 3), numbers, Some(padding_id), check);
            for_each_blockwise((vocab_size, 3), numbers, Some(padding_id), check);
        }
        #[cfg(all(feature = "decompose", feature = "safetensors"))]
        for_each_quantized((vocab_size, 3), Some(padding_id), check);
    }
}

/// Questions are answered 1024 at a time, and searched for 64 at a time.
#[test]
fn analogies_keep_the_contract_across_blocks_of_questions() {
    let check = |layer: &dyn Embedding, reference: &Reference| {
        for number in [64, 65, 1025] {
            analogies::check_many(layer, reference, number);
        }
    };
    for_each_dense((53, 17), Numbers::Normal, Some(7), check);
    for_each_factorized(Shape { vocab_size: 53, rank: 5, dim: 17 }, Numbers::Normal, Some(7), check);
}
