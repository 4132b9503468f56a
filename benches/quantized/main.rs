//! Tables in codes, beside the same numbers in factors of `f32`, and dense.
//!
//! Groups: `quantized_lookup`, `quantized_bag`, `quantized_top_k`, `quantized_logits` and `quantized_load`. A workload, such as
//! `quantized_lookup/vocab30522_d384/trellis16/n512` (trellis codes, a 16th of the bytes), has the entries
//!
//! - `dense`: the same operation of [`DenseEmbedding`](factorized_embedding::DenseEmbedding);
//! - `factorized`: of [`FactorizedEmbedding`](factorized_embedding::FactorizedEmbedding), of the same rank and of the same numbers;
//! - `quantized/<isa>`: of [`QuantizedEmbedding`](factorized_embedding::QuantizedEmbedding) on each instruction set.
//!
//! Then the first instruction set, `factorized` and `dense` take turns, and the ratios of their best times are printed.
//!
//! Ids are uniform, and every row is computed. Each entry checks its answer before it is timed. Loading has the entries `read`,
//! the bytes of the file into memory, `load_quantized`, and `layer`, which unpacks the directions too.
//!
//! In test mode (`cargo bench -- --test`) the table is a small one.

#![allow(clippy::print_stdout, reason = "criterion prints no ratios")]

mod coding;
#[allow(dead_code, reason = "each bench uses a part of it")]
#[path = "../support/mod.rs"]
mod support;

use std::{cell::OnceCell, fs, hint::black_box};

use criterion::{BenchmarkGroup, Criterion, Throughput, measurement::WallTime};
use factorized_embedding::{
    Embedding, Pooling, QuantizedEmbedding, TokenId,
    io::safetensors::{load_quantized, save_quantized},
    quantize::Level,
};
use ndarray::{Array2, Axis};
use rand::{SeedableRng, rngs::ChaCha8Rng};
use rand_distr::{Distribution, StandardNormal};

use coding::{Coding, Table};
use support::{
    agreement::Expected,
    bags::{Calls, Pooled},
    ids::Ids,
    lookups::Lookups,
    turns,
};

/// That of MiniLM.
const SHAPE: [usize; 2] = [30_522, 384];
const SMALL: [usize; 2] = [2_000, 48];
const CODINGS: [(Level, u8); 4] = [(Level::Scalar, 8), (Level::Scalar, 16), (Level::Trellis, 8), (Level::Trellis, 16)];
const BATCHES: [usize; 4] = [1, 64, 512, 4096];
/// Ids a bag, bags a call.
const BAGS: [(usize, usize); 2] = [(20, 512), (256, 64)];
const STATES: usize = 16;
const K: usize = 10;
/// Rows of the table whose logits are checked, spread over it.
const CHECKED: usize = 500;

fn main() {
    support::run(|criterion| {
        let table = Table::new(if is_test() { SMALL } else { SHAPE });
        let ids = Ids::Uniform.draw(table.vocab_size);
        for (level, ratio) in CODINGS {
            let coding = Coding::new(&table, level, ratio);
            for n in BATCHES {
                lookups(&mut group(criterion, "lookup", &coding, &format!("n{n}"), n), &coding, &ids, n);
            }
            for (len, count) in BAGS {
                let calls = Calls { stream: &ids, len, count, pooling: Pooling::Sum };
                bags(&mut group(criterion, "bag", &coding, &format!("L{len}"), len * count), &coding, calls);
            }
            top_k(&mut group(criterion, "top_k", &coding, "n1", 1), &coding);
            logits(&mut group(criterion, "logits", &coding, &format!("n{STATES}"), STATES), &coding);
            load(&mut group(criterion, "load", &coding, "file", 1), &coding);
        }
    });
}

fn is_test() -> bool {
    std::env::args().any(|argument| argument == "--test")
}

fn group<'a>(
    criterion: &'a mut Criterion,
    name: &str,
    coding: &Coding<'_>,
    workload: &str,
    elements: usize,
) -> BenchmarkGroup<'a, WallTime> {
    let mut group =
        criterion.benchmark_group(format!("quantized_{name}/{}/{}/{workload}", coding.table.name(), coding.name()));
    group.throughput(Throughput::Elements(elements as u64));
    group
}

/// The entries of a workload: `prepare` makes what an entry runs again and again, after it has checked an answer of it.
fn entries<'a, R: FnMut()>(
    group: &mut BenchmarkGroup<'_, WallTime>,
    coding: &'a Coding<'_>,
    prepare: impl Fn(&'a dyn Embedding) -> R,
) {
    let isas = coding.isas();
    let mut runs: Vec<Option<R>> = (0..2 + isas.len()).map(|_| None).collect();
    let mut entry = |index: usize, name: &str, layer: &dyn Fn() -> &'a dyn Embedding| {
        let run: &mut Option<R> = &mut runs[index];
        // Criterion calls the closure for every sample.
        group.bench_function(name, |bencher| bencher.iter(run.get_or_insert_with(|| prepare(layer()))));
    };
    entry(0, "dense", &|| coding.dense());
    entry(1, "factorized", &|| coding.factorized());
    for (index, (isa, layer)) in isas.iter().enumerate() {
        let make = || coding.quantized().clone().with_isa(*isa);
        entry(2 + index, &format!("quantized/{isa}"), &|| layer.get_or_init(make));
    }
    // Where no filter has left one of them out.
    if let ([Some(dense), Some(factorized), Some(quantized), ..], false) = (runs.as_mut_slice(), is_test()) {
        let seconds = turns::take([dense, factorized, quantized]);
        let [dense, factorized, quantized] = seconds.map(|seconds| seconds.best);
        println!(
            "in turns: {:.1} µs, {:.2} × factorized, {:.2} × dense\n",
            1e6 * quantized,
            quantized / factorized,
            quantized / dense
        );
    }
}

fn lookups(group: &mut BenchmarkGroup<'_, WallTime>, coding: &Coding<'_>, ids: &[TokenId], n: usize) {
    entries(group, coding, |layer| {
        let mut lookups = Lookups::checked(layer, coding.factors(), ids, n);
        move || {
            lookups.next_batch();
        }
    });
}

fn bags(group: &mut BenchmarkGroup<'_, WallTime>, coding: &Coding<'_>, calls: Calls<'_>) {
    entries(group, coding, |layer| {
        let mut pooled = Pooled::checked(layer, coding.factors(), calls);
        move || {
            pooled.next_call();
        }
    });
}

fn top_k(group: &mut BenchmarkGroup<'_, WallTime>, coding: &Coding<'_>) {
    let hidden = normal((1, coding.table.dim));
    let ids: Vec<TokenId> = (0..coding.table.vocab_size as TokenId).collect();
    let hidden = hidden.view();
    entries(group, coding, |layer| {
        let best = layer.top_k(hidden, K).expect("shapes that fit");
        Expected::logits(coding.factors(), hidden, &ids).assert_best(&best);
        move || {
            black_box(layer.top_k(hidden, K)).expect("shapes that fit");
        }
    });
}

fn logits(group: &mut BenchmarkGroup<'_, WallTime>, coding: &Coding<'_>) {
    let hidden = normal((STATES, coding.table.dim));
    let hidden = hidden.view();
    let vocab_size = coding.table.vocab_size;
    let checked: Vec<usize> = (0..CHECKED).map(|i| i * (vocab_size - 1) / (CHECKED - 1)).collect();
    let ids: Vec<TokenId> = checked.iter().map(|&id| id as TokenId).collect();
    entries(group, coding, |layer| {
        let mut out = Array2::from_elem((STATES, vocab_size), f32::NAN);
        let make = |out: &mut Array2<f32>| layer.logits_into(hidden, out.view_mut()).expect("shapes that fit");
        make(&mut out);
        assert!(out.iter().all(|number| number.is_finite()), "logits that were not written");
        Expected::logits(coding.factors(), hidden, &ids).assert_agrees(out.select(Axis(1), &checked).view());
        move || make(&mut out)
    });
}

fn load(group: &mut BenchmarkGroup<'_, WallTime>, coding: &Coding<'_>) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("factors.safetensors");
    let saved = OnceCell::new();
    let save = || {
        saved.get_or_init(|| {
            let factors = coding.quantized().factors();
            save_quantized(&path, factors).expect("a writable folder");
            assert_eq!(load_quantized(&path).expect("the file that was just saved"), *factors);
        });
    };
    group.bench_function("read", |bencher| {
        save();
        bencher.iter(|| fs::read(&path));
    });
    group.bench_function("load_quantized", |bencher| {
        save();
        bencher.iter(|| load_quantized(&path));
    });
    group.bench_function("layer", |bencher| {
        save();
        bencher.iter(|| load_quantized(&path).map(QuantizedEmbedding::new));
    });
}

fn normal(shape: (usize, usize)) -> Array2<f32> {
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    Array2::from_shape_simple_fn(shape, || StandardNormal.sample(&mut rng))
}
