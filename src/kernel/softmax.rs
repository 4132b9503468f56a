//! Softmax of logits that are made a block of the vocabulary at a time, a column for each hidden state: maxima and sums
//! of exponentials of columns, merged from block to block (Milakov & Gimelshein 2018, "Online normalizer calculation
//! for softmax", algorithm 3), and the exponentials themselves.
//!
//! ```text
//! for i in 0..n:
//!     new = max(maximum[i], maxₜ logits[t, i])
//!     sum[i] = Σₜ exp(logits[t, i] − new)        maximum[i] = new
//! ```
//!
//! Sixteen columns are computed side by side, so that no sum crosses a register; rows run in order. The loops are over
//! plain arrays, which the compiler turns into instructions of the set that it is allowed, and multiply and add apart:
//! the bits are the same on every instruction set.

use ndarray::{ArrayView2, ArrayViewMut2};

use super::{
    Isa,
    packed::PANEL_WIDTH,
    parallel::for_each_rows,
    simd::{Kernel, Simd},
};

/// What an exponential takes, about.
const NANOSECONDS: f64 = 0.5;

type Line = [f32; PANEL_WIDTH];

/// The maximum of what stands in column 0 of `stats` \[n, 2\] and of the column of `logits` \[m, n\] there; in column 1
/// the sum of the exponentials of the logits less this maximum. Both are row-major.
pub(crate) fn max_and_sum_exp(isa: Isa, logits: ArrayView2<'_, f32>, stats: &mut ArrayViewMut2<'_, f32>) {
    let (m, n) = logits.dim();
    assert_eq!(stats.dim(), (n, 2));
    let Some(logits) = logits.to_slice() else { unreachable!("logits are row-major") };
    for_each_rows(stats, m as f64 * NANOSECONDS, |range, mut stats| {
        let Some(stats) = stats.as_slice_mut() else { unreachable!("a row has two numbers side by side") };
        isa.run(MaxAndSumExp { logits, n, first: range.start, stats });
    });
}

struct MaxAndSumExp<'a> {
    /// \[m, n\]
    logits: &'a [f32],
    n: usize,
    first: usize,
    /// Of the columns from `first` on: maximum and sum.
    stats: &'a mut [f32],
}

impl Kernel for MaxAndSumExp<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let Self { logits, n, first, stats } = self;
        for (first, stats) in (first..).step_by(PANEL_WIDTH).zip(stats.chunks_mut(2 * PANEL_WIDTH)) {
            let width = stats.len() / 2;
            let mut maxima: Line = [f32::NEG_INFINITY; PANEL_WIDTH];
            for i in 0..width {
                maxima[i] = stats[2 * i];
            }
            for row in logits.chunks_exact(n) {
                maxima = max(maxima, load(row, first, width));
            }
            let mut sums: Line = [0.0; PANEL_WIDTH];
            for row in logits.chunks_exact(n) {
                let powers = exp(sub(load(row, first, width), maxima));
                for i in 0..PANEL_WIDTH {
                    sums[i] += powers[i];
                }
            }
            for i in 0..width {
                (stats[2 * i], stats[2 * i + 1]) = (maxima[i], sums[i]);
            }
        }
    }
}

/// exp(logits\[t, i\] − maxima\[i\]) · scales\[i\] in the place of the logits \[m, n\], row-major, none above its
/// maximum.
pub(crate) fn scaled_exp(isa: Isa, logits: &mut ArrayViewMut2<'_, f32>, maxima: &[f32], scales: &[f32]) {
    let n = logits.ncols();
    assert_eq!((n, n), (maxima.len(), scales.len()));
    for_each_rows(logits, n as f64 * NANOSECONDS, |_, mut logits| {
        let Some(logits) = logits.as_slice_mut() else { unreachable!("logits are row-major") };
        isa.run(ScaledExp { logits, maxima, scales });
    });
}

struct ScaledExp<'a> {
    logits: &'a mut [f32],
    maxima: &'a [f32],
    scales: &'a [f32],
}

impl Kernel for ScaledExp<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let Self { logits, maxima, scales } = self;
        for row in logits.chunks_exact_mut(maxima.len().max(1)) {
            for ((row, maxima), scales) in
                row.chunks_mut(PANEL_WIDTH).zip(maxima.chunks(PANEL_WIDTH)).zip(scales.chunks(PANEL_WIDTH))
            {
                let width = row.len();
                let powers = exp(sub(load(row, 0, width), load(maxima, 0, width)));
                for i in 0..width {
                    row[i] = powers[i] * scales[i];
                }
            }
        }
    }
}

/// Up to sixteen numbers of a row, zeros after them.
#[inline(always)]
fn load(row: &[f32], first: usize, width: usize) -> Line {
    let mut line = [0.0; PANEL_WIDTH];
    if width == PANEL_WIDTH {
        line.copy_from_slice(&row[first..first + PANEL_WIDTH]);
    } else {
        line[..width].copy_from_slice(&row[first..first + width]);
    }
    line
}

#[inline(always)]
fn max(mut a: Line, b: Line) -> Line {
    for i in 0..PANEL_WIDTH {
        a[i] = if b[i] > a[i] { b[i] } else { a[i] };
    }
    a
}

#[inline(always)]
fn sub(mut a: Line, b: Line) -> Line {
    for i in 0..PANEL_WIDTH {
        a[i] -= b[i];
    }
    a
}

/// eˣ of numbers that are not positive, off by two units in the last place at most; 0 below −87, where it is nearly
/// subnormal, and NaN of −∞ and NaN.
///
/// x = k·ln 2 + r with |r| ≤ ln 2 / 2, where ln 2 is the sum of a number of few bits, whose product with k is exact,
/// and of the rest (Cody & Waite 1980, chapter 6). eʳ is its Taylor polynomial of degree 7, and 2ᵏ are the bits of an
/// exponent.
#[inline(always)]
fn exp(line: Line) -> Line {
    /// Below it, results are nearly subnormal.
    const SMALLEST: f32 = -87.0;
    /// 1.5 · 2²³: adding it rounds to an integer, which is then in the lowest bits.
    const ROUND: f32 = 12_582_912.0;
    /// ln 2 up to its ninth bit behind the point.
    const LN_2_HIGH: f32 = 355.0 / 512.0;
    const LN_2_LOW: f32 = (std::f64::consts::LN_2 - 355.0 / 512.0) as f32;
    const TAYLOR: [f32; 7] = [1.0 / 720.0, 1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5, 1.0, 1.0];
    let mut out = [0.0; PANEL_WIDTH];
    for i in 0..PANEL_WIDTH {
        let x = if line[i] <= SMALLEST { SMALLEST } else { line[i] };
        let shifted = x * std::f32::consts::LOG2_E + ROUND;
        let k = shifted - ROUND;
        let r = (x - k * LN_2_HIGH) - k * LN_2_LOW;
        let mut power = 1.0 / 5040.0;
        for coefficient in TAYLOR {
            power = power * r + coefficient;
        }
        let two_to_k = f32::from_bits((shifted.to_bits() << 23).wrapping_add(1.0_f32.to_bits()));
        // NaN of infinities: logits beyond the range are not to pass for improbable ones.
        out[i] = if line[i] <= SMALLEST { 0.0 * line[i] } else { power * two_to_k };
    }
    out
}

#[cfg(test)]
mod tests {
    use ndarray::{Array2, Axis};
    use rand::{RngExt, SeedableRng, rngs::ChaCha8Rng};

    use super::*;

    #[test]
    fn exponentials_are_those_of_f64() {
        let mut x = 0.0_f32;
        while x > -86.9 {
            let (actual, expected) = (f64::from(exp([x; PANEL_WIDTH])[3]), f64::from(x).exp());
            assert!((actual / expected - 1.0).abs() < 2.0 * f64::from(f32::EPSILON), "exp({x}) = {actual}");
            x -= 0.000_7 + 1e-3 * x.abs();
        }
        assert_eq!(exp([0.0; PANEL_WIDTH]), [1.0; PANEL_WIDTH]);
        assert_eq!(exp([-1000.0; PANEL_WIDTH]), [0.0; PANEL_WIDTH]);
        for beyond in [f32::NEG_INFINITY, f32::NAN] {
            assert!(exp([beyond; PANEL_WIDTH]).iter().all(|power| power.is_nan()), "{beyond}");
        }
    }

    #[test]
    fn softmax_in_blocks_is_that_of_f64_on_every_instruction_set() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        for n in (0..36).chain([100, 129]) {
            for m in [1, 2, 7, 65] {
                let logits = Array2::from_shape_simple_fn((m, n), || rng.random_range(-30.0..30.0_f32));
                let mut results = Vec::new();
                for isa in Isa::supported() {
                    let mut stats = Array2::from_elem((n, 2), f32::NEG_INFINITY);
                    let mut totals = vec![0.0; n];
                    for block in logits.axis_chunks_iter(Axis(0), 3) {
                        let before = stats.column(0).to_owned();
                        max_and_sum_exp(isa, block, &mut stats.view_mut());
                        for (i, total) in totals.iter_mut().enumerate() {
                            *total = *total * f64::from(before[i] - stats[[i, 0]]).exp() + f64::from(stats[[i, 1]]);
                        }
                    }
                    let scales: Vec<f32> = totals.iter().map(|total| total.recip() as f32).collect();
                    let mut softmax = logits.clone();
                    scaled_exp(isa, &mut softmax.view_mut(), &stats.column(0).to_vec(), &scales);
                    for (column, actual) in logits.columns().into_iter().zip(softmax.columns()) {
                        let sum: f64 = column.iter().map(|&logit| f64::from(logit).exp()).sum();
                        for (&logit, &actual) in column.iter().zip(actual) {
                            let expected = f64::from(logit).exp() / sum;
                            // Logits lie within 60 of each other: a difference of them, rounded, is an exponent.
                            let tolerance =
                                (60.0 + 8.0) * f64::from(f32::EPSILON) * expected + f64::from(f32::MIN_POSITIVE);
                            assert!((f64::from(actual) - expected).abs() <= tolerance, "{isa}: {actual}, {expected}");
                        }
                    }
                    results.push(softmax);
                }
                assert!(results.windows(2).all(|pair| pair[0] == pair[1]), "the same bits everywhere");
            }
        }
    }
}
