//! Every kind of error, provoked through the public API, and its exact message.
#![cfg(all(feature = "decompose", feature = "safetensors", feature = "word-vectors"))]

mod checkpoints;
mod entries;
mod files;
mod hostile;
mod ids;
mod numbers;
mod shapes;
#[path = "../support/mod.rs"]
mod support;
mod training;
mod words;

use factorized_embedding::{
    BlockFactors, BlockwiseEmbedding, Decompose, DenseEmbedding, Error, Factors, Rank, Result, Shape, TruncatedSvd,
};
use ndarray::array;

/// The tests of this folder, as text.
const SOURCES: [&str; 8] = [
    include_str!("checkpoints.rs"),
    include_str!("entries.rs"),
    include_str!("files.rs"),
    include_str!("ids.rs"),
    include_str!("numbers.rs"),
    include_str!("shapes.rs"),
    include_str!("training.rs"),
    include_str!("words.rs"),
];

/// The result is an error of this kind with this message, and the message is one that can stand in a sentence.
#[track_caller]
fn assert_refused<T: std::fmt::Debug>(result: Result<T>, kind: fn(&Error) -> bool, message: &str) {
    let error = result.expect_err("this is refused");
    assert!(kind(&error), "another kind of error: {error:?}");
    assert_eq!(error.to_string(), message);
    assert!(!message.ends_with('.'), "a full stop");
    assert!(!message.starts_with(char::is_uppercase), "an upper-case letter");
}

fn dense() -> DenseEmbedding<'static> {
    DenseEmbedding::new(array![[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]).expect("finite")
}

fn factors() -> Factors {
    Factors::new(array![[1.0], [2.0], [3.0]], array![[4.0, 5.0]]).expect("shapes that multiply")
}

fn blockwise() -> BlockwiseEmbedding {
    BlockwiseEmbedding::new(BlockFactors::new(vec![0; 3], vec![Some(factors())], 2).expect("factors of all rows"))
}

fn decompose(rank: Rank) -> Result<factorized_embedding::Decomposition> {
    TruncatedSvd::new(rank).decompose(array![[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]].view())
}

fn random(shape: Shape, std: f32) -> Result<Factors> {
    Factors::random(shape, std, &mut support::random::rng(1))
}

/// The names of all kinds, from the source.
fn kinds() -> Vec<&'static str> {
    let source = include_str!("../../src/error.rs");
    let (_, variants) = source.split_once("pub enum Error {").expect("the type of the errors");
    let (variants, _) = variants.split_once("\n}").expect("the end of the type");
    // A variant stands four spaces in and begins with an upper-case letter.
    let names = variants.lines().filter_map(|line| line.strip_prefix("    "));
    let names: Vec<&str> = names
        .filter(|line| line.starts_with(char::is_uppercase))
        .filter_map(|line| line.split([' ', '{', '(', ',']).next())
        .collect();
    assert!(names.len() >= 20, "the variants of the type: {names:?}");
    names
}

#[test]
fn every_kind_of_error_has_a_test_here() {
    for name in kinds() {
        let kind = format!("Error::{name} {{");
        assert!(SOURCES.iter().any(|source| source.contains(&kind)), "no test for {name}");
    }
}
