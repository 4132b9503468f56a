//! What directions of the gradients cost beside a step.

use criterion::{BatchSize, Criterion};
use factorized_embedding::{
    Embedding, Shape,
    train::{Backward, FactorGradients, GradientCovariance, RowGradient},
};

use super::{
    BATCH, normal,
    reference::assert_near,
    step::{Trained, Training},
    support::{self, ids::Ids, tables::Tables},
};

pub(super) fn rotations(criterion: &mut Criterion, tables: &Tables) {
    let mut group = criterion.benchmark_group(format!("training_eigenbasis/{}/zipf{BATCH}", tables.name()));
    let Shape { vocab_size, rank, dim } = tables.shape();
    let ids = &Ids::Zipf.draw(vocab_size)[..BATCH];
    let grad_out = normal((BATCH, dim), 1);
    let gradients = Backward::new(tables.factorized()).lookup(ids, grad_out.view()).expect("shapes that fit");
    let of_u = gradients.u.expect("a gradient of U");
    let mut covariance = GradientCovariance::new(rank, 0.95).expect("a decay");
    covariance.add(&of_u).expect("finite gradients");
    let pool = support::pool(1);

    group.bench_function("step", |bencher| {
        let mut trained = Trained::new(tables.factorized().clone());
        pool.install(|| bencher.iter(|| trained.step(ids, grad_out.view())));
    });
    group.bench_function("covariance", |bencher| {
        let expected = of_u.values().t().dot(&of_u.values()) * 0.05;
        assert_near("the covariance", covariance.matrix().mapv(|number| number as f32).view(), &expected);
        let mut covariance = covariance.clone();
        pool.install(|| bencher.iter(|| covariance.add(&of_u).expect("finite gradients")));
    });
    group.bench_function("rotation", |bencher| {
        // Of rows that have all had a gradient.
        let mut trained = Trained::new(tables.factorized().clone());
        let mut gradients = FactorGradients::default();
        gradients.u = Some(RowGradient::of_all_rows(normal((vocab_size, rank), 2)));
        trained.optimizer.step(&mut trained.layer, &gradients, 0.0).expect("finite gradients");
        let mut rotate = |mut covariance: GradientCovariance| {
            trained.optimizer.rotate_to_eigenbasis(&mut trained.layer, &mut covariance).expect("finite factors")
        };
        rotate(covariance.clone());
        pool.install(|| bencher.iter_batched(|| covariance.clone(), &mut rotate, BatchSize::LargeInput));
        let [before, after] = [tables.factorized(), &trained.layer].map(|layer| layer.lookup(&ids[..8]).expect("ids"));
        assert_near("vectors", after.view(), &before);
    });
}
