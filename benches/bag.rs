//! Bags of L ids: a dense table, gather + sum + `dot`, and this crate.
//!
//! A workload, such as `bag/vocab250000_r128_d768/sum/L20`, has the entries
//!
//! - `dense`: rows of the whole table summed by [`DenseEmbedding`](factorized_embedding::DenseEmbedding); `dense/huge`: with
//!   the table in huge pages;
//! - `gather+sum+dot`: an `EmbeddingBag` of width rank followed by a linear layer, written with `select`, `sum_axis` and
//!   `dot`; for maxima `gather+dot+max`;
//! - `factorized/<variant>`.
//!
//! The ids are uniform, and both tables are larger than a last-level cache of 32 MB. There are as many bags in a call as
//! make it last about 0.5 to 20 ms; throughput is in ids.

#[allow(dead_code, reason = "each bench uses a part of it")]
mod support;

use std::cell::OnceCell;

use criterion::{BenchmarkGroup, Criterion, Throughput, measurement::WallTime};
use factorized_embedding::{Pooling, Shape};
use ndarray::{Array2, Axis};

use support::{
    bags::{Calls, Pooled},
    ids::Ids,
    tables::{Tables, indices},
    variants::Variant,
};

const SHAPES: [Shape; 3] = [
    Shape { vocab_size: 250_000, rank: 64, dim: 384 },
    Shape { vocab_size: 250_000, rank: 128, dim: 768 },
    Shape { vocab_size: 250_000, rank: 128, dim: 1024 },
];
/// Ids a bag, bags a call.
const BAGS: [(usize, usize); 7] = [(2, 1024), (8, 1024), (20, 512), (64, 256), (256, 64), (1024, 16), (10_000, 2)];
const MAX_BAGS: [(usize, usize); 1] = [(20, 128)];

fn main() {
    support::run(|criterion| {
        for shape in SHAPES {
            let tables = Tables::new(shape);
            group(criterion, &tables, Pooling::Sum, &BAGS);
            if (shape.rank, shape.dim) == (128, 768) {
                group(criterion, &tables, Pooling::Max, &MAX_BAGS);
            }
        }
    });
}

fn group(criterion: &mut Criterion, tables: &Tables, pooling: Pooling, bags: &[(usize, usize)]) {
    let stream = Ids::Uniform.draw(tables.shape().vocab_size);
    for &(len, count) in bags {
        let calls = Calls { stream: &stream, len, count, pooling };
        let name = if pooling == Pooling::Max { "max" } else { "sum" };
        let mut group = criterion.benchmark_group(format!("bag/{}/{name}/L{len}", tables.name()));
        group.throughput(Throughput::Elements((len * count) as u64));
        let mut pooled = None;
        group.bench_function("dense", |bencher| {
            let pooled = pooled.get_or_insert_with(|| Pooled::checked(tables.dense(), tables.factors(), calls));
            bencher.iter(|| pooled.next_call());
        });
        let mut pooled = None;
        group.bench_function("dense/huge", |bencher| {
            let pooled = pooled.get_or_insert_with(|| Pooled::checked(tables.dense_huge(), tables.factors(), calls));
            bencher.iter(|| pooled.next_call());
        });
        naive(&mut group, tables, calls);
        for variant in variants(pooling) {
            let pool = support::pool(variant.threads());
            let layer = OnceCell::new();
            let mut pooled = None;
            group.bench_function(variant.name(), |bencher| {
                let layer = layer.get_or_init(|| tables.variant(&variant)).as_ref();
                let make = || pool.install(|| Pooled::checked(layer, layer.factors(), calls));
                let pooled = pooled.get_or_insert_with(make);
                pool.install(|| bencher.iter(|| pooled.next_call()));
            });
        }
    }
}

fn variants(pooling: Pooling) -> Vec<Variant> {
    let mut variants: Vec<Variant> = Variant::isas().collect();
    if pooling == Pooling::Sum {
        let [f16, _, int8] = Variant::stored();
        variants.extend([f16, int8, Variant::huge_pages(), Variant::two_threads()]);
    }
    variants
}

fn naive(group: &mut BenchmarkGroup<'_, WallTime>, tables: &Tables, calls: Calls<'_>) {
    let u = tables.factors().u();
    let stream = indices(calls.stream);
    let mut per_call = stream.chunks_exact(calls.len * calls.count).cycle();
    if calls.pooling == Pooling::Max {
        let mut out = Array2::zeros((calls.count, tables.shape().dim));
        group.bench_function("gather+dot+max", |bencher| {
            bencher.iter(|| {
                let ids = per_call.next().expect("a stream of at least one call");
                for (bag, mut out) in ids.chunks_exact(calls.len).zip(out.rows_mut()) {
                    let rows = u.select(Axis(0), bag).dot(tables.projection());
                    out.assign(&rows.fold_axis(Axis(0), f32::NEG_INFINITY, |&most, &number| most.max(number)));
                }
            });
        });
        return;
    }
    let mut sums = Array2::zeros((calls.count, tables.shape().rank));
    group.bench_function("gather+sum+dot", |bencher| {
        bencher.iter(|| {
            let ids = per_call.next().expect("a stream of at least one call");
            for (bag, mut sum) in ids.chunks_exact(calls.len).zip(sums.rows_mut()) {
                sum.assign(&u.select(Axis(0), bag).sum_axis(Axis(0)));
            }
            sums.dot(tables.projection())
        });
    });
}
