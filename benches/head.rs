//! The whole table at once: logits of a tied output head, the best k of them, soft lookups, the dense table.
//!
//! A workload, such as `logits/vocab50257_r128_d768/n16`, has the entries
//!
//! - `dense`: the same operation of [`DenseEmbedding`](factorized_embedding::DenseEmbedding);
//! - `dense_dot`: the same product of the dense table written with `dot` (of a vector where n is 1);
//! - `gather+dot`: what one writes with U, D·V and `dot`;
//! - `factorized/<variant>`.
//!
//! Throughput is in rows of n.

#[allow(dead_code, reason = "each bench uses a part of it")]
mod support;

use std::{cell::OnceCell, hint::black_box};

use criterion::{BenchmarkGroup, Criterion, Throughput, measurement::WallTime};
use factorized_embedding::{Embedding, FactorizedEmbedding, Shape, TokenId, TopK};
use ndarray::{Array2, ArrayView2, Axis, s};
use rand::{SeedableRng, rngs::ChaCha8Rng};
use rand_distr::{Distribution, StandardNormal};

use support::{agreement::Expected, tables::Tables, variants::Variant};

/// GPT-2's.
const SHAPE: Shape = Shape { vocab_size: 50_257, rank: 128, dim: 768 };
const K: usize = 10;
/// Rows of the table whose logits are checked, spread over it.
const CHECKED: usize = 500;
/// States whose best rows are checked.
const CHECKED_STATES: usize = 3;

fn main() {
    support::run(|criterion| {
        let tables = Tables::new(SHAPE);
        for n in [1, 16, 64] {
            let hidden = normal((n, SHAPE.dim));
            logits(&mut group(criterion, "logits", n), &tables, hidden.view());
            top_k(&mut group(criterion, "top_k", n), &tables, hidden.view());
        }
        for n in [1, 16] {
            let mut weights = normal((n, SHAPE.vocab_size)).abs();
            weights /= &weights.sum_axis(Axis(1)).insert_axis(Axis(1));
            soft_lookup(&mut group(criterion, "soft", n), &tables, weights.view());
        }
        for n in [1, 16, 512] {
            project(&mut group(criterion, "project", n), &tables, n);
        }
        to_dense(&mut group(criterion, "to_dense", SHAPE.vocab_size), &tables);
    });
}

fn group<'a>(criterion: &'a mut Criterion, name: &str, n: usize) -> BenchmarkGroup<'a, WallTime> {
    let mut group = criterion.benchmark_group(format!("{name}/{}/n{n}", Tables::new(SHAPE).name()));
    group.throughput(Throughput::Elements(n as u64));
    group
}

fn normal(shape: (usize, usize)) -> Array2<f32> {
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    Array2::from_shape_simple_fn(shape, || StandardNormal.sample(&mut rng))
}

/// The entries of this crate: what a layer makes into the array that is given, checked once.
fn factorized(
    group: &mut BenchmarkGroup<'_, WallTime>,
    tables: &Tables,
    shape: (usize, usize),
    make: impl Fn(&FactorizedEmbedding, &mut Array2<f32>) + Sync,
    check: impl Fn(&FactorizedEmbedding, &Array2<f32>) + Sync,
) {
    for variant in variants() {
        let pool = support::pool(variant.threads());
        let layer = OnceCell::new();
        let mut out = None;
        // Criterion calls the closure for every sample.
        group.bench_function(variant.name(), |bencher| {
            let layer = layer.get_or_init(|| tables.variant(&variant)).as_ref();
            pool.install(|| {
                let out = out.get_or_insert_with(|| {
                    let mut out = Array2::from_elem(shape, f32::NAN);
                    make(layer, &mut out);
                    check(layer, &out);
                    out
                });
                bencher.iter(|| make(layer, out));
            });
        });
    }
}

fn variants() -> impl Iterator<Item = Variant> {
    Variant::isas().chain([Variant::two_threads()])
}

/// Ids spread over the table.
fn some_ids() -> Vec<TokenId> {
    (0..CHECKED).map(|i| (i * (SHAPE.vocab_size - 1) / (CHECKED - 1)) as TokenId).collect()
}

fn logits(group: &mut BenchmarkGroup<'_, WallTime>, tables: &Tables, hidden: ArrayView2<'_, f32>) {
    let shape = (hidden.nrows(), SHAPE.vocab_size);
    let ids = some_ids();
    let check = |layer: &FactorizedEmbedding, out: &Array2<f32>| {
        assert!(out.iter().all(|number| number.is_finite()), "logits that were not written");
        let checked: Vec<usize> = ids.iter().map(|&id| id as usize).collect();
        let expected = Expected::logits(layer.factors(), hidden, &ids);
        expected.assert_agrees(out.select(Axis(1), &checked).view());
    };
    let mut out = None;
    group.bench_function("dense", |bencher| {
        let make = |out: &mut Array2<f32>| tables.dense().logits_into(hidden, out.view_mut()).expect("shapes that fit");
        let out = out.get_or_insert_with(|| {
            let mut out = Array2::from_elem(shape, f32::NAN);
            make(&mut out);
            check(tables.factorized(), &out);
            out
        });
        bencher.iter(|| make(out));
    });
    group.bench_function("dense_dot", |bencher| {
        let table = tables.dense().to_array();
        match hidden.nrows() {
            1 => bencher.iter(|| black_box(table.dot(&hidden.row(0)))),
            _ => bencher.iter(|| black_box(hidden.dot(&table.t()))),
        }
    });
    group.bench_function("gather+dot", |bencher| {
        let (u, projection) = (tables.factors().u(), tables.projection());
        match hidden.nrows() {
            1 => bencher.iter(|| black_box(u.dot(&projection.dot(&hidden.row(0))))),
            _ => bencher.iter(|| black_box(hidden.dot(&projection.t()).dot(&u.t()))),
        }
    });
    let make = |layer: &FactorizedEmbedding, out: &mut Array2<f32>| {
        layer.logits_into(hidden, out.view_mut()).expect("shapes that fit");
    };
    factorized(group, tables, shape, make, check);
}

fn top_k(group: &mut BenchmarkGroup<'_, WallTime>, tables: &Tables, hidden: ArrayView2<'_, f32>) {
    let check = |layer: &FactorizedEmbedding, best: &dyn Embedding| {
        let ids: Vec<TokenId> = (0..SHAPE.vocab_size as TokenId).collect();
        // All states are searched for, as when it is timed; some of them are checked.
        let best = best.top_k(hidden, K).expect("shapes that fit");
        let some = s![..hidden.nrows().min(CHECKED_STATES), ..];
        let best = TopK { ids: best.ids.slice(some).to_owned(), scores: best.scores.slice(some).to_owned() };
        Expected::logits(layer.factors(), hidden.slice(some), &ids).assert_best(&best);
    };
    let checked = OnceCell::new();
    group.bench_function("dense", |bencher| {
        checked.get_or_init(|| check(tables.factorized(), tables.dense()));
        bencher.iter(|| tables.dense().top_k(hidden, K));
    });
    for variant in variants() {
        let pool = support::pool(variant.threads());
        let layer = OnceCell::new();
        group.bench_function(variant.name(), |bencher| {
            let layer = layer.get_or_init(|| {
                let layer = tables.variant(&variant);
                let checked = layer.as_ref();
                pool.install(|| check(checked, checked));
                layer
            });
            let layer = layer.as_ref();
            pool.install(|| bencher.iter(|| layer.top_k(hidden, K)));
        });
    }
}

fn soft_lookup(group: &mut BenchmarkGroup<'_, WallTime>, tables: &Tables, weights: ArrayView2<'_, f32>) {
    let shape = (weights.nrows(), SHAPE.dim);
    let check = |layer: &FactorizedEmbedding, out: &Array2<f32>| {
        Expected::soft(layer.factors(), weights).assert_agrees(out.view());
    };
    let mut out = None;
    group.bench_function("dense", |bencher| {
        let make =
            |out: &mut Array2<f32>| tables.dense().soft_lookup_into(weights, out.view_mut()).expect("shapes that fit");
        let out = out.get_or_insert_with(|| {
            let mut out = Array2::from_elem(shape, f32::NAN);
            make(&mut out);
            check(tables.factorized(), &out);
            out
        });
        bencher.iter(|| make(out));
    });
    group.bench_function("gather+dot", |bencher| {
        let (u, projection) = (tables.factors().u(), tables.projection());
        bencher.iter(|| black_box(weights.dot(&u).dot(projection)));
    });
    let make = |layer: &FactorizedEmbedding, out: &mut Array2<f32>| {
        layer.soft_lookup_into(weights, out.view_mut()).expect("shapes that fit");
    };
    factorized(group, tables, shape, make, check);
}

fn project(group: &mut BenchmarkGroup<'_, WallTime>, tables: &Tables, n: usize) {
    let ids: Vec<TokenId> = (0..n as TokenId).collect();
    let u = tables.factors().u();
    let rows = u.slice(s![..n, ..]);
    group.bench_function("dot", |bencher| bencher.iter(|| black_box(rows.dot(tables.projection()))));
    let make = |layer: &FactorizedEmbedding, out: &mut Array2<f32>| {
        layer.project_into(rows, out.view_mut()).expect("shapes that fit");
    };
    let check = |layer: &FactorizedEmbedding, out: &Array2<f32>| {
        Expected::rows(layer.factors(), &ids).assert_agrees(out.view());
    };
    factorized(group, tables, (n, SHAPE.dim), make, check);
}

fn to_dense(group: &mut BenchmarkGroup<'_, WallTime>, tables: &Tables) {
    group.bench_function("dot", |bencher| {
        bencher.iter(|| black_box(tables.factors().u().dot(tables.projection())));
    });
    let ids = some_ids();
    for variant in Variant::isas() {
        let layer = OnceCell::new();
        group.bench_function(variant.name(), |bencher| {
            let layer = layer.get_or_init(|| {
                let layer = tables.variant(&variant);
                let dense = layer.to_dense().expect("finite numbers");
                let rows = dense.lookup(&ids).expect("ids of the vocabulary");
                Expected::rows(layer.factors(), &ids).assert_agrees(rows.view());
                layer
            });
            bencher.iter(|| black_box(layer.to_dense()));
        });
    }
}
