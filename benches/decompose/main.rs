//! Decompositions of tables of two sizes, at rank 96, on one thread and on all.
//!
//! A workload, such as `decompose/vocab30522_d384_r96/threads2`, has an entry for each method: see `methods.rs`. Times are those
//! of the whole decomposition, U and the errors included. Throughput is in rows.
//!
//! `cargo bench --bench decompose -- --serve FILE TENSOR` waits for lines `METHOD RANK` instead, decomposes the table of a file
//! so, and answers with seconds and relative error: `benches/python/decompose.py` asks it in turns with NumPy, SciPy and
//! scikit-learn.

#[allow(dead_code, reason = "each bench uses a part of it")]
#[path = "../support/mod.rs"]
mod support;

mod methods;
mod serve;

use std::time::Duration;

use criterion::{Criterion, Throughput};
use ndarray::{Array2, ArrayView2};
use rand::{SeedableRng, rngs::ChaCha8Rng};
use rand_distr::{Distribution, StandardNormal};

use methods::Method;

const RANK: usize = 96;
const DIM: usize = 384;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if let Some(place) = arguments.iter().position(|argument| argument == "--serve") {
        return serve::serve(&arguments[place + 1..]);
    }
    support::run(|criterion| {
        let all = std::thread::available_parallelism().map_or(1, usize::from);
        for vocab_size in [30_522, 250_000] {
            let table = table(vocab_size);
            for threads in if all > 1 { vec![1, all] } else { vec![1] } {
                workload(criterion, table.view(), threads);
            }
        }
    });
}

fn workload(criterion: &mut Criterion, table: ArrayView2<'_, f32>, threads: usize) {
    let (vocab_size, dim) = table.dim();
    let mut group = criterion.benchmark_group(format!("decompose/vocab{vocab_size}_d{dim}_r{RANK}/threads{threads}"));
    group.throughput(Throughput::Elements(vocab_size as u64)).sample_size(10).measurement_time(Duration::from_secs(2));
    let pool = support::pool(threads);
    let optimum = pool.install(|| Method::Gram.make(RANK).decompose(table)).expect("a finite table").relative_error;
    for method in Method::ALL {
        let decompose = method.make(RANK);
        let run = || pool.install(|| decompose.decompose(table).expect("a finite table"));
        let error = run().relative_error;
        assert!(error < 1.01 * optimum, "{}: error {error}, the optimum is {optimum}", method.name());
        group.bench_function(method.name(), |bencher| bencher.iter(run));
    }
    group.finish();
}

/// Random rows whose energy falls off over mixed directions, about as fast as that of a token table.
fn table(vocab_size: usize) -> Array2<f32> {
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    let mut normal = |shape| -> Array2<f32> { Array2::from_shape_simple_fn(shape, || StandardNormal.sample(&mut rng)) };
    let mixed = normal((DIM, DIM)) / (DIM as f32).sqrt();
    let decay = Array2::from_shape_fn((DIM, 1), |(i, _)| 1.0 / (1.0 + i as f32 / 30.0));
    normal((vocab_size, DIM)).dot(&(mixed * decay))
}
