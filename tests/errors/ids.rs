//! Ids, offsets of bags, and ids of gradients.

use factorized_embedding::{
    Bags, Embedding, Error, FactorizedEmbedding, Pooling, RowWeights, token_ids, train::RowGradient,
};
use ndarray::Array2;

use crate::{assert_refused, blockwise, dense, factors};

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
fn unsorted_ids() {
    let kind = |error: &Error| matches!(error, Error::UnsortedIds { .. });
    let refused = |ids: [u32; 3], message: &str| {
        let message = format!("{message}: the ids of a gradient ascend, each once");
        assert_refused(RowGradient::of_rows(ids.to_vec(), Array2::zeros((3, 2))), kind, &message);
    };
    refused([1, 0, 2], "id 0 at position 1 follows 1");
    refused([1, 2, 2], "id 2 at position 2 follows 2");
}
