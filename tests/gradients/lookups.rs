//! Lookups.

use crate::{
    check::{LARGE_SHAPE, LONG_SHAPE, SMALL_SHAPES, check, long_ids},
    operation::Operation,
    support::random,
};

#[test]
fn agree_with_differences_and_the_chain_rule() {
    for shape in SMALL_SHAPES {
        check(&Operation::Lookup { ids: vec![] }, shape);
        check(&Operation::Lookup { ids: vec![2] }, shape);
        check(&Operation::Lookup { ids: vec![4, 2, 0, 4, 4, 3, 2, 0] }, shape);
        check(&Operation::Lookup { ids: random::ids(30, shape.vocab_size, 1) }, shape);
    }
}

#[test]
fn agree_with_the_chain_rule_beyond_a_block() {
    check(&Operation::Lookup { ids: random::ids(300, LARGE_SHAPE.vocab_size, 1) }, LARGE_SHAPE);
    // More than 64 of one id: sums of sums.
    check(&Operation::Lookup { ids: vec![3; 150] }, LARGE_SHAPE);
}

#[test]
fn agree_with_the_chain_rule_in_parts() {
    check(&Operation::Lookup { ids: long_ids() }, LONG_SHAPE);
}
