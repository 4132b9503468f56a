//! What does not fit is refused, and changes nothing.

use factorized_embedding::{
    DenseEmbedding, Dtype, Error, FactorizedEmbedding, Factors, Shape,
    train::{ArrayOptimizer, FactorGradients, FactorOptimizer, Momentum, Optimizer, RowGradient, TableOptimizer},
};
use ndarray::{Array1, Array2, array};

use crate::{
    drawn::{factor_gradients, gradient, layer, row_gradient, rules},
    support::compare::assert_same_bits,
};

const SHAPE: Shape = Shape { vocab_size: 12, rank: 3, dim: 5 };

fn fitting() -> FactorGradients {
    factor_gradients(SHAPE, Some(vec![2, 5]), 1)
}

fn as_row(vector: ndarray::ArrayView1<'_, f32>) -> Array2<f32> {
    vector.to_owned().insert_axis(ndarray::Axis(0))
}

#[track_caller]
fn assert_same_factors(actual: &Factors, expected: &Factors) {
    assert_same_bits("u", actual.u().view(), expected.u().view());
    assert_same_bits("v", actual.v(), expected.v());
    for (actual, expected) in [(actual.diagonal(), expected.diagonal()), (actual.bias(), expected.bias())] {
        let (Some(actual), Some(expected)) = (actual, expected) else { panic!("all parts are there") };
        assert_same_bits("vector", as_row(actual).view(), as_row(expected).view());
    }
}

/// Whether before the first step or after one: the step is refused, and the next goes on as if it had not been tried.
#[track_caller]
fn assert_refused(gradients: &FactorGradients, rate: f64, message: &str) {
    for rule in rules() {
        for steps_before in [0, 1] {
            let (mut layer, mut untried) = (layer(SHAPE, 1), layer(SHAPE, 1));
            let mut optimizer = FactorOptimizer::new(rule).expect("a valid rule");
            let mut other = optimizer.clone();
            for _ in 0..steps_before {
                optimizer.step(&mut layer, &fitting(), 0.1).expect("shapes that fit");
                other.step(&mut untried, &fitting(), 0.1).expect("shapes that fit");
            }
            let error = optimizer.step(&mut layer, gradients, rate).expect_err("it is refused");
            assert_eq!(error.to_string(), message, "{rule:?}");
            assert_same_factors(layer.factors(), untried.factors());
            assert_eq!(optimizer, other, "{rule:?}");
            optimizer.step(&mut layer, &fitting(), 0.1).expect("shapes that fit");
            other.step(&mut untried, &fitting(), 0.1).expect("shapes that fit");
            assert_same_factors(layer.factors(), untried.factors());
        }
    }
}

#[test]
fn gradients_of_other_shapes() {
    let with = |change: fn(&mut FactorGradients)| {
        let mut gradients = fitting();
        change(&mut gradients);
        gradients
    };
    let wide = with(|gradients| gradients.u = Some(row_gradient(Some(vec![1]), (12, 4), 1)));
    assert_refused(&wide, 0.1, "gradient of u [k, rank] has shape [1, 4], expected [1, 3]");
    let short = with(|gradients| gradients.u = Some(row_gradient(None, (11, 3), 1)));
    assert_refused(&short, 0.1, "gradient of u [k, rank] has shape [11, 3], expected [12, 3]");
    let outside = with(|gradients| gradients.u = Some(row_gradient(Some(vec![3, 12, 40]), (12, 3), 1)));
    let message = "id 12 at position 1 is out of range for a vocabulary of 12 (ids 0..=11)";
    assert_refused(&outside, 0.1, message);
    let diagonal = with(|gradients| gradients.diagonal = Some(Array1::ones(4)));
    assert_refused(&diagonal, 0.1, "gradient of diagonal [rank] has shape [4], expected [3]");
    let v = with(|gradients| gradients.v = Some(gradient((5, 3), 1)));
    assert_refused(&v, 0.1, "gradient of v [rank, dim] has shape [5, 3], expected [3, 5]");
    let bias = with(|gradients| gradients.bias = Some(Array1::ones(3)));
    assert_refused(&bias, 0.1, "gradient of bias [dim] has shape [3], expected [5]");
}

#[test]
fn gradients_that_are_not_finite() {
    for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let mut values = gradient((2, 3), 1);
        values[[1, 2]] = value;
        let mut gradients = fitting();
        gradients.u = Some(RowGradient::of_rows(vec![0, 7], values.clone()).expect("ascending ids"));
        let end = "only finite numbers can be used";
        assert_refused(&gradients, 0.1, &format!("gradient of u [k, rank] holds {value} at [1, 2]: {end}"));
        // With nothing else trained, and when it would be multiplied by zero.
        (gradients.diagonal, gradients.v, gradients.bias) = (None, None, None);
        assert_refused(&gradients, 0.0, &format!("gradient of u [k, rank] holds {value} at [1, 2]: {end}"));
        let mut gradients = fitting();
        gradients.bias = Some(array![0.0, 0.0, 0.0, 0.0, value]);
        assert_refused(&gradients, 0.1, &format!("gradient of bias [dim] holds {value} at [4]: {end}"));
        let mut gradients = fitting();
        gradients.v = Some(Array2::from_elem((3, 5), value));
        assert_refused(&gradients, 0.1, &format!("gradient of v [rank, dim] holds {value} at [0, 0]: {end}"));
    }
}

#[test]
fn learning_rates_that_make_no_sense() {
    for rate in [-0.1, f64::NAN, f64::INFINITY, 1e39] {
        assert_refused(
            &fitting(),
            rate,
            &format!("learning_rate is {rate}, expected a finite f32 that is not negative"),
        );
    }
}

#[test]
fn steps_out_of_the_range_of_f32() {
    let table = Array2::from_elem((3, 2), 1.0);
    for rule in rules() {
        let mut layer = DenseEmbedding::new(table.clone()).expect("a finite table");
        let mut optimizer = TableOptimizer::new(rule).expect("a valid rule");
        // The largest numbers that there are: their squares, or the parameters, are none.
        let gradient = RowGradient::of_all_rows(Array2::from_elem((3, 2), f32::MAX));
        let error = optimizer.step(&mut layer, &gradient, 1e38).expect_err("it is refused");
        assert_eq!(error.to_string(), "the updated table is beyond the range of f32", "{rule:?}");
        assert_same_bits("table", layer.to_array().view(), table.view());
        assert_eq!(optimizer, TableOptimizer::new(rule).expect("a valid rule"));
    }
}

#[test]
fn parameters_that_were_never_finite() {
    let bytes = [1.0, f32::NAN].map(f32::to_le_bytes).concat();
    let mut layer = DenseEmbedding::from_bytes(bytes, Dtype::F32, [2, 1]).expect("two numbers").into_owned();
    let mut optimizer = TableOptimizer::new(Optimizer::adam()).expect("a valid rule");
    optimizer.step(&mut layer, &row_gradient(Some(vec![0]), (2, 1), 1), 0.1).expect("that row is finite");
    let error = optimizer.step(&mut layer, &row_gradient(None, (2, 1), 1), 0.1).expect_err("this one is not");
    assert_eq!(error.to_string(), "table [vocab_size, dim] holds NaN at [1, 0]: only finite numbers can be used");
    let error = optimizer.step(&mut layer, &row_gradient(Some(vec![1]), (2, 1), 1), 0.1).expect_err("nor here");
    assert_eq!(error.to_string(), "table [vocab_size, dim] holds NaN at [1, 0]: only finite numbers can be used");
}

#[test]
fn gradients_of_parts_that_are_not_there() {
    let factors = Factors::new(Array2::ones((12, 3)), Array2::ones((3, 5))).expect("shapes that multiply");
    let mut layer = FactorizedEmbedding::new(factors.clone());
    let mut optimizer = FactorOptimizer::new(Optimizer::sgd()).expect("a valid rule");
    let error = optimizer.step(&mut layer, &fitting(), 0.1).expect_err("there is no diagonal");
    assert_eq!(error.to_string(), "gradient of a diagonal [0] has shape [3], expected [0]");
    let mut gradients = fitting();
    gradients.diagonal = None;
    let error = optimizer.step(&mut layer, &gradients, 0.1).expect_err("there is no bias");
    assert_eq!(error.to_string(), "gradient of a bias [0] has shape [5], expected [0]");
    assert_eq!(*layer.factors(), factors);
}

#[test]
fn what_is_remembered_of_another_layer() {
    for rule in rules().into_iter().skip(1) {
        let mut optimizer = FactorOptimizer::new(rule).expect("a valid rule");
        optimizer.step(&mut layer(SHAPE, 1), &fitting(), 0.1).expect("shapes that fit");
        let before = optimizer.clone();
        let other = Shape { vocab_size: 13, ..SHAPE };
        let mut larger = layer(other, 1);
        let factors = larger.factors().clone();
        let error = optimizer.step(&mut larger, &factor_gradients(other, Some(vec![1]), 1), 0.1).expect_err("13 rows");
        let message = error.to_string();
        assert!(message.starts_with("optimizer state of u has shape [12"), "{message}");
        assert_same_factors(larger.factors(), &factors);
        assert_eq!(optimizer, before);
    }
    let mut optimizer = ArrayOptimizer::new(Optimizer::adam()).expect("a valid rule");
    optimizer.step(&mut array![1.0, 2.0], &array![1.0, 2.0], 0.1).expect("shapes that fit");
    let error = optimizer.step(&mut array![[1.0, 2.0]], &array![[1.0, 2.0]], 0.1).expect_err("two dimensions");
    assert_eq!(error.to_string(), "optimizer state of array has shape [2], expected [1, 2]");
    let error = optimizer.step(&mut array![1.0, 2.0], &array![1.0], 0.1).expect_err("another shape");
    assert_eq!(error.to_string(), "gradient of array has shape [1], expected [2]");
}

#[test]
fn narrow_and_borrowed_parameters() {
    let narrow = layer(SHAPE, 1).to_f16().expect("small numbers");
    let mut optimizer = FactorOptimizer::new(Optimizer::adam()).expect("a valid rule");
    let mut of_u = FactorGradients::default();
    of_u.u = fitting().u;
    for gradients in [fitting(), of_u] {
        let error = optimizer.step(&mut narrow.clone(), &gradients, 0.1).expect_err("f16");
        assert!(matches!(error, Error::NotTrainable { stored: "f16", .. }), "{error}");
    }
    let table = Array2::ones((3, 2));
    let mut borrowed = DenseEmbedding::new(&table).expect("a finite table");
    let mut optimizer = TableOptimizer::new(Optimizer::adam()).expect("a valid rule");
    let error = optimizer.step(&mut borrowed, &row_gradient(None, (3, 2), 1), 0.1).expect_err("borrowed");
    assert!(matches!(error, Error::NotTrainable { stored: "a borrowed array", .. }), "{error}");
    let mut bytes = DenseEmbedding::from_bytes(vec![0; 8], Dtype::F32, [1, 2]).expect("two numbers");
    let error = optimizer.step(&mut bytes, &row_gradient(None, (1, 2), 1), 0.1).expect_err("bytes");
    assert!(matches!(error, Error::NotTrainable { stored: "bytes of f32", .. }), "{error}");
}

#[test]
fn settings_that_make_no_sense() {
    let refused = |rule: Optimizer, message: &str| {
        let error = FactorOptimizer::new(rule).expect_err("it is refused");
        assert_eq!(error.to_string(), message);
    };
    for momentum in [-0.1, 1.0, f64::NAN] {
        let message = format!("momentum is {momentum}, expected a number from 0 to below 1");
        refused(Optimizer::Sgd { momentum: Momentum::Polyak(momentum) }, &message);
        refused(Optimizer::Sgd { momentum: Momentum::Nesterov(momentum) }, &message);
        let message = message.replace("momentum", "beta1");
        refused(Optimizer::Adam { betas: [momentum, 0.9], epsilon: 1e-8 }, &message);
        let message = message.replace("beta1", "beta2");
        refused(Optimizer::AdamW { betas: [0.9, momentum], epsilon: 1e-8, weight_decay: 0.0 }, &message);
    }
    for epsilon in [0.0, 1e-31, -1.0, 1.5, f64::NAN] {
        let message = format!("epsilon is {epsilon}, expected a number from 1e-30 to 1");
        refused(Optimizer::Adam { betas: [0.9, 0.9], epsilon }, &message);
        refused(Optimizer::AdamW { betas: [0.9, 0.9], epsilon, weight_decay: 0.0 }, &message);
        refused(Optimizer::Adagrad { initial_accumulator: 0.0, epsilon }, &message);
        refused(Optimizer::RowwiseAdagrad { initial_accumulator: 0.0, epsilon }, &message);
    }
    let message = "weight_decay is -1, expected a finite f32 that is not negative";
    refused(Optimizer::adam_w(-1.0), message);
    let message = "initial_accumulator is inf, expected a finite f32 that is not negative";
    refused(Optimizer::Adagrad { initial_accumulator: f64::INFINITY, epsilon: 1e-10 }, message);
    refused(Optimizer::RowwiseAdagrad { initial_accumulator: f64::INFINITY, epsilon: 1e-10 }, message);
}
