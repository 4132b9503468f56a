//! Bags: sums, with weights and without, means and maxima, empty bags and bags of padding among them.

use factorized_embedding::{
    Bags, DenseEmbedding, Embedding, Error, FactorizedEmbedding, Pooling, TokenId, train::Backward,
};
use ndarray::{Array1, Array2, array};

use crate::{
    check::{LARGE_SHAPE, LONG_SHAPE, SMALL_SHAPES, check, layer, long_ids},
    operation::Operation,
    reference,
    support::{
        compare::{Expected, assert_close, widened},
        factor_parts::FactorParts,
        random,
    },
};

const POOLINGS: [Pooling; 3] = [Pooling::Sum, Pooling::Mean, Pooling::Max];

fn weights(len: usize) -> Vec<f32> {
    random::normal((1, len), 7).into_raw_vec_and_offset().0
}

/// Each pooling, and sums with weights.
fn check_bags(ids: &[TokenId], offsets: &[usize], shape: factorized_embedding::Shape) {
    for pooling in POOLINGS {
        let bags = |weights| Operation::Bag { ids: ids.to_vec(), offsets: offsets.to_vec(), pooling, weights };
        check(&bags(None), shape);
        if pooling == Pooling::Sum {
            check(&bags(Some(weights(ids.len()))), shape);
        }
    }
}

#[test]
fn agree_with_differences_and_the_chain_rule() {
    for shape in SMALL_SHAPES {
        check_bags(&[], &[], shape);
        check_bags(&[], &[0, 0], shape);
        // Empty bags in front, between and at the end, one of nothing but padding, the same id in a bag and in another.
        check_bags(&[2, 2, 4, 0, 4, 4, 3, 2, 1], &[0, 0, 2, 5, 5, 8, 9], shape);
        check_bags(&random::ids(40, shape.vocab_size, 1), &[0, 1, 3, 20], shape);
    }
}

#[test]
fn agree_with_the_chain_rule_beyond_a_block() {
    let ids = random::ids(400, LARGE_SHAPE.vocab_size, 1);
    check_bags(&ids, &(0..400).step_by(7).collect::<Vec<_>>(), LARGE_SHAPE);
    check_bags(&ids, &[0, 300], LARGE_SHAPE);
}

#[test]
fn agree_with_the_chain_rule_in_parts() {
    let ids = long_ids();
    check_bags(&ids, &(0..ids.len()).step_by(7).collect::<Vec<_>>(), LONG_SHAPE);
}

/// Rows that are equal, and an id that stands twice: the first place has the gradient.
#[test]
fn the_first_of_equal_maxima_has_the_gradient() {
    let dense = DenseEmbedding::new(array![[1.0, 0.0], [1.0, 2.0], [0.0, 2.0], [1.0, 2.0]]).expect("finite numbers");
    let bags = Bags::new(&[3, 2, 1, 3, 0, 1], &[0, 4], Pooling::Max).expect("rising offsets");
    let gradient = Backward::new(&dense).bag(&bags, array![[1.0, 10.0], [100.0, 1000.0]].view());
    let gradient = gradient.expect("shapes that fit");
    assert_eq!(gradient.ids(), Some(&[0, 1, 2, 3][..]));
    assert_eq!(gradient.values(), array![[100.0, 0.0], [0.0, 1000.0], [0.0, 0.0], [1.0, 10.0]]);
}

#[test]
fn weights_have_gradients() {
    let (ids, offsets) = (random::ids(300, LARGE_SHAPE.vocab_size, 1), [0, 0, 1, 90, 91, 91]);
    let grad_out = random::normal((offsets.len(), LARGE_SHAPE.dim), 2);
    let wide = widened(grad_out.view());
    for arrays in FactorParts::normal(LARGE_SHAPE, 3).variants() {
        for padding_id in [None, Some(ids[5])] {
            let layer = layer(&arrays, padding_id);
            let dense = layer.to_dense().expect("finite products");
            let bags = Bags::new(&ids, &offsets, Pooling::Sum).expect("rising offsets");
            let bag_of: Vec<usize> =
                bags.ranges().enumerate().flat_map(|(bag, range)| range.map(move |_| bag)).collect();
            let products = |table: &Array2<f64>, grad_out: &Array2<f64>| {
                let product = |(&id, &bag): (&TokenId, &usize)| table.row(id as usize).dot(&grad_out.row(bag));
                Array1::from_iter(ids.iter().zip(&bag_of).map(product)).insert_axis(ndarray::Axis(0))
            };
            let parts = reference::parts(&arrays);
            let magnitudes = products(&reference::table(&reference::abs(&parts), padding_id), &wide.abs());
            let values = products(&reference::table(&parts, padding_id), &wide);
            let expected = Expected::new(values, arrays.terms() + LARGE_SHAPE.dim, &magnitudes);
            let of_factors =
                Backward::new(&layer).bag_weights_gradient(&bags, grad_out.view()).expect("shapes that fit");
            let of_table = Backward::new(&dense).bag_weights_gradient(&bags, grad_out.view()).expect("shapes that fit");
            for actual in [of_factors, of_table] {
                assert_close("weights", actual.insert_axis(ndarray::Axis(0)).view(), &expected);
            }
        }
    }
}

#[test]
fn scaled_by_frequency() {
    let ids = [3, 1, 3, 3, 2, 1];
    let dense = DenseEmbedding::new(random::normal((5, 4), 1)).expect("finite numbers");
    let dense = dense.with_padding_id(2).expect("an id of the vocabulary");
    let bags = Bags::new(&ids, &[0, 4], Pooling::Mean).expect("rising offsets");
    let grad_out = random::normal((2, 4), 2);
    let plain = Backward::new(&dense).bag(&bags, grad_out.view()).expect("shapes that fit");
    let scaled = Backward::new(&dense).scale_grad_by_freq().bag(&bags, grad_out.view()).expect("shapes that fit");
    assert_eq!(scaled.ids(), Some(&[1, 3][..]));
    assert_eq!(scaled.values(), &plain.values() / &array![[2.0], [3.0]]);
}

#[test]
fn bad_input_is_refused() {
    let layer = layer(&FactorParts::normal(SMALL_SHAPES[0], 1), Some(1));
    let dense = layer.to_dense().expect("finite products");
    let refused = |bags: &Bags<'_>, grad_out: &Array2<f32>, message: &str| {
        let (factors, table): (Backward<'_, FactorizedEmbedding>, Backward<'_, DenseEmbedding<'_>>) =
            (Backward::new(&layer), Backward::new(&dense));
        let mut errors = vec![factors.bag(bags, grad_out.view()).err(), table.bag(bags, grad_out.view()).err()];
        if bags.pooling() == Pooling::Sum && bags.weights().is_none() {
            errors.push(factors.bag_weights_gradient(bags, grad_out.view()).err());
            errors.push(table.bag_weights_gradient(bags, grad_out.view()).err());
        }
        for error in errors {
            assert_eq!(error.as_ref().map(Error::to_string).as_deref(), Some(message), "{bags:?}");
        }
    };
    let finite = "only finite numbers can be used";
    for pooling in POOLINGS {
        let bags = |ids| Bags::new(ids, &[0, 2, 2], pooling).expect("rising offsets");
        let message = "grad_out [b, dim] has shape [2, 5], expected [3, 5]";
        refused(&bags(&[0, 2]), &Array2::zeros((2, 5)), message);
        let message = "id 7 at position 2 is out of range for a vocabulary of 7 (ids 0..=6)";
        refused(&bags(&[0, 2, 7]), &Array2::zeros((3, 5)), message);
        // Of a bag of ids, of an empty one, and of one that holds nothing but padding.
        for bag in [0, 1, 2] {
            let mut grad_out = Array2::zeros((3, 5));
            grad_out[[bag, 3]] = f32::NEG_INFINITY;
            let message = format!("grad_out [b, dim] holds -inf at [{bag}, 3]: {finite}");
            refused(&bags(&[0, 2, 1]), &grad_out, &message);
        }
    }
    let weights = [1.0, f32::NAN, 2.0];
    let bags = Bags::new(&[0, 2, 1], &[0, 2, 2], Pooling::Sum).expect("rising offsets");
    let bags = bags.with_weights(&weights).expect("a weight for each id");
    refused(&bags, &Array2::ones((3, 5)), &format!("per-sample weights [n] holds NaN at [1]: {finite}"));

    let bags = Bags::new(&[0, 2, 1], &[0], Pooling::Mean).expect("rising offsets");
    let error =
        Backward::new(&layer).bag_weights_gradient(&bags, Array2::ones((1, layer.dim())).view()).expect_err("a mean");
    assert_eq!(error.to_string(), "per-sample weights go with sum pooling only, not with mean pooling");
}
