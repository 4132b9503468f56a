//! Lookups, bags and logits of factorized-embedding beside what one writes with other libraries.
//!
//! Contenders take turns, round by round, in one process, so that a machine that slows down slows all of them down; what is
//! printed are medians over rounds. Each number of threads is a process of its own, because most libraries read it from the
//! environment once. Every answer is checked before it is timed. Where a library can write into an array of the caller's,
//! it does; `ndarray`, `candle` and `burn` return new ones.

#[allow(dead_code, reason = "the benches of the crate use the rest of it")]
#[path = "../../support/agreement.rs"]
mod agreement;
mod bag;
mod frameworks;
mod ids;
mod logits;
mod lookup;
mod products;
mod report;
mod rounds;

use std::{env, error::Error, fs, path::PathBuf, process::Command};

use clap::Parser;
use factorized_embedding::{FactorizedEmbedding, Shape};
use rand::{SeedableRng, rngs::ChaCha8Rng};
use serde_json::Value;

use rounds::Rounds;

/// Compares factorized-embedding with other libraries.
#[derive(Parser)]
struct Arguments {
    /// Numbers of threads, each in a process of its own.
    #[arg(long, default_values_t = [1, 2], value_delimiter = ',')]
    threads: Vec<usize>,
    /// Seconds for each contender of a workload.
    #[arg(long, default_value_t = 0.15)]
    seconds: f64,
    /// Only workloads whose name contains this, such as `lookup/` or `r128_d768/n64`.
    #[arg(long, default_value = "")]
    filter: String,
    /// Runs each contender once and times nothing.
    #[arg(long)]
    test: bool,
    /// Where to write the medians, as JSON.
    #[arg(long)]
    json: Option<PathBuf>,
}

/// Says to a process which number of threads it is there for.
const CHILD: &str = "PEERS_THREADS";

fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::parse();
    if let Ok(threads) = env::var(CHILD) {
        let mut rounds = Rounds::new(threads.parse()?, arguments.seconds, arguments.filter, arguments.test);
        lookup::run(&mut rounds);
        bag::run(&mut rounds);
        logits::run(&mut rounds);
        println!("{}", Value::Array(rounds.into_results()));
        return Ok(());
    }
    let mut results = Vec::new();
    for threads in &arguments.threads {
        let threads = threads.to_string();
        let output = Command::new(env::current_exe()?)
            .args(env::args_os().skip(1))
            .envs(["RAYON_NUM_THREADS", "MATMUL_NUM_THREADS", CHILD].map(|name| (name, &threads)))
            .stderr(std::process::Stdio::inherit())
            .output()?;
        if !output.status.success() {
            return Err(format!("the process of {threads} threads failed: {}", output.status).into());
        }
        let child: Vec<Value> = serde_json::from_slice(&output.stdout)?;
        results.extend(child);
    }
    if let Some(path) = &arguments.json {
        fs::write(path, serde_json::to_string_pretty(&results)?)?;
    }
    print!("{}", report::markdown(&results));
    Ok(())
}

/// `vocab30522_r128_d768`, as in the benches of the crate.
fn name(Shape { vocab_size, rank, dim }: Shape) -> String {
    format!("vocab{vocab_size}_r{rank}_d{dim}")
}

fn random(shape: Shape) -> FactorizedEmbedding {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    FactorizedEmbedding::random(shape, 0.02, &mut rng).expect("a valid shape")
}
