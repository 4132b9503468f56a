//! The walk through the trellis that is closest to the coordinates of a row.
//!
//! Viterbi's algorithm (Forney 1973) on windows of [`WINDOW_BITS`] bits: step by step, what the cheapest walk to each
//! window costs.
//!
//! ```text
//! for each step, of width k:
//!     for each m of WINDOW_BITS − k bits, those that stay in the window:
//!         least[m] = minimum over h of costs[m · 2ᵏ + h];   choices[step][m] = the h of it
//!     for each new of k bits, and each m:
//!         costs[new · 2^(WINDOW_BITS − k) + m] = least[m] + weight · (target − value of this window)²
//! ```
//!
//! The walk is a circle (tail-biting): the bits that stay at its first step are its last ones. The best of all circles would
//! take a pass for each value of these bits, up to 512 of them. We try the few that promise most:
//!
//! 1. The cheapest walks over the last steps of the row that end with these bits, and those over the first steps that begin
//!    with them, their other ends free: the sum of both costs ranks the values.
//! 2. A pass over the row from these bits to these bits, for the first [`PASSES_TIMES_BITS`] / bits of the values.
//!
//! With the two passes of Tseng, Sun, Hou, De Sa (2024, algorithm 4), rows of 32 bits have 14 to 60 % more error than the best
//! circles, those of 50 bits 5 to 11 %, those of 100 bits 1 to 5 %; with these passes none has 1 % more.
//!
//! Measured and not taken: circles of one bit a step, with the other bits of a step as a plain code beside them. In tables of
//! the same size they err 2, 3 and 4 % less for steps of 2, 3 and 4 bits, and would serve wider steps too: of 5 bits, with 40 %
//! less error than scalar codes. But each step reads bits in two places. Windows of 12 bits err 2 to 4 % less; their
//! tables are four times as large, and rows take four times as long to code.

#[cfg(test)]
mod tests;

use std::ops::Range;

use crate::factors::{Level, WINDOW_BITS, write_bits};

/// How many windows there are.
const WINDOWS: usize = 1 << WINDOW_BITS;
/// Bits before and behind the end of a row that those between them are ranked by.
const REACH: usize = 12 * WINDOW_BITS;
/// How many passes over a row there are, times its bits; longer rows have one pass.
const PASSES_TIMES_BITS: usize = 512;
/// Steps after which the least of the costs is taken off all of them, so that they stay as exact as their differences
/// need.
const STEPS_BETWEEN: usize = 16;

/// Codes rows as walks through the trellis, the same for the same row whatever was coded before.
#[derive(Clone, Debug)]
pub(super) struct TrellisEncoder {
    /// Of the cheapest walk to each window \[[`WINDOWS`]\].
    costs: Vec<f32>,
    /// Of the cheapest walk to any of the windows that are one when their oldest bits are shifted out.
    least: Vec<f32>,
    /// The oldest bits of the window that this walk comes from, step after step.
    choices: Vec<u8>,
    /// What each value promises of the bits that a circle begins and ends with.
    promises: Vec<f32>,
    /// The bits of each step, and what it stands for.
    bits: Vec<u8>,
    values: Vec<f32>,
}

/// What is to be coded.
#[derive(Clone, Copy)]
struct Steps<'a> {
    targets: &'a [f32],
    weights: &'a [f32],
    widths: &'a [u8],
}

impl Steps<'_> {
    fn len(self) -> usize {
        self.widths.len()
    }

    /// How many values the bits have that stay in the window at a step.
    fn kept(self, step: usize) -> usize {
        WINDOWS >> self.widths[step]
    }
}

/// How many steps there are before [`REACH`] bits are full.
fn reach<'a>(widths: impl Iterator<Item = &'a u8>) -> usize {
    let bits = widths.scan(0, |bits, &width| {
        *bits += usize::from(width);
        Some(*bits)
    });
    bits.take_while(|&bits| bits <= REACH).count()
}

impl TrellisEncoder {
    pub(super) fn new() -> Self {
        let costs = || vec![0.0; WINDOWS];
        let (choices, promises, bits, values) = Default::default();
        Self { costs: costs(), least: costs(), choices, promises, bits, values }
    }

    /// What the steps stand for of the row that was coded last.
    pub(super) fn values(&self) -> &[f32] {
        &self.values
    }

    /// Writes the bits of a walk of little Σ weight · (target − value)² into a row, from bit `start` on, where there
    /// are zeros.
    ///
    /// # Shapes `targets`, in units of the standard deviation, `weights`, and `widths`, which are 1 to 4: \[steps\].
    /// Together the steps have [`WINDOW_BITS`] bits or more.
    pub(super) fn encode(&mut self, targets: &[f32], weights: &[f32], widths: &[u8], row: &mut [u8], mut start: usize) {
        let steps = Steps { targets, weights, widths };
        let num_bits: usize = widths.iter().map(|&width| usize::from(width)).sum();
        debug_assert!(targets.len() == widths.len() && weights.len() == widths.len() && num_bits >= WINDOW_BITS);
        self.promise(steps);
        let mut best = f64::INFINITY;
        for _ in 0..(PASSES_TIMES_BITS / num_bits).max(1) {
            let kept = least_index(&self.promises);
            self.promises[kept] = f32::INFINITY;
            let (cost, end) = self.walk(steps, kept);
            if cost < best {
                best = cost;
                self.trace_back(steps, end);
            }
        }
        for (&bits, &width) in self.bits.iter().zip(widths) {
            write_bits(row, start, usize::from(width), u32::from(bits));
            start += usize::from(width);
        }
    }

    /// The cost of the best circle that begins and ends with these bits, and the window behind its last step.
    fn walk(&mut self, steps: Steps<'_>, kept: usize) -> (f64, usize) {
        let same = kept << steps.widths[0]..(kept + 1) << steps.widths[0];
        self.costs.fill(f32::INFINITY);
        self.costs[same.clone()].fill(0.0);
        let base = self.forward(steps, 0..steps.len());
        let end = same.start + least_index(&self.costs[same]);
        (base + f64::from(self.costs[end]), end)
    }

    /// What the walks cost together that lead to each value of the bits that stay at the first step, and on from it.
    fn promise(&mut self, steps: Steps<'_>) {
        let (len, kept) = (steps.len(), steps.kept(0));
        self.costs.fill(0.0);
        self.forward(steps, len - reach(steps.widths.iter().rev())..len);
        self.promises.clear();
        let least = |costs: &[f32]| costs[least_index(costs)];
        self.promises.extend(self.costs.chunks_exact(WINDOWS / kept).map(least));
        self.costs.fill(0.0);
        self.least.fill(0.0);
        for step in (0..reach(steps.widths.iter())).rev() {
            let least = &mut self.least[..steps.kept(step)];
            let values = Level::Trellis.codebook(steps.widths[step]);
            shrink(&self.costs, values, steps.targets[step], steps.weights[step], least);
            for (costs, &least) in self.costs.chunks_exact_mut(1 << steps.widths[step]).zip(&*least) {
                costs.fill(least);
            }
        }
        self.promises.iter_mut().zip(&self.least).for_each(|(promise, least)| *promise += least);
    }

    /// From the costs before some steps to those behind them, as differences to what is returned; with the choices at
    /// each.
    fn forward(&mut self, steps: Steps<'_>, range: Range<usize>) -> f64 {
        self.choices.resize(range.clone().map(|step| steps.kept(step)).sum(), 0);
        let mut choices = self.choices.as_mut_slice();
        let mut base = 0.0;
        for (i, step) in (1..).zip(range) {
            let (of_step, rest) = choices.split_at_mut(steps.kept(step));
            choices = rest;
            let least = &mut self.least[..of_step.len()];
            match steps.widths[step] {
                1 => choose::<2>(&self.costs, least, of_step),
                2 => choose::<4>(&self.costs, least, of_step),
                3 => choose::<8>(&self.costs, least, of_step),
                _ => choose::<16>(&self.costs, least, of_step),
            }
            if i % STEPS_BETWEEN == 0 {
                let part = least.iter().fold(f32::INFINITY, |part, &cost| if cost < part { cost } else { part });
                least.iter_mut().for_each(|cost| *cost -= part);
                base += f64::from(part);
            }
            let values = Level::Trellis.codebook(steps.widths[step]);
            extend(least, values, steps.targets[step], steps.weights[step], &mut self.costs);
        }
        base
    }

    /// The bits of all steps, by the choices at each, from the window behind the last one.
    fn trace_back(&mut self, steps: Steps<'_>, mut window: usize) {
        self.bits.resize(steps.len(), 0);
        self.values.resize(steps.len(), 0.0);
        let mut end = self.choices.len();
        for (step, (bits, value)) in self.bits.iter_mut().zip(&mut self.values).enumerate().rev() {
            let kept = steps.kept(step);
            end -= kept;
            *bits = (window / kept) as u8;
            *value = Level::Trellis.codebook(steps.widths[step])[window];
            window = (window % kept) << steps.widths[step] | usize::from(self.choices[end + window % kept]);
        }
    }
}

/// Where the least of some costs stands; the first of equal ones.
fn least_index(costs: &[f32]) -> usize {
    (1..costs.len()).fold(0, |best, other| if costs[other] < costs[best] { other } else { best })
}

/// The least of each `N` costs, and which of them it is; the first of equal ones.
fn choose<const N: usize>(costs: &[f32], least: &mut [f32], choices: &mut [u8]) {
    for ((costs, least), choice) in costs.as_chunks::<N>().0.iter().zip(least).zip(choices) {
        let (mut cost, mut index) = (costs[0], 0_u32);
        for (i, &other) in (1..).zip(&costs[1..]) {
            (cost, index) = if other < cost { (other, i) } else { (cost, index) };
        }
        (*least, *choice) = (cost, index as u8);
    }
}

/// The costs of all windows after a step.
fn extend(least: &[f32], values: &[f32], target: f32, weight: f32, costs: &mut [f32]) {
    for (costs, values) in costs.chunks_exact_mut(least.len()).zip(values.chunks_exact(least.len())) {
        for ((cost, value), least) in costs.iter_mut().zip(values).zip(least) {
            let error = target - value;
            *cost = least + weight * (error * error);
        }
    }
}

/// The least costs of a step and what comes after it, from each value of the bits that stay at this step.
fn shrink(costs: &[f32], values: &[f32], target: f32, weight: f32, least: &mut [f32]) {
    least.fill(f32::INFINITY);
    for (costs, values) in costs.chunks_exact(least.len()).zip(values.chunks_exact(least.len())) {
        for ((least, value), cost) in least.iter_mut().zip(values).zip(costs) {
            let error = target - value;
            let sum = cost + weight * (error * error);
            *least = if sum < *least { sum } else { *least };
        }
    }
}
