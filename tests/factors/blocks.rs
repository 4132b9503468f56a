//! Factors of rows in groups.

use factorized_embedding::{BlockFactors, Dtype, Factors, Shape};
use ndarray::Array2;

use crate::support::{compare::assert_same_bits, factor_parts::FactorParts};

/// Groups 0 and 3 interleaved, 1 of rank 0, 2 of no rows.
const GROUP_OF: [u8; 9] = [3, 0, 1, 0, 3, 3, 1, 0, 3];

fn factors(vocab_size: usize, rank: usize, seed: u64) -> Factors {
    FactorParts::normal(Shape { vocab_size, rank, dim: 5 }, seed).factors()
}

fn block_factors() -> BlockFactors {
    let blocks = vec![Some(factors(3, 2, 1)), None, None, Some(factors(4, 4, 2))];
    BlockFactors::new(GROUP_OF.to_vec(), blocks, 5).expect("factors that fit the groups")
}

#[test]
fn rows_of_a_group_are_those_of_its_factors_in_order() {
    let factors = block_factors();
    assert_eq!((factors.vocab_size(), factors.dim(), factors.num_groups()), (9, 5, 4));
    assert_eq!(factors.ranks(), [2, 0, 0, 4]);
    let ids: Vec<_> = (0..5).map(|group| factors.ids_of(group)).collect();
    assert_eq!(ids, [vec![1, 3, 7], vec![2, 6], vec![], vec![0, 4, 5, 8], vec![]]);
    let mut expected = Array2::zeros((9, 5));
    for (group, block) in factors.blocks().iter().enumerate() {
        let Some(block) = block else { continue };
        for (&id, row) in ids[group].iter().zip(block.to_dense().rows()) {
            expected.row_mut(id as usize).assign(&row);
        }
    }
    assert_same_bits("the table", factors.to_dense().view(), expected.view());
}

#[test]
fn sizes_are_those_of_the_factors_and_a_byte_a_row() {
    let factors = block_factors();
    // U, D, V and b of rank 2 for three rows, of rank 4 for four rows.
    let parameters = [(3 * 2, 2 + 2 * 5 + 5), (4 * 4, 4 + 4 * 5 + 5)];
    let count = |u_bytes: usize, scale: usize| -> usize {
        let ranks = [2, 4];
        parameters.iter().zip(ranks).map(|((u, rest), rank)| u_bytes * u + 4 * (rest + scale * rank)).sum::<usize>() + 9
    };
    assert_eq!(factors.num_parameters(), parameters.iter().map(|(u, rest)| u + rest).sum::<usize>());
    assert_eq!(factors.size_in_bytes(), count(4, 0));
    assert_eq!(factors.to_dtype(Dtype::Bf16).expect("small numbers").size_in_bytes(), count(2, 0));
    assert_eq!(factors.to_dtype(Dtype::Int8).expect("small numbers").size_in_bytes(), count(1, 1));
}

#[test]
fn another_type_is_that_of_every_group() {
    let factors = block_factors();
    let narrow = factors.to_dtype(Dtype::F16).expect("small numbers");
    assert_ne!(narrow, factors);
    for (narrow, block) in narrow.blocks().iter().zip(factors.blocks()) {
        let expected = block.as_ref().map(|block| block.to_dtype(Dtype::F16).expect("small numbers"));
        assert_eq!(*narrow, expected);
    }
}

#[test]
fn parts_make_the_same_factors_again() {
    let factors = block_factors();
    let (group_of, blocks) = factors.clone().into_parts();
    assert_eq!(group_of, factors.group_of());
    assert_eq!(BlockFactors::new(group_of, blocks, factors.dim()).expect("the same parts"), factors);
}

#[test]
fn a_table_may_be_all_zero_and_have_as_many_groups_as_a_byte_names() {
    let group_of: Vec<u8> = (0..=255).collect();
    let zeros = BlockFactors::new(group_of, vec![None; 256], 3).expect("256 groups of rank 0");
    assert_eq!(zeros.to_dense(), Array2::<f32>::zeros((256, 3)));
    assert_eq!((zeros.num_parameters(), zeros.size_in_bytes()), (0, 256));
}
