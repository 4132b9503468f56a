//! Training: gradients of lookups, of a tied head with its loss, and whole steps.
//!
//! Groups, with a workload each, such as `training_lookup/vocab50257_r128_d768/zipf4096`:
//!
//! - `training_lookup`: gradients of a lookup of ids that repeat as those of texts do. `lookup` is the forward pass,
//!   `select+dot` what one writes without this crate (the products of all ids, then sums over repeated ids), `dense`
//!   the gradient of [`DenseEmbedding`](factorized_embedding::DenseEmbedding), `factorized/<isa>` and `factorized/2
//!   threads` those of [`FactorizedEmbedding`](factorized_embedding::FactorizedEmbedding).
//! - `training_head`: loss and gradients of a tied head. `apart` makes all logits, their softmax, and the gradients of
//!   these; `dense/fused` and `factorized/fused` are [`Backward::cross_entropy`], which holds a block of them at a
//!   time.
//!
//! - `training_step`: lookup, gradients and update by Adam, of `dense` and `factorized/<isa>` on one thread and on two; then the
//!   two take turns, and the ratios of their medians are printed. In `spread4096` the same ids are spread over vocabularies of
//!   several sizes, which take turns, too.
//!
//! - `training_eigenbasis`: what turning the factors to the directions of their gradients takes beside a `step`: `covariance` in each of
//!   them, `rotation` once in a while.
//!
//! Each entry checks its answer, against `select+dot`, `apart`, a plain product, or the table as it was.
//!
//! `cargo bench --bench training -- --serve FOLDER THREADS` makes a step for each line instead, and answers with its seconds:
//! `benches/python/training.py` asks it in turns with PyTorch.

#![allow(clippy::print_stdout, reason = "criterion prints no ratios")]

mod eigenbasis;
mod reference;
mod serve;
mod step;

#[allow(dead_code, reason = "each bench uses a part of it")]
#[path = "../support/mod.rs"]
mod support;

use std::hint::black_box;

use criterion::{BenchmarkGroup, Criterion, Throughput, measurement::WallTime};
use factorized_embedding::{
    Embedding, FactorizedEmbedding, Isa, Shape, TokenId,
    train::{Backward, FactorGradients, RowGradient},
};
use ndarray::{Array2, ArrayView2};
use rand::{SeedableRng, rngs::ChaCha8Rng};
use rand_distr::{Distribution, StandardNormal};

use reference::{assert_near, select_dot, sum_rows};
use support::{ids::Ids, tables::Tables};

/// GPT-2's, and a table whose factors are larger than any cache.
const LOOKUPS: [Shape; 2] =
    [Shape { vocab_size: 50_257, rank: 128, dim: 768 }, Shape { vocab_size: 250_000, rank: 128, dim: 1024 }];
const BATCH: usize = 4096;
/// A small language model's.
const HEAD: Shape = Shape { vocab_size: 8_000, rank: 64, dim: 256 };
const STATES: usize = 1024;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if let Some(place) = arguments.iter().position(|argument| argument == "--serve") {
        return serve::serve(&arguments[place + 1..]);
    }
    support::run(|criterion| {
        for shape in LOOKUPS {
            lookups(criterion, &Tables::new(shape));
        }
        head(criterion, &Tables::new(HEAD));
        step::against_dense(criterion, &Tables::new(LOOKUPS[0]));
        step::by_vocabulary(criterion);
        eigenbasis::rotations(criterion, &Tables::new(LOOKUPS[0]));
    });
}

fn normal(shape: (usize, usize), seed: u64) -> Array2<f32> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    Array2::from_shape_simple_fn(shape, || StandardNormal.sample(&mut rng))
}

fn lookups(criterion: &mut Criterion, tables: &Tables) {
    let mut group = criterion.benchmark_group(format!("training_lookup/{}/zipf{BATCH}", tables.name()));
    group.throughput(Throughput::Elements(BATCH as u64));
    let dim = tables.shape().dim;
    let ids = Ids::Zipf.draw(tables.shape().vocab_size);
    let mut batches = ids.chunks_exact(BATCH).cycle();
    let mut next = move || batches.next().expect("a stream of at least one batch");
    let grad_out = normal((BATCH, dim), 1);
    let grad_out = grad_out.view();

    let mut out = Array2::zeros((BATCH, dim));
    group.bench_function("lookup", |bencher| {
        bencher.iter(|| tables.factorized().lookup_into(next(), out.view_mut()));
    });
    group.bench_function("select+dot", |bencher| {
        bencher.iter(|| select_dot(tables, next(), grad_out));
    });
    group.bench_function("dense", |bencher| {
        let backward = Backward::new(tables.dense());
        let gradient = backward.lookup(&ids[..BATCH], grad_out).expect("shapes that fit");
        let (expected_ids, expected) = sum_rows(&ids[..BATCH], grad_out);
        assert_eq!(gradient.ids(), Some(expected_ids.as_slice()));
        assert_near("the table", gradient.values(), &expected);
        bencher.iter(|| backward.lookup(next(), grad_out));
    });
    let expected = select_dot(tables, &ids[..BATCH], grad_out);
    for isa in Isa::supported() {
        let layer = tables.factorized().clone().with_isa(isa);
        check_lookup(&expected, &layer, &ids[..BATCH], grad_out);
        of_lookup(&mut group, &format!("factorized/{isa}"), 1, &layer, &mut next, grad_out);
    }
    let layer = tables.factorized();
    support::pool(2).install(|| check_lookup(&expected, layer, &ids[..BATCH], grad_out));
    of_lookup(&mut group, "factorized/2 threads", 2, layer, &mut next, grad_out);
}

/// As in a step: what is derived from the layer once is derived each time.
fn of_lookup<'a>(
    group: &mut BenchmarkGroup<'_, WallTime>,
    name: &str,
    threads: usize,
    layer: &FactorizedEmbedding,
    mut next: impl FnMut() -> &'a [TokenId] + Send,
    grad_out: ArrayView2<'_, f32>,
) {
    let pool = support::pool(threads);
    group.bench_function(name, |bencher| {
        pool.install(|| bencher.iter(|| Backward::new(layer).lookup(next(), grad_out)));
    });
}

fn check_lookup(
    ((expected_ids, expected_u), expected_v): &((Vec<TokenId>, Array2<f32>), Array2<f32>),
    layer: &FactorizedEmbedding,
    ids: &[TokenId],
    grad_out: ArrayView2<'_, f32>,
) {
    let FactorGradients { u, v, .. } = Backward::new(layer).lookup(ids, grad_out).expect("shapes that fit");
    let u = u.expect("a gradient of U");
    assert_eq!(u.ids(), Some(expected_ids.as_slice()));
    assert_near("U", u.values(), expected_u);
    assert_near("V", v.expect("a gradient of V").view(), expected_v);
}

fn head(criterion: &mut Criterion, tables: &Tables) {
    let Shape { vocab_size, dim, .. } = tables.shape();
    let mut group = criterion.benchmark_group(format!("training_head/{}/n{STATES}", tables.name()));
    group.throughput(Throughput::Elements(STATES as u64));
    let hidden = normal((STATES, dim), 2);
    let targets = &Ids::Zipf.draw(vocab_size)[..STATES];
    let factorized = Backward::new(tables.factorized());
    let (loss, expected_hidden, expected) = apart(tables.factorized(), &hidden, targets);
    let loss = f64::from(loss);
    let near_loss = |what: &str, actual: f64| {
        assert!((actual - loss).abs() <= 1e-5 * loss.abs(), "{what}: a loss of {actual}, expected {loss}");
    };
    let check_factorized = || {
        let fused = factorized.cross_entropy(hidden.view(), targets, None).expect("shapes that fit");
        near_loss("factorized", fused.loss);
        assert_near("hidden", fused.hidden.view(), &expected_hidden);
        let u =
            |gradients: &FactorGradients| gradients.u.as_ref().map(RowGradient::values).map(|values| values.to_owned());
        assert_near("U", u(&fused.gradients).expect("U").view(), &u(&expected).expect("U"));
        let v = |gradients: &FactorGradients| gradients.v.clone().expect("V");
        assert_near("V", v(&fused.gradients).view(), &v(&expected));
    };
    let dense = Backward::new(tables.dense()).cross_entropy(hidden.view(), targets, None).expect("shapes that fit");
    near_loss("dense", dense.loss);
    assert_near("hidden of the dense table", dense.hidden.view(), &expected_hidden);
    // ∂L/∂V is ∂E pushed through the chain rule: (U · diag(D))ᵀ · ∂E.
    let of_table = dense.gradients.values().to_owned();
    assert_near(
        "V of the dense table",
        tables.factors().u().t().dot(&of_table).view(),
        expected.v.as_ref().expect("V"),
    );

    group.bench_function("apart", |bencher| {
        bencher.iter(|| apart(tables.factorized(), &hidden, targets));
    });
    group.bench_function("dense/fused", |bencher| {
        let backward = Backward::new(tables.dense());
        bencher.iter(|| black_box(backward.cross_entropy(hidden.view(), targets, None)));
    });
    for threads in [1, 2] {
        let name = if threads == 1 { "factorized/fused" } else { "factorized/fused/2 threads" };
        let pool = support::pool(threads);
        pool.install(check_factorized);
        group.bench_function(name, |bencher| {
            pool.install(|| bencher.iter(|| black_box(factorized.cross_entropy(hidden.view(), targets, None))));
        });
    }
}

/// The loss, ∂L/∂hidden and the gradients of the factors by way of all logits.
fn apart(
    layer: &FactorizedEmbedding,
    hidden: &Array2<f32>,
    targets: &[TokenId],
) -> (f32, Array2<f32>, FactorGradients) {
    let mut logits = layer.logits(hidden.view()).expect("shapes that fit");
    let mut loss = 0.0;
    let n = targets.len() as f32;
    for (mut row, &target) in logits.rows_mut().into_iter().zip(targets) {
        let max = row.fold(f32::NEG_INFINITY, |max, &logit| max.max(logit));
        let of_target = row[target as usize];
        row.mapv_inplace(|logit| (logit - max).exp());
        let sum = row.sum();
        loss += max + sum.ln() - of_target;
        row /= sum * n;
        row[target as usize] -= 1.0 / n;
    }
    let of_hidden = layer.soft_lookup(logits.view()).expect("shapes that fit");
    let gradients = Backward::new(layer).logits(hidden.view(), logits.view()).expect("shapes that fit");
    (loss / n, of_hidden, gradients)
}
