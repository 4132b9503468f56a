//! Gradients and optimizers.

use factorized_embedding::{
    AlternatingLeastSquares, Decompose, DenseEmbedding, Error, FactorizedEmbedding,
    train::{
        Backward, FactorGradients, FactorOptimizer, Gradients, Optimizer, OptimizerState, Renormalize, RowGradient,
        TableOptimizer, Trainable,
    },
};
use ndarray::{Array2, array};

use crate::{assert_refused, factors};

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
