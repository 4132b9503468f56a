//! Scalar quantizers of least squared error (Lloyd 1982; Max 1960): every level is the mean of what is nearest to it.
//!
//! Lloyd's iteration takes thousands of rounds for 256 levels. Newton's method on the same equations takes a few.

use crate::gaussian::{FAR, density, mass};

/// The levels for a unit Gaussian, in ascending order: 2 to the power of `width`.
pub(crate) fn levels(width: u8) -> Vec<f64> {
    let half = 1 << (width - 1);
    let mut positive = first_guess(half);
    for _ in 0..100 {
        let step = newton_step(&positive);
        let largest = step.iter().fold(0.0, |largest: f64, step| largest.max(step.abs()));
        // Levels stay in order: no gap becomes less than half.
        let shrinks = |(gap, step): (f64, f64)| if step > 0.0 { gap / (2.0 * step) } else { f64::INFINITY };
        let gaps = positive.windows(2).zip(step.windows(2)).map(|(at, step)| (at[1] - at[0], step[1] - step[0]));
        let length = gaps.chain([(positive[0], step[0])]).map(shrinks).fold(1.0, f64::min);
        positive.iter_mut().zip(&step).for_each(|(level, step)| *level -= length * step);
        if largest < 1e-13 {
            break;
        }
    }
    positive.iter().rev().map(|level| -level).chain(positive.iter().copied()).collect()
}

/// Σ (sample − nearest level)²
pub(crate) fn error(levels: &[f32], samples: &[f32]) -> f64 {
    let edges: Vec<f32> = levels.windows(2).map(|pair| f32::midpoint(pair[0], pair[1])).collect();
    let nearest = |sample: f32| levels[edges.partition_point(|&edge| edge < sample)];
    samples.iter().map(|&sample| f64::from(sample - nearest(sample)).powi(2)).sum()
}

/// Levels as dense as the cube root of the density (Panter & Dite 1951): those of a Gaussian of variance 3.
fn first_guess(half: usize) -> Vec<f64> {
    let quantile = |part: f64| {
        let (mut low, mut high) = (0.0, FAR);
        for _ in 0..50 {
            let middle = f64::midpoint(low, high);
            if mass(0.0, middle) < part { low = middle } else { high = middle }
        }
        low
    };
    (0..half).map(|i| 3_f64.sqrt() * quantile((i as f64 + 0.5) / (2 * half) as f64)).collect()
}

/// The positive levels less their means, divided by the derivatives of that: they are in three diagonals, as the edges
/// of a cell depend on its own level and those beside it.
fn newton_step(levels: &[f64]) -> Vec<f64> {
    let len = levels.len();
    let edge = |i: usize| match i {
        0 => 0.0,
        i if i == len => FAR,
        i => f64::midpoint(levels[i - 1], levels[i]),
    };
    let (mut above, mut right) = (vec![0.0; len], vec![0.0; len]);
    for i in 0..len {
        let (from, to) = (edge(i), edge(i + 1));
        let mass = mass(from, to);
        let mean = (density(from) - density(to)) / mass;
        // Derivatives of the mean by the levels on both sides, each of which moves an edge half as far.
        let by_lower = if i > 0 { density(from) * (mean - from) / mass / 2.0 } else { 0.0 };
        let by_upper = if i + 1 < len { density(to) * (to - mean) / mass / 2.0 } else { 0.0 };
        // Elimination from the first level on.
        let (diagonal, below) = (1.0 - by_lower - by_upper, -by_lower);
        let (above_before, right_before) = if i > 0 { (above[i - 1], right[i - 1]) } else { (0.0, 0.0) };
        let pivot = diagonal - below * above_before;
        above[i] = -by_upper / pivot;
        right[i] = (levels[i] - mean - below * right_before) / pivot;
    }
    for i in (0..len - 1).rev() {
        right[i] -= above[i] * right[i + 1];
    }
    right
}
