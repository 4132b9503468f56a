//! Whatever the number of threads, the numbers are the same to the bit.

use factorized_embedding::{
    DenseEmbedding, Shape,
    train::{ArrayOptimizer, FactorOptimizer, Momentum, Optimizer, TableOptimizer},
};

use crate::{
    drawn::{factor_gradients, gradient, layer, row_gradient, rules, some_ids},
    support::random,
};

const SHAPE: Shape = Shape { vocab_size: 5000, rank: 64, dim: 2000 };

/// Steps of more rows, and of larger arrays, than one thread takes at a time.
fn train(rule: Optimizer) -> impl PartialEq + std::fmt::Debug + Send {
    let mut layer = layer(SHAPE, 1);
    let mut optimizer = FactorOptimizer::new(rule).expect("a valid rule");
    let mut table = DenseEmbedding::new(random::normal((5000, 64), 2)).expect("a finite table");
    let mut of_table = TableOptimizer::new(rule).expect("a valid rule");
    let mut array = random::normal((300, 700), 3);
    let mut of_array = ArrayOptimizer::new(rule).expect("a valid rule");
    for ids in [Some(some_ids(5000, 2, 4)), None] {
        optimizer.step(&mut layer, &factor_gradients(SHAPE, ids.clone(), 5), 0.1).expect("shapes that fit");
        of_table.step(&mut table, &row_gradient(ids, (5000, 64), 6), 0.1).expect("shapes that fit");
        of_array.step(&mut array, &gradient((300, 700), 7), 0.1).expect("shapes that fit");
    }
    let table = table.to_array().to_owned();
    (layer.into_factors(), optimizer, table, of_table, array, of_array)
}

#[test]
fn threads_change_nothing() {
    let pool = |threads| rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a thread pool");
    for rule in rules() {
        let alone = pool(1).install(|| train(rule));
        for threads in [2, 3] {
            assert!(pool(threads).install(|| train(rule)) == alone, "{rule:?} on {threads} threads");
        }
    }
}

#[cfg(feature = "decompose")]
#[test]
fn threads_change_no_directions() {
    let pool = |threads| rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a thread pool");
    let upkeep = || {
        let shape = Shape { dim: 90, ..SHAPE };
        let (mut layer, rule) = (layer(shape, 1), Optimizer::Sgd { momentum: Momentum::Polyak(0.9) });
        let mut optimizer = FactorOptimizer::new(rule).expect("a valid rule");
        optimizer.step(&mut layer, &factor_gradients(shape, None, 5), 0.1).expect("shapes that fit");
        optimizer.orthonormalize(&mut layer).expect("finite factors");
        optimizer.grow_rank(&mut layer, 70, &mut random::rng(1)).expect("a rank below the dim");
        optimizer.shrink_rank(&mut layer, 30).expect("a smaller rank");
        let mut covariance = factorized_embedding::train::GradientCovariance::new(30, 0.95).expect("a decay");
        covariance.add(&row_gradient(None, (5000, 30), 6)).expect("finite numbers");
        optimizer.rotate_to_eigenbasis(&mut layer, &mut covariance).expect("of the same rank");
        (layer.into_factors(), optimizer)
    };
    let alone = pool(1).install(upkeep);
    for threads in [2, 3] {
        assert!(pool(threads).install(upkeep) == alone, "{threads} threads");
    }
}
