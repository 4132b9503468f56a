//! What quantized factors must be before anything is computed with them, whatever file they come from.

use half::f16;

use super::{BasisCode, CodedBasis, Level, QuantizedFactors, QuantizedParts, Rotation, RowScales};
use crate::embedding::check;

/// No code stands for a larger number of standard deviations.
const MAX_LEVEL: f32 = 8.0;

/// All that can be said without knowing where the rows are.
///
/// # Errors
/// What does not fit together.
pub(super) fn parts(parts: &QuantizedParts) -> Result<(), String> {
    let QuantizedParts { vocab_size, unit, mean, rotation, widths, scales, row_scales, codes, .. } = parts;
    let (rank, dim) = (rotation.rank(), rotation.dim());
    check::table("quantized table [vocab_size, dim]", [*vocab_size, dim]).map_err(|error| error.to_string())?;
    check::addressable(*vocab_size, dim).map_err(|error| error.to_string())?;
    if !unit.is_normal() || unit.to_bits() & (!0 >> (32 - (f32::MANTISSA_DIGITS - 1))) != 0 || *unit < 0.0 {
        return Err(format!("a unit of {unit:e}, which is no power of two"));
    }
    if rank > dim {
        return Err(format!("{rank} directions of {dim} numbers"));
    }
    match rotation {
        Rotation::Basis(basis) => check_basis(basis, *unit)?,
        Rotation::Hadamard { .. } if dim > Rotation::MAX_HADAMARD => {
            return Err(format!("a Hadamard transform of {dim} columns, at most {}", Rotation::MAX_HADAMARD));
        }
        Rotation::Hadamard { .. } => {}
    }
    if let Some(mean) = mean {
        if mean.len() != dim {
            return Err(format!("a mean of {} numbers, expected {dim}", mean.len()));
        }
        check_range("numbers of the mean", largest("mean", mean)? * unit)?;
    }
    if !(1..=QuantizedFactors::MAX_GROUPS).contains(&widths.nrows()) || widths.ncols() != rank {
        let max = QuantizedFactors::MAX_GROUPS;
        return Err(format!("widths {:?}, expected [1 to {max}, {rank}]", widths.shape()));
    }
    if let Some(width) = widths.iter().find(|&&width| width > Level::MAX_WIDTH) {
        return Err(format!("codes of {width} bits"));
    }
    let used = widths.iter().filter(|&&width| width > 0).count();
    if used != scales.len() {
        return Err(format!("{} scales for {used} directions of groups", scales.len()));
    }
    let row_scale = row_scales.map_or(Ok(1.0), largest_row_scale)?;
    check_range("coordinates", largest("scales", scales)? * MAX_LEVEL * row_scale)?;
    let padding = codes.len().saturating_sub(QuantizedFactors::CODE_PADDING);
    match codes.as_slice()[padding..].iter().all(|&byte| byte == 0) {
        true => Ok(()),
        false => Err("the codes do not end with zeros".to_owned()),
    }
}

fn check_basis(basis: &CodedBasis, unit: f32) -> Result<(), String> {
    let CodedBasis { dim, bits, kinds, scales, codes } = basis;
    if !(1..=8).contains(bits) {
        return Err(format!("directions in codes of {bits} bits"));
    }
    if kinds.is_empty() || kinds.len() != scales.len() {
        return Err(format!("{} scales for {} directions", scales.len(), kinds.len()));
    }
    let numbers = kinds.len().checked_mul(*dim).and_then(|numbers| numbers.checked_mul(usize::from(*bits)));
    let expected = numbers.ok_or_else(|| format!("{} directions of {dim} numbers", kinds.len()))?.div_ceil(8);
    if codes.len() != expected {
        return Err(format!("{} bytes of directions, expected {expected}", codes.len()));
    }
    let last = |kind| CodedBasis::level(kind, *bits, (1 << bits) - 1);
    let level = last(BasisCode::Uniform).max(last(BasisCode::LloydMax));
    check_range("directions", largest("scales of the directions", scales)? * level * unit)
}

fn largest_row_scale(scales: RowScales) -> Result<f32, String> {
    let RowScales { bits, min, step } = scales;
    let in_range = (1..=8).contains(&bits) && (0.0..=f32::MAX).contains(&step) && (-149.0..=128.0).contains(&min);
    if !in_range {
        return Err(format!("row scales of {bits} bits from 2^{min:e} on in steps of 2^{step:e}"));
    }
    let largest = scales.table().into_iter().fold(0.0, f32::max);
    check_range("row scales", largest).map(|()| largest)
}

/// The largest magnitude, 0 of none.
fn largest(what: &str, numbers: &[f16]) -> Result<f32, String> {
    match numbers.iter().find(|number| !number.is_finite()) {
        Some(number) => Err(format!("{number} in the {what}")),
        None => Ok(numbers.iter().fold(0.0, |largest, number| largest.max(number.to_f32().abs()))),
    }
}

fn check_range(what: &str, largest: f32) -> Result<(), String> {
    if largest.is_finite() { Ok(()) } else { Err(format!("the {what} are beyond the range of f32")) }
}

#[cfg(test)]
mod tests {
    use ndarray::Array2;
    use rand::{SeedableRng, rngs::ChaCha8Rng};

    use super::*;
    use crate::factors::made_up::MadeUp;

    fn some_parts() -> QuantizedParts {
        let made_up = MadeUp {
            level: Level::Scalar,
            vocab_size: 9,
            rank: 3,
            dim: 5,
            num_groups: 2,
            ranges: false,
            row_scale_bits: Some(4),
            max_width: 8,
        };
        made_up.parts(&mut ChaCha8Rng::seed_from_u64(1))
    }

    #[track_caller]
    fn refused(change: impl FnOnce(&mut QuantizedParts)) -> String {
        let mut changed = some_parts();
        assert_eq!(parts(&changed), Ok(()), "the parts that the others differ from fit together");
        change(&mut changed);
        parts(&changed).expect_err("parts that do not fit together")
    }

    #[test]
    fn units_are_powers_of_two() {
        let above_a_power = f32::from_bits(2.0_f32.powi(100).to_bits() + 1);
        for unit in [0.0, -1.0, 3.0, f32::NAN, f32::INFINITY, f32::from_bits(1), above_a_power] {
            assert_eq!(refused(|parts| parts.unit = unit), format!("a unit of {unit:e}, which is no power of two"));
        }
    }

    #[test]
    fn sizes_that_no_memory_holds_are_refused() {
        let dim = Rotation::MAX_HADAMARD + 1;
        let hadamard = refused(|parts| parts.rotation = Rotation::Hadamard { seed: 1, dim });
        assert_eq!(hadamard, "a Hadamard transform of 8193 columns, at most 8192");
        let huge = refused(|parts| {
            let Rotation::Basis(basis) = &mut parts.rotation else { return };
            // 3 · dim · 5 bits are 8 bytes more than 2⁶⁴ bits.
            basis.dim = usize::MAX / 15 + 5;
            parts.vocab_size = 1;
        });
        assert_eq!(huge, format!("3 directions of {} numbers", usize::MAX / 15 + 5));
    }

    #[test]
    fn coordinates_beyond_the_range_of_f32_are_refused() {
        let reason = refused(|parts| {
            parts.row_scales = Some(RowScales { bits: 4, min: 100.0, step: 1.9 });
            parts.scales.fill(f16::MAX);
        });
        assert_eq!(reason, "the coordinates are beyond the range of f32");
    }

    #[test]
    fn widths_have_a_column_for_each_direction() {
        let reason = refused(|parts| parts.widths = Array2::zeros((2, 4)));
        assert_eq!(reason, "widths [2, 4], expected [1 to 16, 3]");
    }
}
