//! Lookups of n ids: a dense table, gather + `dot`, and this crate.
//!
//! Groups: `lookup` (uniform ids), `lookup_zipf` and `lookup_text` (ids that repeat as those of texts do). A workload, such
//! as `lookup/vocab30522_r128_d768/n64`, has the entries
//!
//! - `dense`: rows of the whole table copied by [`DenseEmbedding`](factorized_embedding::DenseEmbedding) into an array of
//!   the caller's;
//! - `gather+dot`: rows of U gathered by `select` and multiplied by diag(D)·V with `dot`, which return new arrays;
//! - `factorized/<variant>`: [`FactorizedEmbedding`](factorized_embedding::FactorizedEmbedding) into an array of the
//!   caller's, in the ways of [`Variant`].
//!
//! Every iteration looks up the next ids of a long stream, so that rows are in the cache only as far as the table and the
//! distribution of the ids let them be. Throughput is in looked-up tokens. Each entry checks its answer before it is timed:
//! once, since criterion calls a bench's closure for every sample, and what it needs is made outside.

#[allow(dead_code, reason = "each bench uses a part of it")]
mod support;

use std::cell::OnceCell;

use criterion::{BenchmarkGroup, Criterion, Throughput, measurement::WallTime};
use factorized_embedding::{Shape, TokenId};

use support::{
    ids::Ids,
    lookups::Lookups,
    tables::{Tables, indices},
    variants::Variant,
};

const SHAPES: [Shape; 4] = [
    Shape { vocab_size: 30_522, rank: 64, dim: 384 },
    Shape { vocab_size: 30_522, rank: 128, dim: 768 },
    // 128 MB of factors, 1 GB dense: beyond any last-level cache.
    Shape { vocab_size: 250_000, rank: 128, dim: 1024 },
    Shape { vocab_size: 250_000, rank: 256, dim: 1024 },
];
/// The vocabulary of the text.
const TEXT: Shape = Shape { vocab_size: 10_000, rank: 128, dim: 768 };
const BATCHES: [usize; 8] = [1, 2, 6, 16, 64, 512, 4096, 16_384];
/// Batches in which many ids occur more than once.
const LARGE_BATCHES: [usize; 3] = [512, 4096, 16_384];

fn main() {
    support::run(|criterion| {
        for shape in SHAPES {
            let tables = Tables::new(shape);
            group(criterion, &tables, Ids::Uniform, &BATCHES);
            group(criterion, &tables, Ids::Zipf, &LARGE_BATCHES);
        }
        group(criterion, &Tables::new(TEXT), Ids::Text, &LARGE_BATCHES);
    });
}

fn group(criterion: &mut Criterion, tables: &Tables, ids: Ids, batches: &[usize]) {
    let stream = ids.draw(tables.shape().vocab_size);
    for &n in batches {
        let mut group = criterion.benchmark_group(format!("{ids}/{}/n{n}", tables.name()));
        group.throughput(Throughput::Elements(n as u64));
        workload(&mut group, tables, &stream, n);
        for variant in variants(ids) {
            lookups(&mut group, tables, &variant, &stream, n);
        }
    }
}

fn variants(ids: Ids) -> Vec<Variant> {
    let mut variants: Vec<Variant> = Variant::isas().collect();
    variants.push(Variant::dedup());
    if ids.repeat() {
        variants.push(Variant::auto());
    }
    variants.extend([Variant::hot(), Variant::huge_pages()]);
    variants.extend(Variant::stored());
    variants.push(Variant::two_threads());
    variants
}

fn workload(group: &mut BenchmarkGroup<'_, WallTime>, tables: &Tables, stream: &[TokenId], n: usize) {
    let mut dense = None;
    group.bench_function("dense", |bencher| {
        let lookups = dense.get_or_insert_with(|| Lookups::checked(tables.dense(), tables.factors(), stream, n));
        bencher.iter(|| lookups.next_batch());
    });
    let stream = indices(stream);
    let mut batches = stream.chunks_exact(n).cycle();
    group.bench_function("gather+dot", |bencher| {
        bencher.iter(|| batches.next().map(|ids| tables.gather_dot(ids)));
    });
}

fn lookups(group: &mut BenchmarkGroup<'_, WallTime>, tables: &Tables, variant: &Variant, stream: &[TokenId], n: usize) {
    let pool = support::pool(variant.threads());
    let layer = OnceCell::new();
    let mut lookups = None;
    group.bench_function(variant.name(), |bencher| {
        let layer = layer.get_or_init(|| tables.variant(variant)).as_ref();
        let make = || pool.install(|| Lookups::checked(layer, layer.factors(), stream, n));
        let lookups = lookups.get_or_insert_with(make);
        pool.install(|| bencher.iter(|| lookups.next_batch()));
    });
}
