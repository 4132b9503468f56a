//! Values of the windows of a trellis, from Gaussian samples: Lloyd's iteration (Linde, Buzo & Gray 1980) where the
//! nearest value is that of the cheapest walk.

use rand::{SeedableRng, rngs::ChaCha8Rng, seq::SliceRandom};
use rand_distr::{Distribution, StandardNormal};

use crate::{gaussian::Samples, viterbi::Viterbi};

/// Bits of a window.
const WINDOW_BITS: u32 = 10;
const WINDOWS: usize = 1 << WINDOW_BITS;
/// Values are rounded to multiples of 1 / this.
pub(crate) const PARTS: f32 = 32.0;
const SAMPLES_PER_WINDOW: usize = 1000;
const ROUNDS: u32 = 160;
/// Rounds with noise, and its deviation in the first of them, in units of the error that there is.
const NOISY_ROUNDS: u32 = 130;
const NOISE: f32 = 0.4;
const SEED: u64 = 1;

/// The values of all windows in multiples of 1/[`PARTS`], for steps of `width` bits.
///
/// A window whose bits are all the others has the value with the other sign: the walks of a sequence and of its mirror
/// image mirror each other, so that nothing is lost, and each value is the mean of twice as many samples.
pub(crate) fn values(width: u8) -> Vec<i8> {
    let mut rng = ChaCha8Rng::seed_from_u64(SEED);
    let samples = Samples::new(SEED + 1).take(SAMPLES_PER_WINDOW * WINDOWS);
    let mut values = first_guess(width, &mut rng);
    for round in 0..ROUNDS {
        let mut sums = vec![(0.0, 0_u32); WINDOWS];
        let error = Viterbi::new(width, &values).walk(&samples, |sample, window| {
            sums[window].0 += f64::from(sample);
            sums[window].1 += 1;
        });
        // Noise that becomes less and less leads out of poor local minima (stochastic relaxation, Zeger, Vaisey &
        // Gersho 1992).
        let deviation = (error / samples.len() as f64).sqrt() as f32;
        let noise = NOISE * deviation * (1.0 - round as f32 / NOISY_ROUNDS as f32).max(0.0);
        for window in 0..WINDOWS / 2 {
            let mirrored = WINDOWS - 1 - window;
            let count = sums[window].1 + sums[mirrored].1;
            let mean = (sums[window].0 - sums[mirrored].0) / f64::from(count.max(1));
            let value = mean as f32 + noise * normal(&mut rng);
            (values[window], values[mirrored]) = (value, -value);
        }
    }
    values.iter().map(|value| (value * PARTS).round() as i8).collect()
}

/// The steps that go on from the same window have values of all sizes: one of each of 2ʷ equal parts of the density, in
/// random order.
fn first_guess(width: u8, rng: &mut ChaCha8Rng) -> Vec<f32> {
    const SAMPLES_PER_VALUE: usize = 64;
    let mut sorted: Vec<f32> = (0..SAMPLES_PER_VALUE * WINDOWS).map(|_| normal(rng)).collect();
    sorted.sort_by(f32::total_cmp);
    let kept = WINDOWS >> width;
    let mut places: Vec<usize> = (0..kept).collect();
    places.shuffle(rng);
    let mut parts: Vec<usize> = (0..1 << width).collect();
    let mut values = vec![0.0; WINDOWS];
    for (stayed, place) in places.into_iter().enumerate() {
        parts.shuffle(rng);
        for (new, part) in parts.iter().enumerate() {
            values[new * kept + stayed] = sorted[SAMPLES_PER_VALUE * (part * kept + place) + SAMPLES_PER_VALUE / 2];
        }
    }
    for window in 0..WINDOWS / 2 {
        values[WINDOWS - 1 - window] = -values[window];
    }
    values
}

fn normal(rng: &mut ChaCha8Rng) -> f32 {
    StandardNormal.sample(rng)
}
