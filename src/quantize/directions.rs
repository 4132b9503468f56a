//! Directions in codes of a few bits.

use half::f16;
use ndarray::{ArrayView1, ArrayView2};

use crate::factors::{BasisCode, CodedBasis, write_bits};

/// What the largest code stands for, as shares of the largest number of a direction: the best is taken.
const CLIPS: [f64; 8] = [1.0, 0.9, 0.8, 0.7, 0.62, 0.55, 0.48, 0.42];
/// The standard deviation that Lloyd–Max codes are scaled with, as multiples of that of a direction: the best is taken.
const SPREADS: [f64; 4] = [0.9, 1.0, 1.15, 1.35];

/// A direction, coded.
#[derive(Clone, Debug)]
pub(super) struct CodedDirection {
    kind: BasisCode,
    scale: f16,
    codes: Vec<u8>,
    /// The share of it that is not along what it is coded as.
    pub(super) lost: f64,
}

/// Directions \[rank, dim\] of length 1, in codes of so many bits.
pub(super) fn code(directions: ArrayView2<'_, f64>, bits: u8) -> Vec<CodedDirection> {
    directions.rows().into_iter().map(|direction| code_direction(direction, bits)).collect()
}

/// Some of them, as they are stored.
pub(super) fn pack(directions: &[&CodedDirection], dim: usize, bits: u8) -> CodedBasis {
    let mut codes = vec![0; (directions.len() * dim * usize::from(bits)).div_ceil(8)];
    let all = directions.iter().flat_map(|direction| &direction.codes);
    for (i, &code) in all.enumerate() {
        write_bits(&mut codes, i * usize::from(bits), usize::from(bits), u32::from(code));
    }
    CodedBasis {
        dim,
        bits,
        kinds: directions.iter().map(|direction| direction.kind).collect(),
        scales: directions.iter().map(|direction| direction.scale).collect(),
        codes,
    }
}

/// Bits of a direction beside its codes: its scale and the kind of its codes.
pub(super) const EXTRA_BITS: usize = 17;

fn code_direction(direction: ArrayView1<'_, f64>, bits: u8) -> CodedDirection {
    let largest = direction.iter().fold(0.0, |largest: f64, number| largest.max(number.abs()));
    let deviation = (direction.dot(&direction) / direction.len() as f64).sqrt();
    let half = f64::from((1_u32 << bits) - 1) / 2.0;
    let uniform = CLIPS.map(|clip| (BasisCode::Uniform, clip * largest / half));
    let lloyd_max = SPREADS.map(|spread| (BasisCode::LloydMax, spread * deviation));
    let mut best: Option<CodedDirection> = None;
    for (kind, scale) in uniform.into_iter().chain(lloyd_max) {
        let levels: Vec<f64> = (0..1_u32 << bits).map(|code| f64::from(CodedBasis::level(kind, bits, code))).collect();
        let coded = with_levels(direction, kind, &levels, scale);
        if best.as_ref().is_none_or(|best| coded.lost < best.lost) {
            best = Some(coded);
        }
    }
    best.unwrap_or(CodedDirection { kind: BasisCode::Uniform, scale: f16::ZERO, codes: Vec::new(), lost: 1.0 })
}

fn with_levels(direction: ArrayView1<'_, f64>, kind: BasisCode, levels: &[f64], scale: f64) -> CodedDirection {
    let thresholds: Vec<f64> = levels.windows(2).map(|pair| scale * f64::midpoint(pair[0], pair[1])).collect();
    let (mut product, mut square, mut length) = (0.0, 0.0, 0.0);
    let code = |&number: &f64| {
        let code = thresholds.partition_point(|&threshold| threshold < number);
        product += number * levels[code];
        square += levels[code] * levels[code];
        length += number * number;
        code as u8
    };
    let codes = direction.iter().map(code).collect();
    // What is not along the code of it, whatever that is scaled with.
    let lost = if square > 0.0 && length > 0.0 { (1.0 - product * product / square / length).max(0.0) } else { 1.0 };
    CodedDirection { kind, scale: f16::from_f64(if square > 0.0 { product / square } else { 0.0 }), codes, lost }
}

#[cfg(test)]
mod tests {
    use ndarray::{Array1, Array2};

    use super::{code, pack};
    use crate::factors::Rotation;

    #[test]
    fn what_is_lost_is_what_the_stored_directions_lose() {
        let mut directions = Array2::from_shape_fn((3, 40), |(i, j)| ((i * 40 + j) as f64 * 1.7).sin());
        directions.row_mut(1).mapv_inplace(|x| x.powi(9));
        for mut row in directions.rows_mut() {
            let length = row.dot(&row).sqrt();
            row /= length;
        }
        let mut before = f64::INFINITY;
        for bits in 1..=8 {
            let coded = code(directions.view(), bits);
            let all: Vec<_> = coded.iter().collect();
            let stored = Rotation::Basis(pack(&all, 40, bits)).to_matrix().mapv(f64::from);
            let mut sum = 0.0;
            for ((direction, stored), coded) in directions.rows().into_iter().zip(stored.rows()).zip(&coded) {
                let lost = 1.0 - direction.dot(&stored).powi(2) / stored.dot(&stored);
                assert!((lost - coded.lost).abs() < 1e-6, "{bits} bits: {lost}, not {}", coded.lost);
                let length: Array1<f64> = &direction - &stored;
                // The scale is that of least squares, rounded to f16.
                assert!((length.dot(&length) - lost).abs() < 1e-3, "{bits} bits");
                sum += lost;
            }
            assert!(sum < before, "{bits} bits lose {sum}");
            before = sum;
        }
        assert!(before < 1e-4);
    }
}
