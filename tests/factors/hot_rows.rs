//! Rows that are kept ready.

use factorized_embedding::{Embedding, Error, FactorizedEmbedding, Isa, RowWeights, Shape, TokenId};
use ndarray::{Array2, array};

use crate::support::{compare::assert_same_bits, factor_parts::FactorParts, random};

const SHAPE: Shape = Shape { vocab_size: 40, rank: 5, dim: 18 };
/// What the index and each row take.
const INDEX: usize = 4 * SHAPE.vocab_size;
const ROW: usize = 4 * SHAPE.dim;

fn layer() -> FactorizedEmbedding {
    FactorizedEmbedding::new(FactorParts::normal(SHAPE, 1).factors())
}

fn look_up(layer: &FactorizedEmbedding) -> Array2<f32> {
    layer.lookup(&random::ids(300, SHAPE.vocab_size, 2)).expect("ids of the vocabulary")
}

#[test]
fn as_many_as_fit_are_kept() {
    let most_used: Vec<TokenId> = (0..40).rev().collect();
    for (bytes, expected) in [
        (0, 0),
        (INDEX, 0),
        (INDEX + ROW - 1, 0),
        (INDEX + ROW, 1),
        (INDEX + 7 * ROW, 7),
        (INDEX + 8 * ROW - 1, 7),
        (usize::MAX, 40),
    ] {
        let hot = layer().with_hot_rows(&most_used, bytes).expect("ids of the vocabulary");
        assert_eq!(hot.num_hot_rows(), expected, "{bytes} bytes");
        assert_same_bits("lookup", look_up(&hot).view(), look_up(&layer()).view());
        assert_eq!(hot.size_in_bytes(), layer().size_in_bytes());
    }
}

#[test]
fn an_id_that_is_named_twice_gets_one_row() {
    let hot = layer().with_hot_rows(&[3, 3, 5, 3, 7], INDEX + 3 * ROW).expect("ids of the vocabulary");
    assert_eq!(hot.num_hot_rows(), 3);
    assert_same_bits("lookup", look_up(&hot).view(), look_up(&layer()).view());
}

#[test]
fn an_unknown_id_is_refused() {
    let error = layer().with_hot_rows(&[3, 40], usize::MAX).expect_err("40 ids begin with 0");
    assert!(matches!(error, Error::IdOutOfRange { id: 40, position: 1, vocab_size: 40 }), "{error}");
}

/// What changes the rows of a layer changes its hot rows, too.
#[test]
fn hot_rows_follow_the_rows() {
    let cold = layer();
    let hot = layer().with_hot_rows(&[30, 2, 17, 8], usize::MAX).expect("ids of the vocabulary");
    let weight = random::normal((SHAPE.dim, 7), 3);
    let check = |what: &str, hot: &FactorizedEmbedding, cold: &FactorizedEmbedding| {
        assert_eq!(hot.num_hot_rows(), 4, "{what}");
        assert_same_bits(what, look_up(hot).view(), look_up(cold).view());
    };
    for isa in Isa::supported() {
        check(&isa.to_string(), &hot.clone().with_isa(isa), &cold.clone().with_isa(isa));
    }
    let narrow = |layer: &FactorizedEmbedding| [layer.to_f16(), layer.to_bf16(), layer.to_int8()];
    for (hot, cold) in narrow(&hot).into_iter().zip(narrow(&cold)) {
        check("narrow", &hot.expect("small numbers"), &cold.expect("small numbers"));
    }
    let folded = |layer: &FactorizedEmbedding| layer.then_linear(weight.view(), None).expect("shapes that fit");
    check("folded", &folded(&hot), &folded(&cold));
    let grown = |mut layer: FactorizedEmbedding| {
        layer.append_rows(random::normal((3, SHAPE.dim), 4).view()).expect("finite rows of the dim");
        layer
    };
    check("grown", &grown(hot.clone()), &grown(cold.clone()));
    let padded = hot.with_padding_id(17).expect("an id of the vocabulary");
    let row = padded.lookup(&[17]).expect("an id of the vocabulary");
    assert!(row.iter().all(|&number| number == 0.0), "{row}");
}

#[test]
fn the_most_used_ids_come_first_and_of_equal_counts_the_lower() {
    let weights = RowWeights::new(vec![2.0, 9.0, 0.0, 9.0, 2.0, 10.0]).expect("counts");
    assert_eq!(array![5, 1, 3, 0, 4, 2].to_vec(), weights.most_used());
}
