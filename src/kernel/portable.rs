//! Safe code that every target compiles to its own vectors.

use ndarray::ArrayViewMut2;

use super::{
    packed::PANEL_WIDTH,
    schedule::{Simd, Source, run},
};

/// No more than what the target has been compiled for, and so on every machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Portable;

impl Simd for Portable {
    const NAME: &'static str = "portable";
    type Line = [f32; PANEL_WIDTH];
    type Splat = f32;

    #[inline(always)]
    fn zero(self) -> [f32; PANEL_WIDTH] {
        [0.0; PANEL_WIDTH]
    }

    #[inline(always)]
    fn load(self, line: &[f32; PANEL_WIDTH]) -> [f32; PANEL_WIDTH] {
        *line
    }

    #[inline(always)]
    fn store(self, value: [f32; PANEL_WIDTH], line: &mut [f32; PANEL_WIDTH]) {
        *line = value;
    }

    #[inline(always)]
    fn splat(self, value: f32) -> f32 {
        value
    }

    #[inline(always)]
    fn mul(self, factor: f32, line: [f32; PANEL_WIDTH]) -> [f32; PANEL_WIDTH] {
        line.map(|value| factor * value)
    }

    #[inline(always)]
    fn mul_add(self, factor: f32, line: [f32; PANEL_WIDTH], mut sum: [f32; PANEL_WIDTH]) -> [f32; PANEL_WIDTH] {
        for (sum, value) in sum.iter_mut().zip(line) {
            *sum += factor * value;
        }
        sum
    }

    fn run(self, source: Source<'_>, out: &mut ArrayViewMut2<'_, f32>) {
        run::<Self, 2, 1, 1, 1, 1, 1, 1>(self, source, out);
    }
}
