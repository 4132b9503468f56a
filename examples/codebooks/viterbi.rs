//! The cheapest walk through the trellis (Forney 1973), with free ends.
//!
//! A window is the last bits of a walk, its newest bit the highest. A step shifts out as many bits as it brings in.

/// Steps of a part of the samples that has a walk of its own: long beside a window, so that the free ends do not
/// matter.
const PART: usize = 4096;
/// Steps after which the least cost is taken off all of them, so that they stay as exact as their differences need.
const STEPS_BETWEEN: usize = 64;

/// Walks of steps of one width.
pub(crate) struct Viterbi<'a> {
    width: u8,
    /// What each window stands for.
    values: &'a [f32],
    /// Of the cheapest walk to each window.
    costs: Vec<f32>,
    /// Of the cheapest walk to any of the windows that differ in the bits which are shifted out next, step by step, and
    /// these bits.
    least: Vec<f32>,
    choices: Vec<u8>,
}

impl<'a> Viterbi<'a> {
    pub(crate) fn new(width: u8, values: &'a [f32]) -> Self {
        let kept = values.len() >> width;
        let (costs, least, choices) = (vec![0.0; values.len()], vec![0.0; kept], vec![0; kept * PART]);
        Self { width, values, costs, least, choices }
    }

    /// Σ (sample − value)² of the cheapest walks; each sample and the window it gets.
    pub(crate) fn walk(mut self, samples: &[f32], mut visit: impl FnMut(f32, usize)) -> f64 {
        let kept = self.least.len();
        let mut error = 0.0;
        for samples in samples.chunks(PART) {
            self.costs.fill(0.0);
            for (i, (&sample, choices)) in samples.iter().zip(self.choices.chunks_exact_mut(kept)).enumerate() {
                match self.width {
                    1 => choose::<2>(&self.costs, &mut self.least, choices),
                    2 => choose::<4>(&self.costs, &mut self.least, choices),
                    3 => choose::<8>(&self.costs, &mut self.least, choices),
                    _ => choose::<16>(&self.costs, &mut self.least, choices),
                }
                if i % STEPS_BETWEEN == 0 {
                    let base = self.least.iter().copied().fold(f32::INFINITY, f32::min);
                    self.least.iter_mut().for_each(|cost| *cost -= base);
                }
                for (costs, values) in self.costs.chunks_exact_mut(kept).zip(self.values.chunks_exact(kept)) {
                    for ((cost, value), least) in costs.iter_mut().zip(values).zip(&self.least) {
                        *cost = least + (sample - value) * (sample - value);
                    }
                }
            }
            let costs = &self.costs;
            let mut window = (1..costs.len()).fold(0, |best, i| if costs[i] < costs[best] { i } else { best });
            for (&sample, choices) in samples.iter().zip(self.choices.chunks_exact(kept)).rev() {
                error += f64::from(sample - self.values[window]).powi(2);
                visit(sample, window);
                let stayed = window % kept;
                window = (stayed << self.width) | usize::from(choices[stayed]);
            }
        }
        error
    }
}

fn choose<const N: usize>(costs: &[f32], least: &mut [f32], choices: &mut [u8]) {
    for ((costs, least), choice) in costs.as_chunks::<N>().0.iter().zip(least).zip(choices) {
        let (mut cost, mut index) = (costs[0], 0_u32);
        for (i, &other) in (1..).zip(&costs[1..]) {
            (cost, index) = if other < cost { (other, i) } else { (cost, index) };
        }
        (*least, *choice) = (cost, index as u8);
    }
}
