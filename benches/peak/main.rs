//! What the machine can do at best: the measure of the other benches.
//!
//! - `peak/fma/<isa>`: independent chains of multiply-add in registers; throughput is in floating-point operations, two of
//!   them in a multiply-add.
//! - `peak/read/<what>`: a buffer of the size of a cache level, and of a packed W = D·V of each shape, read from front to
//!   back; throughput is in bytes.
//! - `peak/rows/w<width>`: rows of `width` numbers, at random places of a table of 250,000, read and nothing else.

mod fma;
mod read;
#[allow(dead_code, reason = "each bench uses a part of it")]
#[path = "../support/mod.rs"]
mod support;

use std::hint::black_box;

use criterion::{BenchmarkGroup, Criterion, Throughput, measurement::WallTime};

use support::ids::Ids;

/// Reads of a cache level's size, in bytes.
const LEVELS: [(&str, usize); 4] = [("l1", 1 << 14), ("l2", 1 << 18), ("l3", 1 << 23), ("dram", 1 << 29)];
/// rank and dim.
const PROJECTIONS: [(usize, usize); 4] = [(64, 384), (128, 768), (128, 1024), (256, 1024)];
const WIDTHS: [usize; 6] = [64, 128, 256, 384, 768, 1024];
const ROWS: usize = 250_000;
/// Rows that are read in an iteration.
const ROWS_READ: usize = 4096;

fn main() {
    support::run(|criterion| {
        multiply(&mut criterion.benchmark_group("peak/fma"));
        read(criterion);
    });
}

fn multiply(group: &mut BenchmarkGroup<'_, WallTime>) {
    for kernel in fma::kernels() {
        group.throughput(Throughput::Elements(kernel.flops));
        group.bench_function(kernel.isa, |bencher| bencher.iter(|| (kernel.run)(black_box(1.0), black_box(1e-9))));
    }
}

fn read(criterion: &mut Criterion) {
    // Numbers that differ, so that no two pages are one. Made only if a bench asks.
    let buffer = std::cell::OnceCell::new();
    let buffer = || buffer.get_or_init(|| (0..(ROWS * 1024) as u32).collect::<Vec<u32>>()).as_slice();
    let mut group = criterion.benchmark_group("peak/read");
    let projections = PROJECTIONS.map(|(rank, dim)| (format!("w_r{rank}_d{dim}"), 4 * rank * dim));
    for (name, bytes) in LEVELS.map(|(name, bytes)| (name.to_owned(), bytes)).into_iter().chain(projections) {
        group.throughput(Throughput::Bytes(bytes as u64));
        group.bench_function(name, |bencher| {
            let numbers = &buffer()[..bytes / 4];
            bencher.iter(|| read::sum(black_box(numbers)));
        });
    }
    group.finish();
    let mut group = criterion.benchmark_group("peak/rows");
    let stream = Ids::Uniform.draw(ROWS);
    for width in WIDTHS {
        group.throughput(Throughput::Bytes((4 * ROWS_READ * width) as u64));
        let mut batches = stream.chunks_exact(ROWS_READ).cycle();
        group.bench_function(format!("w{width}"), |bencher| {
            let table = &buffer()[..ROWS * width];
            bencher.iter(|| batches.next().map(|ids| read::sum_rows(black_box(table), width, ids)));
        });
    }
}
