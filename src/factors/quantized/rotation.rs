//! The directions that the coordinates of rows are measured in.

use half::f16;
use ndarray::{Array2, Axis};

use super::{bits::read_bits, lloyd_max::lloyd_max};

/// Directions V̂ \[rank × dim\]: a row is its coordinates times V̂, plus the mean.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Rotation {
    /// Directions that were found in the table, coded themselves.
    Basis(CodedBasis),
    /// A randomised Hadamard transform of `dim` columns: all directions, and no bytes.
    Hadamard {
        /// What its signs follow from.
        seed: u64,
        /// Columns of the table, and how many directions there are.
        dim: usize,
    },
}

impl Rotation {
    /// Columns of the largest Hadamard transform: it takes no bytes of a file, but dim² numbers in memory.
    pub(crate) const MAX_HADAMARD: usize = 1 << 13;

    pub(crate) fn rank(&self) -> usize {
        match self {
            Self::Basis(basis) => basis.kinds.len(),
            Self::Hadamard { dim, .. } => *dim,
        }
    }

    pub(crate) fn dim(&self) -> usize {
        match self {
            Self::Basis(basis) => basis.dim,
            Self::Hadamard { dim, .. } => *dim,
        }
    }

    /// V̂ \[rank, dim\]
    pub(crate) fn to_matrix(&self) -> Array2<f32> {
        match self {
            Self::Basis(basis) => basis.to_matrix(),
            Self::Hadamard { seed, dim } => hadamard(*seed, *dim),
        }
    }

    pub(crate) fn size_in_bytes(&self) -> usize {
        match self {
            Self::Basis(basis) => basis.codes.len() + basis.kinds.len().div_ceil(8) + 2 * basis.scales.len(),
            Self::Hadamard { .. } => size_of::<u64>(),
        }
    }
}

/// How the numbers of a direction are coded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum BasisCode {
    /// In even steps: code c stands for c − (2ᵇ − 1) / 2.
    Uniform = 0,
    /// With the [Lloyd–Max](lloyd_max) quantizer.
    LloydMax = 1,
}

/// Directions \[rank × dim\] in codes of `bits` bits, direction by direction, one behind the other.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct CodedBasis {
    pub(crate) dim: usize,
    /// Bits of a code, 1 to 8.
    pub(crate) bits: u8,
    /// How each direction is coded \[rank\].
    pub(crate) kinds: Vec<BasisCode>,
    /// What the codes of each direction are multiplied with \[rank\].
    pub(crate) scales: Vec<f16>,
    /// \[⌈rank · dim · bits / 8⌉\]
    pub(crate) codes: Vec<u8>,
}

impl CodedBasis {
    /// What a code stands for, before it is scaled.
    pub(crate) fn level(kind: BasisCode, bits: u8, code: u32) -> f32 {
        match kind {
            BasisCode::Uniform => code as f32 - ((1_u32 << bits) - 1) as f32 / 2.0,
            BasisCode::LloydMax => lloyd_max(bits)[code as usize],
        }
    }

    fn to_matrix(&self) -> Array2<f32> {
        let mut matrix = Array2::zeros((self.kinds.len(), self.dim));
        let mut start = 0;
        for ((mut row, &kind), scale) in matrix.axis_iter_mut(Axis(0)).zip(&self.kinds).zip(&self.scales) {
            let levels: Vec<f32> =
                (0..1 << self.bits).map(|code| scale.to_f32() * Self::level(kind, self.bits, code)).collect();
            for number in &mut row {
                *number = levels[read_bits(&self.codes, start, usize::from(self.bits)) as usize];
                start += usize::from(self.bits);
            }
        }
        matrix
    }
}

/// An orthogonal matrix \[dim, dim\]: twice, signs of `SplitMix64` (Steele, Lea & Flood 2014) for all columns, and then
/// Walsh–Hadamard transforms of the first and of the last columns, as many as the largest power of two up to `dim`.
fn hadamard(seed: u64, dim: usize) -> Array2<f32> {
    let mut state = seed;
    let mut signs =
        || -> Vec<f64> { (0..dim).map(|_| if split_mix(&mut state) >> 63 == 0 { 1.0 } else { -1.0 }).collect() };
    let rounds = [signs(), signs()];
    let size = 1 << dim.ilog2();
    let mut matrix = Array2::zeros((dim, dim));
    let mut column = vec![0.0; dim];
    for j in 0..dim {
        column.fill(0.0);
        column[j] = 1.0;
        for signs in &rounds {
            column.iter_mut().zip(signs).for_each(|(number, sign)| *number *= sign);
            walsh_hadamard(&mut column[..size]);
            if size < dim {
                walsh_hadamard(&mut column[dim - size..]);
            }
        }
        matrix.column_mut(j).iter_mut().zip(&column).for_each(|(out, &number)| *out = number as f32);
    }
    matrix
}

/// The orthonormal Walsh–Hadamard transform of as many numbers as a power of two.
fn walsh_hadamard(numbers: &mut [f64]) {
    let mut half = 1;
    while half < numbers.len() {
        for pair in numbers.chunks_exact_mut(2 * half) {
            let (low, high) = pair.split_at_mut(half);
            for (a, b) in low.iter_mut().zip(high) {
                (*a, *b) = (*a + *b, *a - *b);
            }
        }
        half *= 2;
    }
    let scale = (numbers.len() as f64).sqrt().recip();
    numbers.iter_mut().for_each(|number| *number *= scale);
}

fn split_mix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::hadamard;

    #[test]
    fn the_hadamard_transform_is_orthogonal() {
        for dim in [1, 2, 3, 7, 8, 50, 96] {
            let matrix = hadamard(7, dim).mapv(f64::from);
            let product = matrix.dot(&matrix.t());
            for ((i, j), &value) in product.indexed_iter() {
                let expected = if i == j { 1.0 } else { 0.0 };
                assert!((value - expected).abs() < 1e-6, "dim {dim}: ({i}, {j}) is {value}");
            }
            assert!(dim == 1 || hadamard(8, dim) != hadamard(7, dim));
        }
    }
}
