//! Every kind of error, provoked through the public API, and its exact message.
#![cfg(all(feature = "decompose", feature = "safetensors", feature = "word-vectors"))]

mod support;

use std::error::Error as _;

use factorized_embedding::{
    AlternatingLeastSquares, ArrayRows, Bags, BlockFactors, BlockwiseEmbedding, Decompose, DenseEmbedding, Dtype,
    Embedding, Error, FactorizedEmbedding, Factors, GramAccumulator, MeanRemoval, Observations, OutOfVocabulary,
    Pooling, RandomizedSvd, Rank, Result, RowBlocks, RowWeights, Shape, TokenCounts, TruncatedSvd, Vocabulary,
    io::{
        hugging_face::{Checkpoint, Replacement},
        safetensors::{load_factors, load_table, save_factors},
        word_vectors::{WordVectorFormat, load_word_vectors, save_word_vectors},
    },
    token_ids,
    train::{
        Backward, FactorGradients, FactorOptimizer, Gradients, Optimizer, OptimizerState, Renormalize, RowGradient,
        TableOptimizer, Trainable,
    },
};
use ndarray::{Array2, array, s};
use support::files::{Folder, METADATA, file, header};

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

#[test]
fn id_out_of_range() {
    let kind = |error: &Error| matches!(error, Error::IdOutOfRange { id: 3, position: 2, vocab_size: 3 });
    let message = "id 3 at position 2 is out of range for a vocabulary of 3 (ids 0..=2)";
    assert_refused(dense().lookup(&[0, 2, 3, 4]), kind, message);
    assert_refused(FactorizedEmbedding::new(factors()).lookup(&[0, 2, 3, 4]), kind, message);
    assert_refused(blockwise().lookup(&[0, 2, 3, 4]), kind, message);
    assert_refused(FactorizedEmbedding::new(factors()).lookup_rank(&[0, 2, 3, 4]), kind, message);

    let kind = |error: &Error| matches!(error, Error::IdOutOfRange { .. });
    let message = "id 4294967295 at position 0 is out of range for a vocabulary of 3 (ids 0..=2)";
    assert_refused(dense().with_padding_id(u32::MAX), kind, message);
    assert_refused(FactorizedEmbedding::new(factors()).with_padding_id(u32::MAX), kind, message);
    assert_refused(blockwise().with_padding_id(u32::MAX), kind, message);
    assert_refused(RowWeights::from_ids(3, [u32::MAX]), kind, message);
}

#[test]
fn not_a_token_id() {
    let kind = |error: &Error| matches!(error, Error::NotATokenId { .. });
    assert_refused(token_ids([0_i64, 1, -5]), kind, "-5 at position 2 is not a token id (0..=4294967295)");
    assert_refused(token_ids([1_usize << 32]), kind, "4294967296 at position 0 is not a token id (0..=4294967295)");
    assert_eq!(token_ids([0, (1_usize << 32) - 1]).expect("the least and the largest"), [0, u32::MAX]);
    assert_eq!(token_ids([3_u8, 7]).expect("small numbers"), [3, 7]);
    assert_eq!(token_ids::<i32>([]).expect("no numbers"), [0_u32; 0]);
}

#[test]
fn shape_mismatch() {
    let kind = |error: &Error| matches!(error, Error::ShapeMismatch { .. });
    let mut out = Array2::zeros((2, 5));
    let message = "out [n, dim] has shape [2, 5], expected [1, 2]";
    assert_refused(dense().lookup_into(&[0], out.view_mut()), kind, message);
    let layer = FactorizedEmbedding::new(factors());
    let message = "out [n, rank] has shape [2, 5], expected [1, 1]";
    assert_refused(layer.lookup_rank_into(&[0], out.view_mut()), kind, message);
    let message = "rank_rows [n, rank] has shape [2, 5], expected [2, 1]";
    assert_refused(layer.project(out.view()), kind, message);
    let message = "weight [dim, out] has shape [3, 7], expected [2, 7]";
    assert_refused(layer.then_linear(Array2::zeros((3, 7)).view(), None), kind, message);
    let mut counts = TokenCounts::new(3).expect("a vocabulary");
    let message = "token counts [vocab_size] has shape [4], expected [3]";
    assert_refused(counts.merge(&TokenCounts::new(4).expect("a vocabulary")), kind, message);
    let message = "bias [out] has shape [2], expected [7]";
    let bias = array![1.0, 2.0];
    assert_refused(factors().then_linear(Array2::zeros((2, 7)).view(), Some(bias.view())), kind, message);
    let message = "v [rank, dim] has shape [2, 4], expected [3, 4]";
    assert_refused(Factors::new(Array2::zeros((5, 3)), Array2::zeros((2, 4))), kind, message);
    assert_refused(factors().with_diagonal(bias.clone()), kind, "diagonal [rank] has shape [2], expected [1]");
    assert_refused(factors().with_bias(array![1.0]), kind, "bias [dim] has shape [1], expected [2]");
    let message = "bytes of a table [vocab_size · dim · size of a number] has shape [5], expected [12]";
    assert_refused(DenseEmbedding::from_bytes(vec![0; 5], Dtype::F16, [2, 3]), kind, message);
    assert_refused(Bags::new(&[1, 2], &[], Pooling::Sum), kind, "ids of no bags has shape [2], expected [0]");
    let bags = Bags::new(&[1, 2], &[0], Pooling::Sum).expect("one bag");
    assert_refused(bags.with_weights(&[1.0]), kind, "per-sample weights [n] has shape [1], expected [2]");
    let weights = RowWeights::new([1.0, 2.0]).expect("positive");
    let svd = TruncatedSvd::new(Rank::Fixed(1)).with_row_weights(weights);
    let message = "row weights [vocab_size] has shape [2], expected [3]";
    assert_refused(svd.decompose(Array2::zeros((3, 2)).view()), kind, message);
}

#[test]
fn empty() {
    let kind = |error: &Error| matches!(error, Error::Empty { .. });
    let message = "table [vocab_size, dim] is empty: its shape is [0, 3]";
    assert_refused(DenseEmbedding::new(Array2::zeros((0, 3))), kind, message);
    assert_refused(DenseEmbedding::from_bytes(vec![], Dtype::F32, [0, 3]), kind, message);
    assert_refused(TruncatedSvd::new(Rank::Fixed(1)).decompose(Array2::zeros((0, 3)).view()), kind, message);
    let message = "factorized table [vocab_size, dim] is empty: its shape is [3, 0]";
    assert_refused(random(Shape { vocab_size: 3, rank: 1, dim: 0 }, 1.0), kind, message);
    let message = "weight [dim, out] is empty: its shape is [2, 0]";
    assert_refused(factors().then_linear(Array2::zeros((2, 0)).view(), None), kind, message);
    let message = "table in groups [vocab_size, dim] is empty: its shape is [0, 2]";
    assert_refused(BlockFactors::new(vec![], vec![None], 2), kind, message);
    let message = "table in groups [vocab_size, dim] is empty: its shape is [2, 0]";
    assert_refused(BlockFactors::new(vec![0, 0], vec![None], 0), kind, message);
    assert_refused(RowWeights::new([]), kind, "row weights [vocab_size] is empty: its shape is [0]");
    assert_refused(RowWeights::from_ids(0, []), kind, "token counts [vocab_size] is empty: its shape is [0]");
}

#[test]
fn vocabulary_too_large() {
    let kind = |error: &Error| matches!(error, Error::VocabularyTooLarge { .. });
    let shape = Shape { vocab_size: 1 << 32, rank: 1, dim: 1 };
    let message = "a vocabulary of 4294967296 is too large: token ids name at most 4294967295 rows";
    assert_refused(random(shape, 1.0), kind, message);
    assert_refused(TokenCounts::new(1 << 32), kind, message);
}

#[test]
fn table_too_large() {
    let kind = |error: &Error| matches!(error, Error::TableTooLarge { .. });
    let shape = Shape { vocab_size: u32::MAX as usize, rank: 1, dim: u32::MAX as usize };
    let message = "a table of 4294967295 × 4294967295 numbers is too large to be addressed";
    assert_refused(random(shape, 1.0), kind, message);
    let message = "a table of 2 × 18446744073709551615 numbers is too large to be addressed";
    assert_refused(BlockFactors::new(vec![0, 0], vec![None], usize::MAX), kind, message);
}

#[test]
fn overflow() {
    let kind = |error: &Error| matches!(error, Error::Overflow { .. });
    let message = "the decomposition of the table is beyond the range of f32";
    assert_refused(TruncatedSvd::new(Rank::Fixed(1)).decompose(array![[3e38], [3e38]].view()), kind, message);
}

#[test]
fn rank_out_of_range() {
    let kind = |error: &Error| matches!(error, Error::RankOutOfRange { .. });
    let message = |rank| format!("rank {rank} is out of range 1..=2, where 2 is the smaller of vocab_size 3 and dim 2");
    for rank in [0, 3, usize::MAX] {
        assert_refused(decompose(Rank::Fixed(rank)), kind, &message(rank));
        assert_refused(random(Shape { vocab_size: 3, rank, dim: 2 }, 1.0), kind, &message(rank));
    }
    assert_refused(Factors::new(Array2::zeros((3, 3)), Array2::zeros((3, 2))), kind, &message(3));
}

#[test]
fn group_out_of_range() {
    let kind = |error: &Error| matches!(error, Error::GroupOutOfRange { row: 1, group: 2, num_groups: 2 });
    let message = "row 1 is in group 2, expected one of 2 groups (0..=1)";
    assert_refused(BlockFactors::new(vec![1, 2, 3], vec![None, None], 4), kind, message);
}

#[test]
fn group_shape_mismatch() {
    let kind = |error: &Error| matches!(error, Error::GroupShapeMismatch { group: 1, .. });
    let message = "the factors of group 1 make a table [3, 2], expected [4, 2] [rows of the group, dim]";
    let blocks = || vec![None, Some(factors())];
    assert_refused(BlockFactors::new(vec![1, 0, 1, 1, 1], blocks(), 2), kind, message);
    let message = "the factors of group 1 make a table [3, 2], expected [3, 5] [rows of the group, dim]";
    assert_refused(BlockFactors::new(vec![1, 0, 1, 1], blocks(), 5), kind, message);
    let message = "the factors of group 1 make a table [3, 2], expected [0, 2] [rows of the group, dim]";
    assert_refused(BlockFactors::new(vec![0], blocks(), 2), kind, message);
}

#[test]
fn non_finite() {
    let kind = |error: &Error| matches!(error, Error::NonFinite { .. });
    let table = array![[1.0, 2.0], [f32::NAN, f32::INFINITY]];
    let message = "table [vocab_size, dim] holds NaN at [1, 0]: only finite numbers can be used";
    assert_refused(DenseEmbedding::new(&table), kind, message);
    assert_refused(TruncatedSvd::new(Rank::Fixed(1)).decompose(table.view()), kind, message);
    // The index is that of the view, whatever its strides.
    let message = "table [vocab_size, dim] holds inf at [0, 0]: only finite numbers can be used";
    assert_refused(DenseEmbedding::new(table.slice(s![..;-1, ..;-1])), kind, message);
    let bad = array![f32::NEG_INFINITY];
    let message = "diagonal [rank] holds -inf at [0]: only finite numbers can be used";
    assert_refused(factors().with_diagonal(bad), kind, message);
    let mut layer = FactorizedEmbedding::new(factors());
    let message = "rows [n, dim] holds NaN at [0, 1]: only finite numbers can be used";
    assert_refused(layer.append_rows(array![[1.0, f32::NAN]].view()), kind, message);
    assert_eq!(layer.vocab_size(), 3, "nothing was added");
}

#[test]
fn invalid_setting() {
    let kind = |error: &Error| matches!(error, Error::InvalidSetting { .. });
    for (share, printed) in [(0.0, "0"), (-0.5, "-0.5"), (1.5, "1.5"), (f64::NAN, "NaN")] {
        let message = format!("energy is {printed}, expected a share above 0 and up to 1");
        assert_refused(decompose(Rank::Energy(share)), kind, &message);
    }
    for (error, printed) in [(1.0, "1"), (-0.1, "-0.1"), (f64::NAN, "NaN"), (f64::INFINITY, "inf")] {
        let message = format!("relative error is {printed}, expected a number from 0 to below 1");
        assert_refused(decompose(Rank::RelativeError(error)), kind, &message);
    }
    for (std, printed) in [(-1.0, "-1"), (f32::NAN, "NaN"), (f32::INFINITY, "inf")] {
        let message = format!("std is {printed}, expected a finite standard deviation that is not negative");
        assert_refused(random(Shape { vocab_size: 3, rank: 1, dim: 2 }, std), kind, &message);
    }
    for num_groups in [0, 257] {
        let message = format!("number of groups is {num_groups}, expected 1 to 256 groups");
        assert_refused(BlockFactors::new(vec![0], vec![None; num_groups], 2), kind, &message);
    }
    let weights = RowWeights::new([1.0, 1e308]).expect("finite");
    let message = "smoothing is -1, expected a finite number that is not negative";
    assert_refused(weights.clone().with_smoothing(-1.0), kind, message);
    let message = format!("smoothing is {}, expected a finite sum with each count", f64::MAX);
    assert_refused(weights.clone().with_smoothing(f64::MAX), kind, &message);
    let message = "exponent is -0.5, expected a finite number that is not negative";
    assert_refused(weights.with_exponent(-0.5), kind, message);
    let table = Array2::zeros((3, 2));
    let message = "row is 4, expected a row of the table, or its end";
    assert_refused(ArrayRows::new(table.view()).seek(4), kind, message);
    for (level, printed) in [(-1.0, "-1"), (f64::NAN, "NaN"), (f64::INFINITY, "inf")] {
        let message = format!("noise level is {printed}, expected a finite standard deviation that is not negative");
        assert_refused(decompose(Rank::NoiseLevel(level)), kind, &message);
    }
}

#[test]
fn invalid_weight() {
    let kind = |error: &Error| matches!(error, Error::InvalidWeight { row: 1, .. });
    for (weight, printed) in [(-1.0, "-1"), (f64::NAN, "NaN"), (f64::INFINITY, "inf")] {
        let message = format!("the weight of row 1 is {printed}: weights are finite and not negative");
        assert_refused(RowWeights::new([0.0, weight, -2.0]), kind, &message);
    }
}

#[test]
fn all_weights_zero() {
    let kind = |error: &Error| matches!(error, Error::AllWeightsZero { len: 3 });
    let svd = TruncatedSvd::new(Rank::Fixed(1));
    let svd = svd.with_row_weights(RowWeights::new([0.0; 3]).expect("not negative"));
    assert_refused(svd.decompose(Array2::ones((3, 2)).view()), kind, "all 3 row weights are zero");
}

#[test]
fn invalid_offset() {
    let kind = |error: &Error| matches!(error, Error::InvalidOffset { .. });
    let refused = |offsets: &[usize], message: &str| {
        let message = format!("{message}: offsets start at 0, never decrease and end within the ids");
        for pooling in [Pooling::Sum, Pooling::Mean, Pooling::Max] {
            assert_refused(Bags::new(&[5, 6, 7], offsets, pooling), kind, &message);
        }
    };
    refused(&[1, 2], "offset 1 of bag 0 is not in 0..=0");
    refused(&[0, 2, 1], "offset 1 of bag 2 is not in 2..=3");
    refused(&[0, 4], "offset 4 of bag 1 is not in 0..=3");
    refused(&[0, 3, usize::MAX], "offset 18446744073709551615 of bag 2 is not in 3..=3");
}

#[test]
fn weights_need_sum() {
    let kind = |error: &Error| matches!(error, Error::WeightsNeedSum { .. });
    for (pooling, printed) in [(Pooling::Mean, "mean pooling"), (Pooling::Max, "max pooling")] {
        let bags = Bags::new(&[0], &[0], pooling).expect("one bag");
        let message = format!("per-sample weights go with sum pooling only, not with {printed}");
        assert_refused(bags.with_weights(&[1.0]), kind, &message);
    }
}

#[test]
fn budget_too_small() {
    let kind = |error: &Error| matches!(error, Error::BudgetTooSmall { .. });
    // Rank 1 takes 3 numbers of U, 1 of D and 2 of V.
    let minimum = 4 * (3 + 1 + 2);
    let message = format!("{} bytes cannot hold any factors of this table: the smallest take {minimum}", minimum - 1);
    assert_refused(decompose(Rank::Bytes(minimum - 1)), kind, &message);
    assert!(decompose(Rank::Bytes(minimum)).is_ok());
}

#[test]
fn duplicate_word() {
    let kind = |error: &Error| matches!(error, Error::DuplicateWord { .. });
    let message = "the word \"a\\tb\" stands at id 1 and again at id 3";
    assert_refused(Vocabulary::new(["x", "a\tb", "y", "a\tb"]), kind, message);
}

#[test]
fn unknown_word() {
    let kind = |error: &Error| matches!(error, Error::UnknownWord { position: 2, .. });
    let vocabulary = Vocabulary::new(["x", "y"]).expect("two different words");
    let message = "the word \"a\\tb\" at position 2 is not in the vocabulary";
    assert_refused(vocabulary.encode(&["x", "y", "a\tb", "z"], OutOfVocabulary::Refuse), kind, message);
}

#[test]
fn unsuitable_word() {
    let kind = |error: &Error| matches!(error, Error::UnsuitableWord { id: 1, .. });
    let folder = Folder::new();
    let words = Vocabulary::new(["x", "a b", "y"]).expect("different words");
    let message = "the word \"a b\" at id 1 cannot be written as word2vec binary: it holds a space";
    let format = WordVectorFormat::Word2VecBinary;
    assert_refused(save_word_vectors(folder.path("vectors"), format, &words, &dense()), kind, message);
    assert!(folder.names().is_empty(), "nothing was written");
}

#[test]
fn invalid_record() {
    let kind = |error: &Error| matches!(error, Error::InvalidRecord { number: 2, record: "line", .. });
    let folder = Folder::new();
    let path = folder.write("glove.txt", b"a 1 2\nb 1\n");
    let message = format!("{} is not a valid GloVe text file: line 2 has 1 numbers, expected 2", path.display());
    assert_refused(load_word_vectors(&path, WordVectorFormat::GloveText), kind, &message);
}

/// With the feature such files are read, so that this one is made by hand; `tests/word_vectors/` provokes it without.
#[test]
fn missing_feature() {
    let kind = |error: &Error| matches!(error, Error::MissingFeature { .. });
    let result: Result<()> =
        Err(Error::MissingFeature { path: "glove.gz".into(), found: "a file of gzip", feature: "gzip" });
    assert_refused(result, kind, "glove.gz is a file of gzip, which takes the feature \"gzip\" of this crate");
}

/// Finite numbers have always converged so far, so that this one cannot be provoked.
#[test]
fn no_convergence() {
    let kind = |error: &Error| matches!(error, Error::NoConvergence { .. });
    let result: Result<()> = Err(Error::NoConvergence { what: "singular value decomposition" });
    assert_refused(result, kind, "the singular value decomposition did not converge");
}

#[test]
fn io() {
    let kind = |error: &Error| matches!(error, Error::Io { .. });
    let folder = Folder::new();
    let path = folder.path("missing");
    let reason = std::fs::File::open(&path).expect_err("there is no such file");
    let message = format!("cannot open {}: {reason}", path.display());
    assert_refused(load_factors(&path), kind, &message);
    assert_refused(load_table(&path, "weight"), kind, &message);
    let source = load_factors(&path).expect_err("there is no such file");
    let source = source.source().and_then(|source| source.downcast_ref::<std::io::Error>());
    assert_eq!(source.map(std::io::Error::kind), Some(std::io::ErrorKind::NotFound), "the reason can be asked for");

    let message = format!("cannot find the folder {}: {reason}", path.display());
    assert_refused(save_factors(path.join("factors"), &factors()), kind, &message);
}

#[test]
fn invalid_file() {
    let kind = |error: &Error| matches!(error, Error::InvalidFile { .. });
    let folder = Folder::new();
    let path = folder.write("short", b"1234567");
    let message = format!("{} is not a valid safetensors file: header too small", path.display());
    assert_refused(load_table(&path, "weight"), kind, &message);
    let path = folder.write("index.json", b"{}");
    let reason = "missing field `weight_map` at line 1 column 2";
    let message = format!("{} is not a valid safetensors index file: {reason}", path.display());
    assert_refused(load_table(&path, "weight"), kind, &message);
    let path = folder.write("other", &file("{}", &[]));
    let message = format!("{} is not a valid factorized-embedding file: its metadata name no format", path.display());
    assert_refused(load_factors(&path), kind, &message);
}

#[test]
fn column_out_of_range() {
    let kind = |error: &Error| matches!(error, Error::ColumnOutOfRange { column: 2, position: 1, dim: 2 });
    let message = "column 2 at position 1 is out of range for a dim of 2 (columns 0..=1)";
    assert_refused(Observations::from_triplets(3, 2, [(0, 1, 1.0), (2, 2, 1.0)]), kind, message);
}

#[test]
fn duplicate_entry() {
    let kind = |error: &Error| matches!(error, Error::DuplicateEntry { row: 2, column: 1 });
    let message = "the entry in row 2 and column 1 is given twice";
    let entries = [(2, 1, 1.0), (0, 0, 1.0), (2, 1, 5.0)];
    assert_refused(Observations::from_triplets(3, 2, entries), kind, message);
}

#[test]
fn invalid_entry_weight() {
    let kind = |error: &Error| matches!(error, Error::InvalidEntryWeight { row: 1, column: 0, .. });
    let message = "the weight of the entry in row 1 and column 0 is -0.5: weights are finite and not negative";
    let weights = array![[1.0, 1.0], [-0.5, 1.0]];
    assert_refused(Observations::from_entry_weights(Array2::ones((2, 2)).view(), weights.view()), kind, message);
}

#[test]
fn no_known_entries() {
    let kind = |error: &Error| matches!(error, Error::NoKnownEntries { vocab_size: 3, dim: 2 });
    let message = "of a table of 3 × 2, no entry is known that has any weight";
    assert_refused(Observations::from_triplets(3, 2, []), kind, message);
}

#[test]
fn unusable_bias() {
    let kind = |error: &Error| matches!(error, Error::UnusableBias { what: "warm start" });
    let biased = factors().with_bias(array![1.0, 2.0]).expect("the dim");
    let als = AlternatingLeastSquares::new(1).with_warm_start(biased.clone());
    let message = "the warm start has a bias, which cannot be used here";
    assert_refused(als.decompose(Array2::ones((3, 2)).view()), kind, message);
    let kind = |error: &Error| matches!(error, Error::UnusableBias { .. });
    let message = "the layer whose norms are to be bounded has a bias, which cannot be used here";
    assert_refused(FactorizedEmbedding::new(biased).renormalize(&[0], 1.0), kind, message);
}

#[test]
fn tensor_not_found() {
    let kind = |error: &Error| matches!(error, Error::TensorNotFound { .. });
    let folder = Folder::new();
    let path = folder.write("none", &file("{}", &[]));
    let message = format!("{} has no tensor \"a\\n\"; it has none", path.display());
    assert_refused(load_table(&path, "a\n"), kind, &message);
    let (text, size) = header(None, &[("z", "U8", 1, &[2]), ("b", "U8", 1, &[1])]);
    let path = folder.write("two", &file(&text, &vec![0; size]));
    let message = format!(r#"{} has no tensor "a"; it has "b", "z""#, path.display());
    assert_refused(load_table(&path, "a"), kind, &message);
}

#[test]
fn unsuitable_tensor() {
    let kind = |error: &Error| matches!(error, Error::UnsuitableTensor { .. });
    let folder = Folder::new();
    let (text, size) = header(None, &[("weight", "U8", 1, &[2, 3])]);
    let path = folder.write("bytes", &file(&text, &vec![0; size]));
    let message = format!(
        r#"tensor "weight" of {} is U8 [2, 3], expected F32, F16, BF16 or I8 [vocab_size, dim]"#,
        path.display()
    );
    assert_refused(load_table(&path, "weight"), kind, &message);
}

#[test]
fn unsupported_version() {
    let kind = |error: &Error| matches!(error, Error::UnsupportedVersion { .. });
    let folder = Folder::new();
    let path = folder.write("later", &file(&header(Some(&METADATA.replace('1', "2")), &[]).0, &[]));
    let message = format!("{} has format version \"2\", this crate reads version 1", path.display());
    assert_refused(load_factors(&path), kind, &message);
}

/// A folder with a checkpoint of these matrices of `f32`.
fn checkpoint(matrices: &[(&str, [usize; 2])]) -> (Folder, Checkpoint) {
    let folder = Folder::new();
    let tensors: Vec<(&str, &str, usize, &[usize])> =
        matrices.iter().map(|(name, shape)| (*name, "F32", 4, shape.as_slice())).collect();
    let (text, size) = header(None, &tensors);
    folder.write("model.safetensors", &file(&text, &vec![0; size]));
    folder.write("config.json", br#"{"vocab_size": 3}"#);
    let checkpoint = Checkpoint::open(folder.path("")).expect("a valid checkpoint");
    (folder, checkpoint)
}

#[test]
fn token_table_not_found() {
    let kind = |error: &Error| matches!(error, Error::TokenTableNotFound { .. });
    let names: Vec<String> = (0..12).map(|i| format!("m{i}")).collect();
    let matrices: Vec<(&str, [usize; 2])> = names.iter().zip(1..).map(|(name, i)| (name.as_str(), [i, 2])).collect();
    let start = |folder: &Folder| {
        let path = folder.path("").display().to_string();
        format!("{path} has no token table under a known name; its matrices, the largest first, are ")
    };
    let (folder, few) = checkpoint(&matrices[..2]);
    assert_refused(few.token_table(), kind, &format!("{}\"m1\" [2, 2], \"m0\" [1, 2]", start(&folder)));
    let (folder, none) = checkpoint(&[]);
    assert_refused(none.token_table(), kind, &format!("{}none", start(&folder)));
    let (folder, many) = checkpoint(&matrices);
    let shown: Vec<String> = (2..12).rev().map(|i| format!("\"m{i}\" [{}, 2]", i + 1)).collect();
    assert_refused(many.token_table(), kind, &format!("{}{}, 2 more", start(&folder), shown.join(", ")));
}

#[test]
fn ambiguous_token_table() {
    let kind = |error: &Error| matches!(error, Error::AmbiguousTokenTable { .. });
    let (folder, checkpoint) = checkpoint(&[("wte.weight", [3, 2]), ("shared.weight", [3, 2])]);
    let path = folder.path("").display().to_string();
    let message = format!(r#"{path} has several token tables, "shared.weight", "wte.weight": choose one by its name"#);
    assert_refused(checkpoint.token_table(), kind, &message);
}

#[test]
fn config_mismatch() {
    let kind = |error: &Error| matches!(error, Error::ConfigMismatch { setting: "vocab_size", .. });
    let (folder, checkpoint) = checkpoint(&[("wte.weight", [5, 2])]);
    let path = folder.path("config.json").display().to_string();
    let message = format!(r#"{path} says vocab_size 3, but tensor "wte.weight" has 5 rows"#);
    assert_refused(checkpoint.token_table(), kind, &message);
}

#[test]
fn compressed_table() {
    let kind = |error: &Error| matches!(error, Error::CompressedTable { .. });
    let (_folder, checkpoint) = checkpoint(&[("wte.weight", [3, 2])]);
    let other = Folder::new();
    let (out, replacement) = (other.path("small"), Replacement::factors("made up", factors()));
    checkpoint.save_with("wte.weight", &replacement, &out, |_, _| Ok(())).expect("a writable folder");
    let compressed = Checkpoint::open(&out).expect("what was just written");
    let message = format!(
        r#"the table "wte.weight" of {} is compressed: the tensor itself comes back when it is restored"#,
        out.display()
    );
    assert_refused(compressed.table("wte.weight"), kind, &message);
}

#[test]
fn needs_all_singular_values() {
    let kind = |error: &Error| matches!(error, Error::NeedsAllSingularValues { .. });
    let message = "mean removal if better needs all singular values, which this method does not compute";
    let svd = RandomizedSvd::new(Rank::Fixed(1)).with_mean_removal(MeanRemoval::IfBetter);
    assert_refused(svd.decompose(array![[1.0, 2.0], [3.0, 4.0]].view()), kind, message);
    let rules = [
        (Rank::Effective, "effective rank"),
        (Rank::HardThreshold, "hard threshold"),
        (Rank::NoiseLevel(1.0), "hard threshold"),
        (Rank::Knee, "knee"),
    ];
    for (rule, name) in rules {
        let message = format!("the {name} needs all singular values, which this method does not compute");
        assert_refused(RandomizedSvd::new(rule).decompose(Array2::eye(5).view()), kind, &message);
    }
}

#[test]
fn invalid_bytes() {
    let kind = |error: &Error| matches!(error, Error::InvalidBytes { .. });
    let message = "these are not the bytes of a Gram accumulator: 3 bytes are too few";
    assert_refused(GramAccumulator::from_bytes(b"abc"), kind, message);
}

#[test]
fn every_kind_of_error_has_a_test_here() {
    let source = include_str!("../src/error.rs");
    let (_, variants) = source.split_once("pub enum Error {").expect("the type of the errors");
    let (variants, _) = variants.split_once("\n}").expect("the end of the type");
    // A variant stands four spaces in and begins with an upper-case letter.
    let names = variants.lines().filter_map(|line| line.strip_prefix("    "));
    let names: Vec<&str> = names
        .filter(|line| line.starts_with(char::is_uppercase))
        .filter_map(|line| line.split([' ', '{', '(', ',']).next())
        .collect();
    assert!(names.len() >= 20, "the variants of the type: {names:?}");
    for name in names {
        assert!(include_str!("errors.rs").contains(&format!("Error::{name} {{")), "no test for {name}");
    }
}

#[test]
fn unsorted_ids() {
    let kind = |error: &Error| matches!(error, Error::UnsortedIds { .. });
    let refused = |ids: [u32; 3], message: &str| {
        let message = format!("{message}: the ids of a gradient ascend, each once");
        assert_refused(RowGradient::of_rows(ids.to_vec(), Array2::zeros((3, 2))), kind, &message);
    };
    refused([1, 0, 2], "id 0 at position 1 follows 1");
    refused([1, 2, 2], "id 2 at position 2 follows 2");
}

#[test]
fn missing_gradient() {
    let kind = |error: &Error| matches!(error, Error::MissingGradient { .. });
    let layer = FactorizedEmbedding::new(factors());
    let (all, grad_out) = (Backward::new(&layer), array![[1.0, 2.0]]);
    let some = all.clone().with_trainable(Trainable { v: false, ..Trainable::default() });
    let [all, some] = [all, some].map(|backward| backward.lookup(&[1], grad_out.view()).expect("shapes that fit"));
    let message = "only one of the gradients has a part v: what is frozen in one of them is frozen in both";
    for (mut sum, other) in [(all.clone(), &some), (some.clone(), &all)] {
        let before = sum.clone();
        assert_refused(sum.add(other), kind, message);
        assert_eq!(sum, before);
    }
}

#[test]
fn not_trainable() {
    let kind = |error: &Error| matches!(error, Error::NotTrainable { .. });
    let mut narrow = FactorizedEmbedding::new(factors()).to_int8().expect("small numbers");
    let mut optimizer = FactorOptimizer::new(Optimizer::sgd()).expect("a valid rule");
    let message = "u [vocab_size, rank] is kept as int8, which cannot be trained: \
                   FactorizedEmbedding::to_f32 makes it f32 in memory of its own";
    let mut gradients = FactorGradients::default();
    gradients.u = Some(RowGradient::of_all_rows(array![[0.0], [0.0], [0.0]]));
    assert_refused(optimizer.step(&mut narrow, &gradients, 0.1), kind, message);
    let table = array![[1.0, 2.0]];
    let mut borrowed = DenseEmbedding::new(&table).expect("finite");
    let mut optimizer = TableOptimizer::new(Optimizer::sgd()).expect("a valid rule");
    let message = "table [vocab_size, dim] is kept as a borrowed array, which cannot be trained: \
                   DenseEmbedding::into_owned makes it f32 in memory of its own";
    let gradient = RowGradient::of_all_rows(array![[0.0, 0.0]]);
    assert_refused(optimizer.step(&mut borrowed, &gradient, 0.1), kind, message);
}

#[test]
fn invalid_optimizer_state() {
    let kind = |error: &Error| matches!(error, Error::InvalidOptimizerState { .. });
    let state = |steps| OptimizerState::from_tensors(Optimizer::adagrad(), [("u".to_owned(), steps)], []);
    let message = r#"this is not the state of such an optimizer: there is no tensor "u.sum""#;
    assert_refused(state(3), kind, message);
    assert_refused(state(0), kind, r#"this is not the state of such an optimizer: "u" has made no steps"#);
}
