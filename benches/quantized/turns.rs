//! Contenders that take turns: ratios that a machine whose clock drifts does not change.

use std::time::{Duration, Instant};

const TURNS: usize = 21;
/// The shortest turn that is worth timing.
const TURN: Duration = Duration::from_millis(2);

/// The seconds of a call of each contender in its best turn: what else the machine does only makes turns longer.
pub(crate) fn best<const N: usize>(mut contenders: [&mut dyn FnMut(); N]) -> [f64; N] {
    let calls = contenders.each_mut().map(|contender| calls_a_turn(*contender));
    let mut best = [f64::INFINITY; N];
    for _ in 0..TURNS {
        for ((contender, &calls), best) in contenders.iter_mut().zip(&calls).zip(&mut best) {
            *best = best.min(time(*contender, calls).as_secs_f64() / calls as f64);
        }
    }
    best
}

fn calls_a_turn(contender: &mut dyn FnMut()) -> usize {
    let mut calls = 1;
    while time(contender, calls) < TURN {
        calls *= 2;
    }
    calls
}

fn time(contender: &mut dyn FnMut(), calls: usize) -> Duration {
    let start = Instant::now();
    (0..calls).for_each(|_| contender());
    start.elapsed()
}
