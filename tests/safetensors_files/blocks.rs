//! Factors of rows in groups: what is saved is what is loaded, bit for bit.

use factorized_embedding::{
    BlockFactors, Dtype, Error, Factors, Shape,
    io::safetensors::{load_block_factors, load_factors, max_block_header_bytes, save_block_factors, save_factors},
};
use ndarray::{Array1, Array2, array};

use crate::support::{
    compare::assert_same_bits,
    factor_parts::FactorParts,
    files::{Folder, longest_header},
};

#[track_caller]
fn assert_round_trip(factors: &BlockFactors) -> Vec<u8> {
    let folder = Folder::new();
    let path = folder.path("factors.safetensors");
    save_block_factors(&path, factors).expect("a writable folder");
    assert_eq!(folder.names(), ["factors.safetensors"], "no temporary file is left");
    let loaded = load_block_factors(&path).expect("the file that was just saved");
    // Equal numbers may have other bits: 0 and −0 are equal.
    assert_eq!(loaded, *factors);
    assert_same_bits("the table", loaded.to_dense().view(), factors.to_dense().view());
    let bytes = std::fs::read(&path).expect("the file that was just saved");
    assert!(bytes.len() > factors.size_in_bytes());
    assert!(bytes.len() <= factors.size_in_bytes() + max_block_header_bytes(factors.num_groups()));
    bytes
}

/// The group of each row, and for each group the rank and the number in [`FactorParts::variants`], or nothing.
fn block_factors(group_of: &[u8], blocks: &[Option<(usize, usize)>], dim: usize) -> BlockFactors {
    let block = |(group, block): (usize, &Option<(usize, usize)>)| {
        let vocab_size = group_of.iter().filter(|&&of| usize::from(of) == group).count();
        block.map(|(rank, variant)| {
            FactorParts::normal(Shape { vocab_size, rank, dim }, group as u64).variants()[variant].factors()
        })
    };
    let blocks = blocks.iter().enumerate().map(block).collect();
    BlockFactors::new(group_of.to_vec(), blocks, dim).expect("factors that fit the groups")
}

fn some_factors() -> BlockFactors {
    block_factors(&[4, 0, 1, 3, 3, 0, 1, 4, 3], &[Some((2, 0)), None, None, Some((3, 3)), Some((1, 1))], 5)
}

#[test]
fn groups_with_and_without_rows_and_factors_come_back() {
    assert_round_trip(&some_factors());
    assert_round_trip(&block_factors(&[0], &[None], 1));
    assert_round_trip(&block_factors(&[0], &[Some((1, 2))], 1));
    assert_round_trip(&block_factors(&[1, 1], &[None, None, None], 7));
    let all: Vec<u8> = (0..=255).collect();
    assert_round_trip(&block_factors(&all, &[Some((1, 3)); 256], 2));
}

#[test]
fn every_type_comes_back() {
    for dtype in [Dtype::F32, Dtype::F16, Dtype::Bf16, Dtype::Int8] {
        let factors = some_factors().to_dtype(dtype).expect("small numbers");
        let bytes = assert_round_trip(&factors);
        // Readers that cast bytes in place need numbers at multiples of their size.
        let file = safetensors::SafeTensors::deserialize(&bytes).expect("a valid file");
        let start = bytes.as_ptr().addr();
        for (name, tensor) in file.tensors() {
            let size = tensor.dtype().bitsize() / 8;
            assert_eq!((tensor.data().as_ptr().addr() - start) % size, 0, "{name} beside a U of {dtype}");
        }
    }
}

#[test]
fn the_same_factors_give_the_same_bytes() {
    assert_eq!(assert_round_trip(&some_factors()), assert_round_trip(&some_factors()));
}

#[test]
fn no_shape_makes_the_header_longer_than_its_limit() {
    for num_groups in [1_usize, 10, 11, 256] {
        // Integers have scales, a tensor more.
        let group_of: Vec<u8> = (0..3 * num_groups).map(|row| (row / 3) as u8).collect();
        let factors = block_factors(&group_of, &vec![Some((2, 0)); num_groups], 4);
        let bytes = assert_round_trip(&factors.to_dtype(Dtype::Int8).expect("small numbers"));
        let longest =
            longest_header(&bytes, 4).replacen("\"dim\":\"4\"", &format!("\"dim\":\"{}\"", isize::MAX / 4), 1);
        assert_eq!(longest.matches("\"shape\"").count(), 5 * num_groups + 1, "all parts of all groups: {longest}");
        let (len, max) = (8 + longest.len().next_multiple_of(8), max_block_header_bytes(num_groups));
        assert!(len <= max, "{len} bytes for {num_groups} groups, at most {max}: {longest}");
    }
}

#[test]
fn each_reader_says_what_the_other_reads() {
    let folder = Folder::new();
    let (one, blocks) = (folder.path("one"), folder.path("blocks"));
    let factors = Factors::new(array![[1.0]], array![[2.0]]).expect("shapes that multiply");
    save_factors(&one, &factors).expect("a writable folder");
    save_block_factors(&blocks, &some_factors()).expect("a writable folder");
    let reason = |result: Option<Error>| match result {
        Some(Error::InvalidFile { format, reason, .. }) => (format, reason),
        other => panic!("{other:?}"),
    };
    assert_eq!(
        reason(load_factors(&blocks).err()),
        (
            "factorized-embedding",
            r#"its metadata say format "factorized-embedding-blockwise", which load_block_factors reads"#.to_owned()
        )
    );
    assert_eq!(
        reason(load_block_factors(&one).err()),
        (
            "factorized-embedding-blockwise",
            r#"its metadata say format "factorized-embedding", which load_factors reads"#.to_owned()
        )
    );
}

#[test]
fn a_folder_is_not_replaced() {
    let folder = Folder::new();
    let result = save_block_factors(folder.path(""), &some_factors());
    assert!(matches!(result, Err(Error::Io { action: "replace", .. })), "{result:?}");
    assert!(folder.names().is_empty(), "no temporary file is left");
}

/// The factors of the golden file, from numbers that every machine rounds the same way: a group with all parts, one of rank 0,
/// one without rows, one of integers of 8 bits and one of `f16`.
fn golden() -> BlockFactors {
    let matrix = |shape: (usize, usize), start: usize| {
        let numbers = Array1::from_shape_fn(shape.0 * shape.1, |i| ((start + i) as f32).sqrt() - 3.0);
        let matrix: Array2<f32> = numbers.into_shape_with_order(shape).expect("as many numbers");
        matrix
    };
    let factors = |rows, rank| Factors::new(matrix((rows, rank), rows), matrix((rank, 3), 20)).expect("fitting shapes");
    let full = factors(3, 2).with_diagonal(array![2.5, -0.0]).expect("a diagonal of the rank");
    let full = full.with_bias(matrix((1, 3), 30).row(0).to_owned()).expect("a bias of the dim");
    let integers = factors(2, 1).to_dtype(Dtype::Int8).expect("small numbers");
    let halves = factors(4, 1).to_dtype(Dtype::F16).expect("small numbers");
    let blocks = vec![Some(full), None, None, Some(integers), Some(halves)];
    BlockFactors::new(vec![4, 0, 1, 3, 4, 4, 0, 3, 0, 4, 1], blocks, 3).expect("factors that fit the groups")
}

/// `save_block_factors` wrote this file when the format was made; it must always be read, and version 1 always be written so.
#[test]
fn the_golden_file_of_version_1_is_read_and_written() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/block-factors-v1.safetensors");
    let loaded = load_block_factors(path).expect("a file of version 1");
    assert_eq!(loaded, golden());
    assert_same_bits("the table", loaded.to_dense().view(), golden().to_dense().view());
    assert_eq!(assert_round_trip(&golden()), std::fs::read(path).expect("the golden file"));
}
