//! Gradients and optimizers together learn what a layer of the same shape knows.

use factorized_embedding::{
    Bags, DenseEmbedding, Embedding, FactorizedEmbedding, Pooling, Shape, TokenId,
    train::{ArrayOptimizer, Backward, FactorOptimizer, Gradients, Optimizer, Renormalize, Schedule, TableOptimizer},
};
use ndarray::{Array2, ArrayView2};

use crate::{
    drawn::{layer, rules},
    support::{factor_parts::FactorParts, random},
};

const SHAPE: Shape = Shape { vocab_size: 60, rank: 3, dim: 8 };
const STEPS: u64 = 400;

fn batch(step: u64) -> Vec<TokenId> {
    random::ids(64, SHAPE.vocab_size, 100 + step)
}

/// Mean of the squares of what a lookup is off by.
fn loss(layer: &dyn Embedding, taught: ArrayView2<'_, f32>) -> f64 {
    let ids: Vec<TokenId> = (0..SHAPE.vocab_size as TokenId).collect();
    let error = layer.lookup(&ids).expect("ids of the vocabulary") - taught;
    error.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>() / error.len() as f64
}

/// A learning rate at which the rule learns.
fn schedule(rule: Optimizer) -> Schedule {
    let rate = match rule {
        Optimizer::Sgd { .. } => 0.02,
        Optimizer::Adam { .. } | Optimizer::AdamW { .. } => 0.03,
        _ => 0.3,
    };
    let schedule = Schedule::constant(rate).expect("a learning rate").with_warm_up(10);
    schedule.with_cosine_decay(STEPS, 0.0).expect("a learning rate")
}

/// Every rule comes far below the loss that it begins with; weight decay keeps it from going on to nothing.
#[test]
fn factors_and_tables_learn() {
    let teacher = layer(SHAPE, 1).to_dense().expect("finite products");
    let taught = teacher.to_array().to_owned();
    for rule in rules() {
        let schedule = schedule(rule);
        let (mut layer, mut optimizer) = (layer(SHAPE, 2), FactorOptimizer::new(rule).expect("a valid rule"));
        let start = Array2::zeros((SHAPE.vocab_size, SHAPE.dim));
        let mut dense = DenseEmbedding::new(start).expect("a finite table");
        let mut of_table = TableOptimizer::new(rule).expect("a valid rule");
        let before = [loss(&layer, taught.view()), loss(&dense, taught.view())];
        for step in 0..STEPS {
            let ids = batch(step);
            let target = teacher.lookup(&ids).expect("ids of the vocabulary");
            let error = layer.lookup(&ids).expect("ids of the vocabulary") - &target;
            let mut gradients = Backward::new(&layer).lookup(&ids, error.view()).expect("shapes that fit");
            gradients.clip_global_norm(20.0).expect("finite gradients");
            optimizer.step(&mut layer, &gradients, schedule.learning_rate(step)).expect("a step");

            let error = dense.lookup(&ids).expect("ids of the vocabulary") - &target;
            let gradient = Backward::new(&dense).lookup(&ids, error.view()).expect("shapes that fit");
            of_table.step(&mut dense, &gradient, 2.0 * schedule.learning_rate(step)).expect("a step");
        }
        let after = [loss(&layer, taught.view()), loss(&dense, taught.view())];
        assert!(after[0] < 0.2 * before[0] && after[1] < 0.2 * before[1], "{rule:?}: {before:?} -> {after:?}");
    }
}

/// A step takes the gradients of every operation: bags, the tied head, soft lookups; a padding id stays what it is.
#[test]
fn the_gradients_of_every_operation_are_steps() {
    let mut layer = layer(SHAPE, 3).with_padding_id(5).expect("an id of the vocabulary");
    let mut dense = layer.to_dense().expect("finite products");
    let padding = layer.factors().u().row(5).to_owned();
    let ids = batch(0);
    let bags = Bags::new(&ids, &[0, 10, 10, 40], Pooling::Mean).expect("rising offsets");
    let (wide, of_vocabulary) = (random::normal((4, SHAPE.dim), 4), random::normal((4, SHAPE.vocab_size), 5));
    let mut optimizer = FactorOptimizer::new(Optimizer::adam()).expect("a valid rule");
    let mut of_table = TableOptimizer::new(Optimizer::adam()).expect("a valid rule");
    for operation in 0..3 {
        let backward = Backward::new(&layer);
        let gradients = match operation {
            0 => backward.bag(&bags, wide.view()),
            1 => backward.logits(wide.view(), of_vocabulary.view()),
            _ => backward.soft_lookup(of_vocabulary.view(), wide.view()),
        };
        let before = layer.factors().clone();
        optimizer.step(&mut layer, &gradients.expect("shapes that fit"), 0.1).expect("a step");
        assert_ne!(*layer.factors(), before, "operation {operation}");
        assert_eq!(layer.factors().u().row(5), padding, "operation {operation}");

        let backward = Backward::new(&dense);
        let gradient = match operation {
            0 => backward.bag(&bags, wide.view()),
            1 => backward.logits(wide.view(), of_vocabulary.view()),
            _ => backward.soft_lookup(of_vocabulary.view(), wide.view()),
        };
        let before = dense.to_array().to_owned();
        of_table.step(&mut dense, &gradient.expect("shapes that fit"), 0.1).expect("a step");
        assert_ne!(dense.to_array(), before, "operation {operation}");
        assert_eq!(dense.to_array().row(5), before.row(5), "operation {operation}");
    }
}

/// Bags of vectors that are kept short, and a linear classifier of the caller's behind them.
#[test]
fn a_classifier_is_trained_end_to_end() {
    let parts = FactorParts { bias: None, ..FactorParts::normal(SHAPE, 6) };
    let mut layer = FactorizedEmbedding::new(parts.factors());
    let mut weight = random::normal((SHAPE.dim, 1), 7) * 0.1;
    let mut optimizer = FactorOptimizer::new(Optimizer::rowwise_adagrad()).expect("a valid rule");
    let mut of_weight = ArrayOptimizer::new(Optimizer::adam()).expect("a valid rule");
    // Sentences of even ids and of odd ones.
    let sentence = |class: u32, seed| random::ids(12, 30, seed).into_iter().map(move |id| 2 * id + class);
    let mut right = 0;
    for step in 0..300_u64 {
        let class = (step % 2) as u32;
        let ids: Vec<TokenId> = sentence(class, step).collect();
        layer.renormalize(&ids, 2.0).expect("ids of the vocabulary");
        let bags = Bags::new(&ids, &[0], Pooling::Mean).expect("one bag");
        let vectors = layer.bag(&bags).expect("ids of the vocabulary");
        let probability = 1.0 / (1.0 + (-vectors.dot(&weight)[[0, 0]]).exp());
        let error = Array2::from_elem((1, 1), probability - class as f32);
        right += u32::from(step >= 200 && (probability > 0.5) == (class == 1));
        let grad_vectors = error.dot(&weight.t());
        let gradients = Backward::new(&layer).bag(&bags, grad_vectors.view()).expect("shapes that fit");
        of_weight.step(&mut weight, &vectors.t().dot(&error), 0.05).expect("a step");
        optimizer.step(&mut layer, &gradients, 0.1).expect("a step");
    }
    assert!(right >= 95, "{right} of the last 100 sentences");
}
