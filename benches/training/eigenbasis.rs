//! What directions of the gradients cost beside a step.

use criterion::{BatchSize, Criterion};
use factorized_embedding::{
    Embedding,
    train::{Backward, FactorGradients, FactorOptimizer, GradientCovariance, Optimizer, RowGradient},
};

use super::{
    BATCH, normal,
    reference::assert_near,
    support::{self, ids::Ids, tables::Tables},
};

const LEARNING_RATE: f64 = 1e-3;

pub(super) fn rotations(criterion: &mut Criterion, tables: &Tables) {
    let mut group = criterion.benchmark_group(format!("training_eigenbasis/{}/zipf{BATCH}", tables.name()));
    let ids = &Ids::Zipf.draw(tables.shape().vocab_size)[..BATCH];
    let grad_out = normal((BATCH, tables.shape().dim), 1);
    let mut layer = tables.factorized().clone();
    let mut optimizer = FactorOptimizer::new(Optimizer::adam()).expect("a valid rule");
    let mut covariance = GradientCovariance::new(tables.shape().rank, 0.95).expect("a decay");
    let gradients = Backward::new(&layer).lookup(ids, grad_out.view()).expect("shapes that fit");
    let of_u = gradients.u.as_ref().expect("a gradient of U");
    let pool = support::pool(1);

    group.bench_function("step", |bencher| {
        pool.install(|| {
            bencher.iter(|| {
                let out = layer.lookup(ids).expect("ids of the vocabulary");
                let gradients = Backward::new(&layer).lookup(ids, grad_out.view()).expect("shapes that fit");
                optimizer.step(&mut layer, &gradients, LEARNING_RATE).expect("finite gradients");
                out
            });
        });
    });
    group.bench_function("covariance", |bencher| {
        pool.install(|| bencher.iter(|| covariance.add(of_u).expect("finite gradients")));
    });
    group.bench_function("rotation", |bencher| {
        // Of rows that have all had a gradient.
        let shape = tables.shape();
        let mut gradients = FactorGradients::default();
        gradients.u = Some(RowGradient::of_all_rows(normal((shape.vocab_size, shape.rank), 2)));
        optimizer.step(&mut layer, &gradients, LEARNING_RATE).expect("finite gradients");
        covariance.add(of_u).expect("finite gradients");
        let before = layer.lookup(&ids[..8]).expect("ids of the vocabulary");
        let rotate = |mut covariance: GradientCovariance| {
            optimizer.rotate_to_eigenbasis(&mut layer, &mut covariance).expect("finite factors")
        };
        pool.install(|| bencher.iter_batched(|| covariance.clone(), rotate, BatchSize::LargeInput));
        assert_near("vectors", layer.lookup(&ids[..8]).expect("the same ids").view(), &before);
    });
}
