//! Shapes, sizes and ranks.

use factorized_embedding::{
    Bags, BlockFactors, Decompose, DenseEmbedding, Dtype, Embedding, Error, FactorizedEmbedding, Factors, Pooling,
    Rank, RowWeights, Shape, TokenCounts, TruncatedSvd,
};
use ndarray::{Array2, array};

use crate::{assert_refused, decompose, dense, factors, random};

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
