//! What the passes took, as a table.
#![allow(clippy::print_stdout, reason = "the table is what the bench is for")]

use std::time::Instant;

use super::{memory, table::LargeTable};

/// What a pass over a file gave and took.
pub(crate) struct Pass<T> {
    pub(crate) result: T,
    /// How often the rows were read or written.
    reads: usize,
    seconds: f64,
    /// Largest anonymous memory in bytes, where the system tells.
    pub(crate) peak: Option<u64>,
}

/// Works on all rows, so many times.
pub(crate) fn pass<T>(reads: usize, work: impl FnOnce() -> T) -> Pass<T> {
    let start = Instant::now();
    let (result, peak) = memory::watch(work);
    Pass { result, reads, seconds: start.elapsed().as_secs_f64(), peak }
}

pub(crate) struct Report {
    rank: usize,
}

impl Report {
    pub(crate) fn begin(rank: usize) -> Self {
        let threads = rayon::current_num_threads();
        println!("Rank {rank}, {threads} threads. Peak: the largest anonymous memory (RssAnon) of the process.");
        if !cfg!(target_os = "linux") {
            println!("Only Linux tells what anonymous memory a process takes: no peaks here.");
        }
        println!();
        println!(
            "| method | rows | file, GB | pass | seconds | rows/s | GB/s | peak, MB | relative error | expected |"
        );
        println!("| --- | ---: | ---: | --- | ---: | ---: | ---: | ---: | ---: | ---: |");
        Self { rank }
    }

    pub(crate) fn line<T>(&self, method: &str, table: &LargeTable, what: &str, pass: &Pass<T>, error: Option<f64>) {
        let Pass { reads, seconds, peak, .. } = pass;
        let gigabytes = table.bytes() as f64 / 1e9;
        let reads = *reads as f64;
        let peak = peak.map_or_else(String::new, |peak| format!("{:.0}", peak as f64 / 1e6));
        let errors = error
            .map_or_else(|| " | ".to_owned(), |error| format!("{error:.5} | {:.5}", table.expected_error(self.rank)));
        println!(
            "| {method} | {} | {gigabytes:.2} | {what} | {seconds:.2} | {} | {:.2} | {peak} | {errors} |",
            thousands(table.rows),
            thousands((reads * table.rows as f64 / seconds) as usize),
            reads * gigabytes / seconds,
        );
    }
}

fn thousands(number: usize) -> String {
    let digits = number.to_string();
    let groups: Vec<_> = digits.as_bytes().rchunks(3).rev().map(String::from_utf8_lossy).collect();
    groups.join(",")
}
