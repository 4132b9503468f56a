//! Contenders that take turns: ratios that a machine whose clock drifts does not change.

use std::time::{Duration, Instant};

const TURNS: usize = 21;
/// The shortest turn that is worth timing.
const TURN: Duration = Duration::from_millis(2);

/// The seconds that a call of a contender took.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seconds {
    /// In its best turn: what else the machine does only makes turns longer.
    pub(crate) best: f64,
    /// In the middle one of its turns.
    pub(crate) median: f64,
}

/// Runs each contender in turn, again and again.
pub(crate) fn take<const N: usize>(mut contenders: [&mut dyn FnMut(); N]) -> [Seconds; N] {
    let calls = contenders.each_mut().map(|contender| calls_a_turn(*contender));
    let mut seconds = [const { Vec::new() }; N];
    for _ in 0..TURNS {
        for ((contender, &calls), seconds) in contenders.iter_mut().zip(&calls).zip(&mut seconds) {
            seconds.push(time(*contender, calls).as_secs_f64() / calls as f64);
        }
    }
    seconds.map(|mut seconds| {
        seconds.sort_by(f64::total_cmp);
        Seconds { best: seconds[0], median: seconds[TURNS / 2] }
    })
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
