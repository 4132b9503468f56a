//! Contenders that take turns.

use std::{
    ops::Range,
    time::{Duration, Instant},
};

use ndarray::Array2;
use serde_json::{Value, json};

/// Somebody's way to compute something for batch after batch.
pub(crate) trait Contender {
    /// Computes a range of calls of the workload, one after the other.
    fn run(&mut self, calls: Range<usize>);

    /// What the last call gave.
    fn answer(&self) -> Array2<f32>;
}

/// A contender of each name.
pub(crate) type Contenders<'a> = Vec<(&'static str, Box<dyn Contender + 'a>)>;

/// The fewest turns that a median is taken of.
const FEWEST: usize = 5;
const MOST: usize = 60;
/// The shortest turn that is worth timing.
const TURN: Duration = Duration::from_millis(2);

/// Runs workloads and keeps their medians.
pub(crate) struct Rounds {
    pub(crate) threads: usize,
    seconds: f64,
    filter: String,
    test: bool,
    results: Vec<Value>,
}

impl Rounds {
    pub(crate) fn new(threads: usize, seconds: f64, filter: String, test: bool) -> Self {
        Self { threads, seconds, filter, test, results: Vec::new() }
    }

    pub(crate) fn wants(&self, workload: &str) -> bool {
        workload.contains(&self.filter)
    }

    pub(crate) fn into_results(self) -> Vec<Value> {
        self.results
    }

    /// Checks every contender's answer to call 0, then lets them take turns.
    pub(crate) fn run(&mut self, workload: &str, mut contenders: Contenders<'_>, check: impl Fn(&Array2<f32>)) {
        eprintln!("{workload}, {} thread(s)", self.threads);
        for (_, contender) in &mut contenders {
            contender.run(0..1);
            check(&contender.answer());
        }
        if self.test {
            return;
        }
        let seconds = self.seconds;
        let plans: Vec<Plan> = contenders.iter_mut().map(|(_, contender)| Plan::new(contender.as_mut())).collect();
        let slowest = plans.iter().map(|plan| plan.turn).max().unwrap_or_default().as_secs_f64();
        let rounds = ((seconds / slowest.max(1e-6)) as usize).clamp(FEWEST, MOST);
        let mut times = vec![Vec::new(); contenders.len()];
        // Every turn begins with ids that nobody has had just before, for whom their rows are in the cache.
        let mut next_call = 0;
        for round in 0..rounds {
            for turn in 0..contenders.len() {
                let who = (round + turn) % contenders.len();
                let calls = plans[who].calls;
                let start = Instant::now();
                contenders[who].1.run(next_call..next_call + calls);
                times[who].push(start.elapsed().as_secs_f64() / calls as f64);
                next_call += calls;
            }
        }
        for ((name, _), times) in contenders.iter().zip(&mut times) {
            times.sort_by(f64::total_cmp);
            self.results.push(json!({
                "workload": workload,
                "threads": self.threads,
                "contender": name,
                "median_us": times[times.len() / 2] * 1e6,
                "best_us": times[0] * 1e6,
                "rounds": rounds,
            }));
        }
    }
}

/// How many calls make a turn, and how long it takes.
struct Plan {
    calls: usize,
    turn: Duration,
}

impl Plan {
    fn new(contender: &mut dyn Contender) -> Self {
        let mut calls = 1;
        loop {
            let start = Instant::now();
            contender.run(1..1 + calls);
            let turn = start.elapsed();
            if turn >= TURN {
                return Self { calls, turn };
            }
            calls *= 2;
        }
    }
}
