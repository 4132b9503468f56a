//! What an optimizer remembers, taken apart and saved: training goes on as if nothing had happened.

use factorized_embedding::{
    DenseEmbedding, FactorizedEmbedding, Shape,
    io::safetensors::{load_factors, load_optimizer, save_factors, save_optimizer},
    train::{ArrayOptimizer, FactorOptimizer, Optimizer, OptimizerState, TableOptimizer},
};
use ndarray::{Array2, ArrayD, array};

use crate::{
    drawn::{factor_gradients, layer, row_gradient, rules, some_ids},
    support::{compare::assert_same_bits, files::Folder, random},
};

const SHAPE: Shape = Shape { vocab_size: 30, rank: 4, dim: 9 };

fn train(layer: &mut FactorizedEmbedding, optimizer: &mut FactorOptimizer, steps: std::ops::Range<u64>) {
    for step in steps {
        let ids = (step % 3 != 2).then(|| some_ids(30, 3, step));
        optimizer.step(layer, &factor_gradients(SHAPE, ids, step), 0.05).expect("shapes that fit");
    }
}

fn saved_and_loaded(state: &OptimizerState) -> OptimizerState {
    let folder = Folder::new();
    let path = folder.path("optimizer.safetensors");
    save_optimizer(&path, state).expect("a writable folder");
    assert_eq!(folder.names(), ["optimizer.safetensors"], "no temporary file is left");
    let loaded = load_optimizer(&path).expect("the file that was just saved");
    let again = folder.path("again.safetensors");
    save_optimizer(&again, &loaded).expect("a writable folder");
    assert_eq!(std::fs::read(again).expect("a file"), std::fs::read(path).expect("a file"), "always the same bytes");
    loaded
}

#[test]
fn training_goes_on_bit_for_bit() {
    for rule in rules() {
        let (mut layer, mut optimizer) = (layer(SHAPE, 1), FactorOptimizer::new(rule).expect("a valid rule"));
        train(&mut layer, &mut optimizer, 0..4);
        let folder = Folder::new();
        save_factors(folder.path("factors"), layer.factors()).expect("a writable folder");
        let mut later = FactorizedEmbedding::new(load_factors(folder.path("factors")).expect("a valid file"));
        let loaded = saved_and_loaded(optimizer.state());
        assert_eq!((loaded.rule(), &loaded), (rule, optimizer.state()));
        let mut resumed = FactorOptimizer::from_state(loaded).expect("a state of factors");
        train(&mut layer, &mut optimizer, 4..9);
        train(&mut later, &mut resumed, 4..9);
        assert_same_bits("u", later.factors().u().view(), layer.factors().u().view());
        assert_same_bits("v", later.factors().v(), layer.factors().v());
        assert_eq!(later.factors(), layer.factors());
        assert_eq!(resumed, optimizer);
    }
}

#[test]
fn states_of_tables_and_arrays_come_back_too() {
    for rule in rules() {
        let mut table = DenseEmbedding::new(random::normal((9, 3), 1)).expect("a finite table");
        let mut optimizer = TableOptimizer::new(rule).expect("a valid rule");
        assert_eq!(saved_and_loaded(optimizer.state()), *optimizer.state(), "before the first step");
        optimizer.step(&mut table, &row_gradient(Some(vec![2, 8]), (9, 3), 2), 0.1).expect("shapes that fit");
        let resumed = TableOptimizer::from_state(saved_and_loaded(optimizer.state())).expect("a state of a table");
        assert_eq!(resumed, optimizer);

        let mut optimizer = ArrayOptimizer::new(rule).expect("a valid rule");
        let mut cube = ArrayD::<f32>::ones(vec![2, 3, 4]);
        let gradient = cube.clone();
        optimizer.step(&mut cube, &gradient, 0.1).expect("shapes that fit");
        let resumed = ArrayOptimizer::from_state(saved_and_loaded(optimizer.state())).expect("a state of an array");
        assert_eq!(resumed, optimizer);
    }
}

type Steps = Vec<(String, u64)>;
type Tensors = Vec<(String, ArrayD<f32>)>;

fn taken_apart(state: &OptimizerState) -> (Steps, Tensors) {
    let steps = state.steps().map(|(name, steps)| (name.to_owned(), steps)).collect();
    (steps, state.tensors().map(|(name, tensor)| (name, tensor.to_owned())).collect())
}

#[test]
fn states_are_taken_apart_and_put_together() {
    for rule in rules() {
        let (mut layer, mut optimizer) = (layer(SHAPE, 1), FactorOptimizer::new(rule).expect("a valid rule"));
        train(&mut layer, &mut optimizer, 0..3);
        let (steps, mut tensors) = taken_apart(optimizer.state());
        assert_eq!(steps.iter().map(|(_, steps)| steps).collect::<Vec<_>>(), [&3; 4]);
        let bytes: usize = tensors.iter().map(|(_, tensor)| 4 * tensor.len()).sum();
        assert_eq!(optimizer.state().size_in_bytes(), bytes);
        // In another order, and by columns.
        tensors.reverse();
        for (_, tensor) in &mut tensors {
            *tensor = tensor.t().as_standard_layout().into_owned().reversed_axes();
        }
        let state = OptimizerState::from_tensors(rule, steps, tensors).expect("what was taken apart");
        assert_eq!(state, *optimizer.state());
        assert_eq!(saved_and_loaded(&state), state);
    }
}

#[test]
fn states_that_cannot_be_are_refused() {
    let state = |change: fn(&mut Steps, &mut Tensors)| {
        let mut optimizer = ArrayOptimizer::new(Optimizer::adam()).expect("a valid rule");
        optimizer.step(&mut array![1.0, 2.0], &array![1.0, 2.0], 0.1).expect("shapes that fit");
        let (mut steps, mut tensors) = taken_apart(optimizer.state());
        change(&mut steps, &mut tensors);
        OptimizerState::from_tensors(Optimizer::adam(), steps, tensors)
    };
    let refused = |result: factorized_embedding::Result<OptimizerState>, message: &str| {
        assert_eq!(result.expect_err("it is refused").to_string(), message);
    };
    assert!(state(|_, _| ()).is_ok());
    let no_state = "this is not the state of such an optimizer:";
    refused(state(|steps, _| steps[0].1 = 0), &format!(r#"{no_state} "array" has made no steps"#));
    let missing = format!(r#"{no_state} there is no tensor "array.first_moment""#);
    refused(state(|_, tensors| tensors[0].0 = "array.moment".to_owned()), &missing);
    let unknown = |name| format!("{no_state} the tensor {name:?} is of no array that has made steps by this rule");
    refused(state(|_, tensors| tensors.push(("x.sum".to_owned(), ArrayD::zeros(vec![])))), &unknown("x.sum"));
    refused(state(|steps, _| steps.clear()), &unknown("array.first_moment"));
    let twice = format!(r#"{no_state} the tensor "array.first_moment" is there twice"#);
    refused(state(|_, tensors| tensors.push(tensors[0].clone())), &twice);
    let steps_twice = format!(r#"{no_state} the steps of "sgd" are there twice"#);
    let steps = [("sgd".to_owned(), 1), ("sgd".to_owned(), 2)];
    refused(OptimizerState::from_tensors(Optimizer::sgd(), steps, []), &steps_twice);
    let negative = format!(r#"{no_state} "array.second_moment" holds -1, which is no sum or mean of squares"#);
    refused(state(|_, tensors| tensors[1].1[1] = -1.0), &negative);
    assert!(state(|_, tensors| tensors[0].1[1] = -1.0).is_ok(), "means are of either sign");
    let not_finite = "optimizer state holds NaN at [1]: only finite numbers can be used";
    refused(state(|_, tensors| tensors[0].1[1] = f32::NAN), not_finite);
    let shapes = format!(r#"{no_state} the tensors of "array" have shapes [2] and []"#);
    refused(state(|_, tensors| tensors[1].1 = ArrayD::ones(vec![])), &shapes);
    let rule = Optimizer::Adam { betas: [1.0, 0.9], epsilon: 1e-8 };
    let invalid = "beta1 is 1, expected a number from 0 to below 1";
    refused(OptimizerState::from_tensors(rule, [], []), invalid);
}

#[test]
fn states_of_other_arrays_are_refused() {
    let mut layer = layer(SHAPE, 1);
    let mut optimizer = FactorOptimizer::new(Optimizer::adagrad()).expect("a valid rule");
    train(&mut layer, &mut optimizer, 0..1);
    let state = saved_and_loaded(optimizer.state());
    let message = r#"this is not the state of such an optimizer: it is of "bias", expected ["table"]"#;
    assert_eq!(TableOptimizer::from_state(state.clone()).expect_err("it is of factors").to_string(), message);
    assert!(ArrayOptimizer::from_state(state.clone()).is_err());

    // Of a name that factors have, but of no matrix.
    for (rule, shape, expected) in [(Optimizer::adagrad(), vec![], 2), (Optimizer::rowwise_adagrad(), vec![3, 1], 1)] {
        let sum = [("u.sum".to_owned(), ArrayD::ones(shape.clone()))];
        let state = OptimizerState::from_tensors(rule, [("u".to_owned(), 1)], sum).expect("a state of some array");
        let error = FactorOptimizer::from_state(state).expect_err("it is of no matrix").to_string();
        let reason = format!(r#""u.sum" has shape {shape:?}, expected {expected} dimension(s)"#);
        assert_eq!(error, format!("this is not the state of such an optimizer: {reason}"));
    }

    // Of factors, but of others.
    let mut resumed = FactorOptimizer::from_state(state).expect("a state of factors");
    let other = Shape { dim: 10, ..SHAPE };
    let mut wider = crate::drawn::layer(other, 1);
    let before = wider.factors().clone();
    let error = resumed.step(&mut wider, &factor_gradients(other, Some(vec![1]), 1), 0.1).expect_err("10 columns");
    assert_eq!(error.to_string(), "optimizer state of v has shape [4, 9], expected [4, 10]");
    assert_eq!(*wider.factors(), before);
}

/// Numbers without rounding, so that they are the same everywhere.
fn golden() -> FactorOptimizer {
    let rule = Optimizer::AdamW { betas: [0.5, 0.75], epsilon: 0.125, weight_decay: 0.0625 };
    let numbers = |shape: [usize; 2], first: f32| {
        Array2::from_shape_fn(shape, |(i, j)| first + (3 * i + j) as f32 / 8.0).into_dyn()
    };
    let tensors = [
        ("u.first_moment", numbers([4, 2], -0.5)),
        ("u.second_moment", numbers([4, 2], 0.5)),
        ("v.first_moment", numbers([2, 3], -2.0)),
        ("v.second_moment", numbers([2, 3], 2.0)),
    ];
    let tensors = tensors.map(|(name, tensor)| (name.to_owned(), tensor));
    let steps = [("u".to_owned(), 7), ("v".to_owned(), (1 << 53) + 1)];
    FactorOptimizer::from_state(OptimizerState::from_tensors(rule, steps, tensors).expect("tensors of the rule"))
        .expect("a state of factors")
}

/// `save_optimizer` wrote this file when the format was made; it must always be read, and version 1 always be written so.
#[test]
fn the_golden_file_of_version_1_is_read_and_written() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/optimizer-v1.safetensors");
    assert_eq!(load_optimizer(path).expect("a file of version 1"), *golden().state());
    let folder = Folder::new();
    save_optimizer(folder.path("golden"), golden().state()).expect("a writable folder");
    let written = std::fs::read(folder.path("golden")).expect("the file that was just saved");
    assert_eq!(written, std::fs::read(path).expect("the golden file"));
}
