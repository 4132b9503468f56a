//! The unit Gaussian: its density, its mass, and samples.

use std::f64::consts::TAU;

use rand::{SeedableRng, rngs::ChaCha8Rng};
use rand_distr::{Distribution, StandardNormal};

/// Further out there is less than 1e-22 of it.
pub(crate) const FAR: f64 = 10.0;

pub(crate) fn density(x: f64) -> f64 {
    (-x * x / 2.0).exp() / TAU.sqrt()
}

/// The mass between two numbers, by Simpson's rule.
pub(crate) fn mass(from: f64, to: f64) -> f64 {
    const LONGEST_STEP: f64 = 0.01;
    let steps = 2 * ((to - from) / (2.0 * LONGEST_STEP)).ceil().max(8.0) as usize;
    let step = (to - from) / steps as f64;
    let weight = |i: usize| match i {
        0 => 1.0,
        i if i == steps => 1.0,
        i if i % 2 == 1 => 4.0,
        _ => 2.0,
    };
    (0..=steps).map(|i| weight(i) * density(from + step * i as f64)).sum::<f64>() * step / 3.0
}

/// Reproducible samples.
pub(crate) struct Samples(ChaCha8Rng);

impl Samples {
    pub(crate) fn new(seed: u64) -> Self {
        Self(ChaCha8Rng::seed_from_u64(seed))
    }

    pub(crate) fn take(&mut self, len: usize) -> Vec<f32> {
        (0..len).map(|_| StandardNormal.sample(&mut self.0)).collect()
    }
}
