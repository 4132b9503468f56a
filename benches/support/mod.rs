//! What the benches share: seeded tables and ids, the layers that are compared, and the comparison of answers.

pub(crate) mod agreement;
pub(crate) mod bags;
pub(crate) mod ids;
pub(crate) mod lookups;
pub(crate) mod tables;
pub(crate) mod turns;
pub(crate) mod variants;

use std::time::Duration;

use criterion::Criterion;
use rayon::{ThreadPool, ThreadPoolBuilder};

/// Runs benches in a pool of one thread: what shall use more takes a [`pool`] of its own.
///
/// Few samples and short ones: there are hundreds of benches, and what is quoted is ratios of medians.
pub(crate) fn run(benches: impl FnOnce(&mut Criterion) + Send) {
    pool(1).install(|| {
        // Plots: `plotters`, as the examples compile it, finds no font for criterion's and panics.
        let mut criterion = Criterion::default()
            .without_plots()
            .sample_size(12)
            .nresamples(5_000)
            .warm_up_time(Duration::from_millis(150))
            .measurement_time(Duration::from_millis(500))
            .configure_from_args();
        benches(&mut criterion);
        criterion.final_summary();
    });
}

/// A pool of so many threads.
pub(crate) fn pool(threads: usize) -> ThreadPool {
    ThreadPoolBuilder::new().num_threads(threads).build().expect("threads")
}
