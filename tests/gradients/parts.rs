//! Frozen parts, narrow factors, frequencies, arrays of any strides, and what is refused.

use factorized_embedding::{
    Dtype, Error, FactorizedEmbedding, Factors, Shape,
    train::{Backward, Trainable},
};
use ndarray::{Array2, array, s};

use crate::{
    check::layer,
    support::{compare::assert_same_bits, factor_parts::FactorParts, random},
};

const SHAPE: Shape = Shape { vocab_size: 50, rank: 7, dim: 20 };

#[test]
fn frozen_parts_have_no_gradient_and_change_no_other() {
    let ids = random::ids(80, SHAPE.vocab_size, 1);
    let grad_out = random::normal((80, SHAPE.dim), 2);
    for parts in FactorParts::normal(SHAPE, 3).variants() {
        let layer = layer(&parts, Some(4));
        let all = Backward::new(&layer).lookup(&ids, grad_out.view()).expect("shapes that fit");
        for bits in 0..16 {
            let [u, diagonal, v, bias] = [1, 2, 4, 8].map(|bit| bits & bit != 0);
            let backward = Backward::new(&layer).with_trainable(Trainable { u, diagonal, v, bias });
            let some = backward.lookup(&ids, grad_out.view()).expect("shapes that fit");
            assert_eq!(some.u, all.u.clone().filter(|_| u), "{backward:?}");
            assert_eq!(some.diagonal, all.diagonal.clone().filter(|_| diagonal), "{backward:?}");
            assert_eq!(some.v, all.v.clone().filter(|_| v), "{backward:?}");
            assert_eq!(some.bias, all.bias.clone().filter(|_| bias), "{backward:?}");
        }
    }
}

/// What has a gradient is U itself, whatever it is stored in.
#[test]
fn narrow_factors_have_the_gradients_of_their_numbers() {
    let ids = random::ids(80, SHAPE.vocab_size, 1);
    let grad_out = random::normal((80, SHAPE.dim), 2);
    let factors = FactorParts::normal(SHAPE, 3).factors();
    for dtype in [Dtype::F16, Dtype::Bf16, Dtype::Int8] {
        let narrow = factors.to_dtype(dtype).expect("small numbers");
        let wide = FactorizedEmbedding::new(narrow.to_dtype(Dtype::F32).expect("the same numbers"));
        let narrow = FactorizedEmbedding::new(narrow);
        let [narrow, wide] = [&narrow, &wide].map(|layer| Backward::new(layer).lookup(&ids, grad_out.view()));
        assert_eq!(narrow.expect("shapes that fit"), wide.expect("shapes that fit"), "{dtype}");
    }
}

#[test]
fn gradients_of_any_strides() {
    let ids = random::ids(30, SHAPE.vocab_size, 1);
    let wide = random::normal((60, 2 * SHAPE.dim), 2);
    let strided = wide.slice(s![..;2, ..;-2]);
    let layer = layer(&FactorParts::normal(SHAPE, 3), None);
    let backward = Backward::new(&layer);
    let contiguous = strided.to_owned();
    assert_eq!(
        backward.lookup(&ids, strided).expect("shapes that fit"),
        backward.lookup(&ids, contiguous.view()).expect("shapes that fit")
    );
}

/// A row's gradient over how often it occurs; what all rows share is not scaled.
#[test]
fn scaled_by_frequency() {
    let ids = [3, 1, 3, 3, 2, 1];
    let grad_out = random::normal((ids.len(), SHAPE.dim), 2);
    let layer = layer(&FactorParts::normal(SHAPE, 3), Some(2));
    let dense = layer.to_dense().expect("finite products");
    let plain = Backward::new(&layer).lookup(&ids, grad_out.view()).expect("shapes that fit");
    let scaled = Backward::new(&layer).scale_grad_by_freq().lookup(&ids, grad_out.view()).expect("shapes that fit");
    let counts = array![[2.0], [3.0]];
    let (plain_u, scaled_u) = (plain.u.expect("U is trained"), scaled.u.expect("U is trained"));
    assert_eq!(scaled_u.ids(), Some(&[1, 3][..]));
    assert_same_bits("U", scaled_u.values(), (&plain_u.values() / &counts).view());
    assert_eq!((scaled.diagonal, scaled.v, scaled.bias), (plain.diagonal, plain.v, plain.bias));

    let plain = Backward::new(&dense).lookup(&ids, grad_out.view()).expect("shapes that fit");
    let scaled = Backward::new(&dense).scale_grad_by_freq().lookup(&ids, grad_out.view()).expect("shapes that fit");
    assert_same_bits("the table", scaled.values(), (&plain.values() / &counts).view());
}

#[test]
fn bad_input_is_refused() {
    let factors = Factors::new(array![[1.0], [2.0], [3.0]], array![[4.0, 5.0]]).expect("shapes that multiply");
    let layer = FactorizedEmbedding::new(factors).with_padding_id(1).expect("an id of the vocabulary");
    let dense = layer.to_dense().expect("finite products");
    let refused = |ids: &[u32], grad_out: &Array2<f32>, message: &str| {
        let errors = [
            Backward::new(&layer).lookup(ids, grad_out.view()).err(),
            Backward::new(&dense).lookup(ids, grad_out.view()).err(),
        ];
        for error in errors {
            assert_eq!(error.as_ref().map(Error::to_string).as_deref(), Some(message));
        }
    };
    let (nan, infinite, huge) = (f32::NAN, f32::INFINITY, f32::MAX);
    refused(&[0, 2], &Array2::zeros((2, 3)), "grad_out [n, dim] has shape [2, 3], expected [2, 2]");
    refused(&[0, 2], &Array2::zeros((1, 2)), "grad_out [n, dim] has shape [1, 2], expected [2, 2]");
    refused(&[0, 3], &Array2::zeros((2, 2)), "id 3 at position 1 is out of range for a vocabulary of 3 (ids 0..=2)");
    let finite = "only finite numbers can be used";
    refused(&[0, 2], &array![[0.0, 1.0], [nan, 2.0]], &format!("grad_out [n, dim] holds NaN at [1, 0]: {finite}"));
    refused(
        &[2, 2],
        &array![[0.0, infinite], [1.0, -infinite]],
        &format!("grad_out [n, dim] holds inf at [0, 1]: {finite}"),
    );
    // Padding has no gradient, but what is not finite shows that something else went wrong.
    refused(&[0, 1], &array![[0.0, 1.0], [1.0, nan]], &format!("grad_out [n, dim] holds NaN at [1, 1]: {finite}"));
    refused(&[2, 2], &array![[0.0, huge], [1.0, huge]], "the sum of the gradients of an id is beyond the range of f32");
}
