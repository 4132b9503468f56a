//! Weights that stand in for trained ones.

use std::f32::consts::{PI, SQRT_2};

use ndarray::Array2;
use rand::{SeedableRng, rngs::ChaCha8Rng};
use rand_distr::{Distribution, StandardNormal};

/// Random mixtures of smooth waves: \[channels · side · side, columns\]
///
/// Every column is a sum of all three-dimensional cosines (a discrete cosine transform), each times a normal random number and
/// 1 / (1 + w² + u² + v²), its frequencies along channels, rows and columns. So its singular values fall as slow waves give way
/// to fast ones, as those of trained filters do; how fast is chosen here, not measured.
pub(crate) fn waves([channels, side]: [usize; 2], columns: usize, seed: u64) -> Array2<f32> {
    let shape = [channels, side, side];
    let size = channels * side * side;
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let numbers: Array2<f32> = Array2::from_shape_simple_fn((size, columns), || StandardNormal.sample(&mut rng));
    let places: Vec<[usize; 3]> = (0..size).map(|i| [i / (side * side), i / side % side, i % side]).collect();
    let cosines = Array2::from_shape_fn((size, size), |(place, wave)| {
        let (place, wave) = (places[place], places[wave]);
        let squares: usize = wave.iter().map(|frequency| frequency * frequency).sum();
        let cosine = |axis: usize| {
            let scale = if wave[axis] == 0 { 1.0 } else { SQRT_2 };
            scale * (PI * wave[axis] as f32 * (place[axis] as f32 + 0.5) / shape[axis] as f32).cos()
        };
        (0..3).map(cosine).product::<f32>() / (1 + squares) as f32
    });
    cosines.dot(&numbers)
}
