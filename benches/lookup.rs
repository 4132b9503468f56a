//! Lookups of n ids: a dense table, gather + `dot`, and this crate.
//!
//! A group is a workload, such as `lookup/vocab30522_r128_d768/uniform/n64`; its entries are
//!
//! - `dense`: rows of the whole table copied by [`DenseEmbedding`](factorized_embedding::DenseEmbedding) into an array of
//!   the caller's;
//! - `gather+dot`: rows of U gathered by `select` and multiplied by diag(D)·V with `dot`, which return new arrays;
//! - `factorized/<isa>`: [`FactorizedEmbedding`](factorized_embedding::FactorizedEmbedding) into an array of the caller's,
//!   with each instruction set that this machine has, the one that a layer takes by itself first.
//!
//! Every iteration looks up the next ids of a long stream, so that rows are in the cache only as far as the table and the
//! distribution of the ids let them be. Throughput is in looked-up tokens. Each entry checks its answer before it is timed.

mod support;

use std::time::Duration;

use criterion::{BenchmarkGroup, Criterion, Throughput, measurement::WallTime};
use factorized_embedding::{Embedding, Isa, Shape, TokenId};
use ndarray::Array2;

use support::{agreement::assert_same_rows, ids::Ids, tables::Tables};

const SHAPES: [Shape; 3] = [
    Shape { vocab_size: 30_522, rank: 64, dim: 384 },
    Shape { vocab_size: 30_522, rank: 128, dim: 768 },
    // 128 MB of factors, 1 GB dense: beyond any last-level cache.
    Shape { vocab_size: 250_000, rank: 128, dim: 1024 },
];
const BATCHES: [usize; 5] = [1, 16, 64, 512, 4096];
/// Ids that a bench goes through before it begins again.
const STREAM: usize = 1 << 18;

fn main() {
    // Plots: `plotters`, as the examples compile it, finds no font for criterion's and panics.
    let mut criterion = Criterion::default()
        .without_plots()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1))
        .configure_from_args();
    for shape in SHAPES {
        let tables = Tables::new(shape);
        for ids in [Ids::Uniform, Ids::Zipf] {
            let stream = ids.draw(shape.vocab_size, STREAM);
            for n in BATCHES {
                let Shape { vocab_size, rank, dim } = shape;
                let name = format!("lookup/vocab{vocab_size}_r{rank}_d{dim}/{ids}/n{n}");
                workload(&mut criterion.benchmark_group(name), &tables, &stream, n);
            }
        }
    }
    criterion.final_summary();
}

fn workload(group: &mut BenchmarkGroup<'_, WallTime>, tables: &Tables, stream: &[TokenId], n: usize) {
    group.throughput(Throughput::Elements(n as u64));
    group.bench_function("dense", |bencher| {
        let mut lookup = Lookup::new(tables.dense(), stream, n);
        lookup.check(tables);
        bencher.iter(|| lookup.next_batch());
    });
    group.bench_function("gather+dot", |bencher| {
        let stream: Vec<usize> = stream.iter().map(|&id| id as usize).collect();
        let mut batches = stream.chunks_exact(n).cycle();
        bencher.iter(|| batches.next().map(|ids| tables.gather_dot(ids)));
    });
    for isa in Isa::supported() {
        group.bench_function(format!("factorized/{isa}"), |bencher| {
            let layer = tables.factorized().clone().with_isa(isa);
            let mut lookup = Lookup::new(&layer, stream, n);
            lookup.check(tables);
            bencher.iter(|| lookup.next_batch());
        });
    }
}

/// Batch after batch of a stream of ids, looked up into the same array.
struct Lookup<'a> {
    embedding: &'a dyn Embedding,
    batches: std::iter::Cycle<std::slice::ChunksExact<'a, TokenId>>,
    out: Array2<f32>,
}

impl<'a> Lookup<'a> {
    fn new(embedding: &'a dyn Embedding, stream: &'a [TokenId], n: usize) -> Self {
        let out = Array2::from_elem((n, embedding.dim()), f32::NAN);
        Self { embedding, batches: stream.chunks_exact(n).cycle(), out }
    }

    /// Looks up the next ids; returns them.
    fn next_batch(&mut self) -> &'a [TokenId] {
        let ids = self.batches.next().expect("a stream of at least one batch");
        self.embedding.lookup_into(ids, self.out.view_mut()).expect("ids of the vocabulary");
        ids
    }

    /// Asserts that the next batch is what gather + `dot` gives.
    fn check(&mut self, tables: &Tables) {
        let ids: Vec<usize> = self.next_batch().iter().map(|&id| id as usize).collect();
        assert_same_rows(self.out.view(), tables.gather_dot(&ids).view(), tables.factors(), &ids);
    }
}
