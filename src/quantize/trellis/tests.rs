use half::f16;
use ndarray::{Array1, Array2};
use rand::{RngExt, SeedableRng, rngs::ChaCha8Rng};
use rand_distr::{Distribution, StandardNormal};

use super::*;
use crate::factors::{
    BasisCode, CodedBasis, QuantizedFactors, QuantizedParts, Rotation, RowGroupIds, SharedBytes, TRELLIS_DISTORTION,
};

fn normal(rng: &mut ChaCha8Rng, len: usize) -> Vec<f32> {
    (0..len).map(|_| StandardNormal.sample(rng)).collect()
}

/// The bits of a row, oldest first, that are coded from bit `start` on.
fn coded(encoder: &mut TrellisEncoder, steps: Steps<'_>, start: usize) -> Vec<u8> {
    let num_bits: usize = steps.widths.iter().map(|&width| usize::from(width)).sum();
    let mut row = vec![0; (start + num_bits).div_ceil(8)];
    encoder.encode(steps.targets, steps.weights, steps.widths, &mut row, start);
    let bits: Vec<u8> = (0..8 * row.len()).map(|i| row[i / 8] >> (i % 8) & 1).collect();
    assert!(bits[..start].iter().chain(&bits[start + num_bits..]).all(|&bit| bit == 0), "bits of others");
    bits[start..start + num_bits].to_vec()
}

/// What the steps of a circle of bits stand for: each the value of the window that ends with its own bits.
fn values(bits: &[u8], widths: &[u8]) -> Vec<f32> {
    let mut end = WINDOW_BITS * bits.len();
    let value = |&width: &u8| {
        end += usize::from(width);
        let window =
            (0..WINDOW_BITS).fold(0, |window, i| window | usize::from(bits[(end - WINDOW_BITS + i) % bits.len()]) << i);
        Level::Trellis.codebook(width)[window]
    };
    widths.iter().map(value).collect()
}

fn cost(steps: Steps<'_>, values: &[f32]) -> f64 {
    let terms = steps.targets.iter().zip(values).zip(steps.weights);
    terms.map(|((&target, &value), &weight)| f64::from(weight) * f64::from(target - value).powi(2)).sum()
}

fn mean_squared_error(encoder: &mut TrellisEncoder, rng: &mut ChaCha8Rng, widths: &[u8], rows: usize) -> f64 {
    let weights = vec![1.0; widths.len()];
    let (mut error, mut power) = (0.0, 0.0);
    for _ in 0..rows {
        let steps = Steps { targets: &normal(rng, widths.len()), weights: &weights, widths };
        error += cost(steps, &values(&coded(encoder, steps, 0), widths));
        power += cost(steps, &vec![0.0; widths.len()]);
    }
    // As a share of the energy, which varies among samples together with the error.
    error / power
}

fn weighted_steps(rng: &mut ChaCha8Rng, len: usize) -> (Vec<f32>, Vec<f32>) {
    (normal(rng, len), (0..len).map(|_| rng.random_range(0.2..1.0)).collect())
}

/// The error of the best circle there is, by a pass for each value of the bits that it begins and ends with.
fn least_cost(encoder: &mut TrellisEncoder, steps: Steps<'_>) -> f64 {
    (0..steps.kept(0)).map(|kept| encoder.walk(steps, kept).0).fold(f64::INFINITY, f64::min)
}

/// What the cost of a walk can be off by: it is a sum in `f32`.
fn rounding(steps: Steps<'_>) -> f64 {
    1.0 + 4.0 * f64::from(f32::EPSILON) * steps.len() as f64
}

/// Against all strings of as many bits as a row has, which is fewer than those of real rows.
#[test]
fn passes_find_the_best_circle_there_is() {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let mut encoder = TrellisEncoder::new();
    let rows: [&[u8]; 6] = [&[1; 13], &[2; 6], &[3; 4], &[4; 3], &[4, 3, 2, 1, 1, 1], &[2, 2, 2, 2, 1, 1, 1, 1]];
    for widths in rows {
        let num_bits: usize = widths.iter().map(|&width| usize::from(width)).sum();
        for _ in 0..10 {
            let (targets, weights) = weighted_steps(&mut rng, widths.len());
            let steps = Steps { targets: &targets, weights: &weights, widths };
            let all = (0..1_usize << num_bits).map(|bits| {
                let bits: Vec<u8> = (0..num_bits).map(|i| (bits >> i & 1) as u8).collect();
                cost(steps, &values(&bits, widths))
            });
            let expected = all.fold(f64::INFINITY, f64::min);
            let least = least_cost(&mut encoder, steps);
            let (low, high) = (expected / rounding(steps), expected * rounding(steps));
            assert!((low..=high).contains(&least), "{widths:?}: {least}, expected {expected}");
            let coded = cost(steps, &values(&coded(&mut encoder, steps, 3), widths));
            assert!(coded >= expected, "{widths:?}: {coded} is less than the least, {expected}");
        }
    }
}

/// The few passes of an encoder against all of them.
#[test]
fn circles_are_close_to_the_best_there_are() {
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    let mut encoder = TrellisEncoder::new();
    let rows = [vec![1_u8; 32], vec![2; 16], vec![4; 8], [[4; 3], [3; 3], [2; 3], [1; 3]].concat(), vec![1; 70]];
    for widths in rows {
        let (mut expected, mut actual) = (0.0, 0.0);
        for _ in 0..10 {
            let (targets, weights) = weighted_steps(&mut rng, widths.len());
            let steps = Steps { targets: &targets, weights: &weights, widths: &widths };
            let least = least_cost(&mut encoder, steps);
            let coded = cost(steps, &values(&coded(&mut encoder, steps, 0), &widths));
            assert!(coded * rounding(steps) >= least, "{widths:?}: {coded} is less than the least, {least}");
            expected += least;
            actual += coded;
        }
        assert!(actual <= 1.03 * expected, "{widths:?}: {} of the least error", actual / expected);
    }
}

#[test]
fn the_reference_decodes_what_was_coded() {
    let mut rng = ChaCha8Rng::seed_from_u64(2);
    let mut encoder = TrellisEncoder::new();
    // Widest first as in a row, with codes of five bits before the steps, so that the circle begins within a byte.
    let widths: Vec<u8> = [vec![5; 3], vec![4; 3], vec![3; 4], vec![2; 5], vec![1; 6]].concat();
    let (rank, start) = (widths.len(), 15);
    let widths_of_steps = &widths[3..];
    let targets = normal(&mut rng, widths_of_steps.len());
    let steps = Steps { targets: &targets, weights: &vec![1.0; targets.len()], widths: widths_of_steps };
    let expected = values(&coded(&mut encoder, steps, start), steps.widths);

    let num_bits: usize = widths.iter().map(|&width| usize::from(width)).sum();
    let mut codes = vec![0; num_bits.div_ceil(8) + QuantizedFactors::CODE_PADDING];
    encoder.encode(steps.targets, steps.weights, steps.widths, &mut codes, start);
    let basis = CodedBasis {
        dim: rank,
        bits: 1,
        kinds: vec![BasisCode::Uniform; rank],
        scales: vec![f16::ONE; rank],
        codes: vec![0; (rank * rank).div_ceil(8)],
    };
    let parts = QuantizedParts {
        level: Level::Trellis,
        vocab_size: 1,
        unit: 1.0,
        mean: None,
        rotation: Rotation::Basis(basis),
        widths: Array2::from_shape_fn((1, rank), |(_, direction)| widths[direction]),
        scales: vec![f16::ONE; rank],
        row_scales: None,
        row_groups: RowGroupIds::Ranges(vec![0]),
        codes: SharedBytes::new(codes),
    };
    let factors = QuantizedFactors::new(parts).expect("parts that fit together");
    let mut row = Array1::from_elem(rank, f32::NAN);
    factors.decode(0, row.view_mut());
    assert_eq!(row.as_slice().map(|row| &row[3..]), Some(expected.as_slice()));
    assert_eq!(encoder.values(), expected);
}

#[test]
fn distortions_are_those_of_fresh_samples() {
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    let mut encoder = TrellisEncoder::new();
    for (width, expected) in (1..).zip(TRELLIS_DISTORTION) {
        let actual = mean_squared_error(&mut encoder, &mut rng, &[width; 100], 1000);
        assert!((actual / expected - 1.0).abs() < 0.01, "{width} bits: {actual}, expected {expected}");
    }
}

/// Steps of several widths err as much as those of each do in rows of their own.
#[test]
fn widths_can_change_from_step_to_step() {
    let mut rng = ChaCha8Rng::seed_from_u64(4);
    let mut encoder = TrellisEncoder::new();
    for mix in [[4, 1], [3, 2], [2, 1], [4, 3]] {
        let widths: Vec<u8> = mix.iter().flat_map(|&width| vec![width; 60]).collect();
        let expected: Vec<f64> = mix.iter().map(|&width| TRELLIS_DISTORTION[usize::from(width) - 1]).collect();
        // With these weights each half of the row would add the same to the error.
        let weights: Vec<f32> = expected.iter().flat_map(|&error| [error.recip() as f32; 60]).collect();
        let mut error = 0.0;
        const ROWS: usize = 100;
        for _ in 0..ROWS {
            let steps = Steps { targets: &normal(&mut rng, 120), weights: &weights, widths: &widths };
            error += cost(steps, &values(&coded(&mut encoder, steps, 0), &widths)) / 120.0 / ROWS as f64;
        }
        assert!((error - 1.0).abs() < 0.05, "{mix:?}: {error} of the expected error");
    }
}

#[test]
fn steps_that_weigh_more_err_less() {
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    let mut encoder = TrellisEncoder::new();
    let weights: Vec<f32> = (0..100).map(|i| if i % 2 == 0 { 1.0 } else { 0.05 }).collect();
    let (mut heavy, mut light) = (0.0, 0.0);
    for _ in 0..100 {
        let steps = Steps { targets: &normal(&mut rng, 100), weights: &weights, widths: &[2; 100] };
        let errors = values(&coded(&mut encoder, steps, 0), steps.widths);
        for (i, (target, value)) in steps.targets.iter().zip(errors).enumerate() {
            *(if i % 2 == 0 { &mut heavy } else { &mut light }) += f64::from((target - value).powi(2)) / 5000.0;
        }
    }
    assert!(heavy < 0.8 * TRELLIS_DISTORTION[1] && light > 1.2 * TRELLIS_DISTORTION[1], "{heavy}, {light}");
}

#[test]
fn weights_are_relative_and_rows_do_not_depend_on_each_other() {
    let mut rng = ChaCha8Rng::seed_from_u64(6);
    let (mut encoder, widths) = (TrellisEncoder::new(), [3; 50]);
    for _ in 0..5 {
        let (targets, weights) = (normal(&mut rng, 50), vec![1.0; 50]);
        let steps = Steps { targets: &targets, weights: &weights, widths: &widths };
        let expected = coded(&mut TrellisEncoder::new(), steps, 0);
        assert_eq!(coded(&mut encoder, steps, 0), expected);
        // A power of two changes no digit of any cost.
        let weights = vec![0.001_953_125; 50];
        assert_eq!(coded(&mut encoder, Steps { weights: &weights, ..steps }, 5), expected);
    }
}

/// Targets beyond all values take large ones of their own sign: on average not less than a scalar code of one bit does.
#[test]
fn targets_beyond_all_values_are_coded() {
    let mut encoder = TrellisEncoder::new();
    for width in 1..=4_u8 {
        for target in [10.0, -10.0] {
            let steps = Steps { targets: &[target; 64], weights: &[1.0; 64], widths: &[width; 64] };
            let values = values(&coded(&mut encoder, steps, 0), steps.widths);
            let mean = values.iter().map(|value| value * target.signum()).sum::<f32>() / 64.0;
            assert!(mean >= Level::Scalar.codebook(1)[1], "{width} bits, {target}: {values:?}");
        }
    }
}
