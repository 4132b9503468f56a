//! Quantized factors of random codes, for tests of what reads them.

use half::f16;
use ndarray::Array2;
use rand::{Rng, RngExt};

use super::{
    BLOCK_ROWS, BasisCode, CodeGroup, CodedBasis, Level, QuantizedFactors, QuantizedParts, Rotation, RowGroupIds,
    RowScales, SharedBytes,
};

/// What made-up factors are to be like.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MadeUp {
    pub(crate) level: Level,
    pub(crate) vocab_size: usize,
    pub(crate) rank: usize,
    pub(crate) dim: usize,
    pub(crate) num_groups: usize,
    /// Ranges of ids instead of numbers.
    pub(crate) ranges: bool,
    pub(crate) row_scale_bits: Option<u8>,
    pub(crate) max_width: u8,
}

impl MadeUp {
    pub(crate) fn parts(self, rng: &mut impl Rng) -> QuantizedParts {
        let widths = Array2::from_shape_fn((self.num_groups, self.rank), |_| rng.random_range(0..=self.max_width));
        self.parts_of(widths, rng)
    }

    /// With given widths \[`num_groups`, rank\].
    pub(crate) fn parts_of(self, widths: Array2<u8>, rng: &mut impl Rng) -> QuantizedParts {
        let Self { level, vocab_size, rank, dim, num_groups, ranges, row_scale_bits, .. } = self;
        let mut number = |max: f32| f16::from_f32(rng.random_range(-max..max));
        let used = widths.iter().filter(|&&width| width > 0).count();
        let scales: Vec<f16> = (0..used).map(|_| f16::from_f32(number(1.0).to_f32().abs())).collect();
        let mean = Some((0..dim).map(|_| number(0.5)).collect());
        let basis_scales = (0..rank).map(|_| number(0.1)).collect();
        let kinds = (0..rank).map(|i| if i % 2 == 0 { BasisCode::Uniform } else { BasisCode::LloydMax }).collect();
        let bits = 5;
        let codes = (0..(rank * dim * 5).div_ceil(8)).map(|_| rng.random()).collect();
        let rotation = Rotation::Basis(CodedBasis { dim, bits, kinds, scales: basis_scales, codes });
        let row_scales = row_scale_bits.map(|bits| RowScales { bits, min: -3.0, step: 5.0 / 256.0 });
        let bytes_of: Vec<usize> = widths
            .rows()
            .into_iter()
            .map(|widths| {
                let group = CodeGroup::new(level, widths.to_vec(), Vec::new(), row_scale_bits.map_or(0, usize::from));
                group.row_bytes()
            })
            .collect();
        let mut groups: Vec<usize> = (0..vocab_size).map(|_| rng.random_range(0..num_groups)).collect();
        let row_groups = if ranges {
            groups.sort_unstable();
            RowGroupIds::Ranges((0..num_groups).map(|g| groups.partition_point(|&other| other < g) as u32).collect())
        } else {
            let (mut numbers, mut offsets, mut start) = (vec![0; vocab_size.div_ceil(2)], Vec::new(), 0);
            for (row, &group) in groups.iter().enumerate() {
                if row % BLOCK_ROWS == 0 {
                    offsets.extend((start as u32).to_le_bytes());
                }
                numbers[row / 2] |= (group << (4 * (row % 2))) as u8;
                start += bytes_of[group];
            }
            RowGroupIds::Numbers { numbers: SharedBytes::new(numbers), offsets: SharedBytes::new(offsets) }
        };
        // Whatever bits there are, they are codes; the zeros that fill up a row need not be zeros to be decoded.
        let num_bytes: usize = groups.iter().map(|&group| bytes_of[group]).sum();
        let mut codes: Vec<u8> = (0..num_bytes).map(|_| rng.random()).collect();
        codes.resize(num_bytes + QuantizedFactors::CODE_PADDING, 0);
        let codes = SharedBytes::new(codes);
        QuantizedParts { level, vocab_size, unit: 0.5, mean, rotation, widths, scales, row_scales, row_groups, codes }
    }

    pub(crate) fn factors(self, rng: &mut impl Rng) -> QuantizedFactors {
        QuantizedFactors::new(self.parts(rng)).expect("parts that fit together")
    }
}

#[cfg(test)]
mod tests {
    use rand::{SeedableRng, rngs::ChaCha8Rng};

    use super::*;

    #[test]
    fn rows_are_found_one_behind_the_other() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        for ranges in [false, true] {
            for vocab_size in [1, 2, 63, 64, 65, 200] {
                let made_up = MadeUp {
                    level: Level::Scalar,
                    vocab_size,
                    rank: 5,
                    dim: 7,
                    num_groups: 4,
                    ranges,
                    row_scale_bits: Some(6),
                    max_width: 8,
                };
                let factors = made_up.factors(&mut rng);
                let mut end = 0;
                for row in 0..vocab_size {
                    let (group, place) = factors.places().find(row);
                    assert_eq!((factors.places().group_of(row), end), (group, place), "row {row}");
                    end += factors.groups()[group].row_bytes();
                }
                assert_eq!(end + QuantizedFactors::CODE_PADDING, factors.codes().len());
            }
        }
    }
}
