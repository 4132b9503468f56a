//! Plain loops with the vectors of an instruction set: the compiler makes them. No number is rounded otherwise than without.

use super::{
    Isa,
    simd::{Kernel, Simd},
};

/// A loop over numbers, none of whose results depends on others of its numbers.
pub(crate) trait Loop {
    type Output;

    /// To be inlined into [`vectorize`], with everything that it calls: outside, the compiler does not use the instruction set.
    fn run(self) -> Self::Output;
}

/// Runs a loop with the best instruction set of the machine.
pub(crate) fn vectorize<L: Loop>(numbers: L) -> L::Output {
    Isa::best().run(Vectorized(numbers))
}

/// Whether there is neither NaN nor an infinity.
pub(crate) fn all_finite(numbers: &[f32]) -> bool {
    /// Numbers that are looked at before the answer can be no.
    const CHUNK: usize = 4096;
    numbers.chunks(CHUNK).all(|chunk| vectorize(AllFinite(chunk)))
}

struct Vectorized<L>(L);

impl<L: Loop> Kernel for Vectorized<L> {
    type Output = L::Output;

    #[inline(always)]
    fn run<S: Simd>(self, _: S) -> L::Output {
        self.0.run()
    }
}

struct AllFinite<'a>(&'a [f32]);

impl Loop for AllFinite<'_> {
    type Output = bool;

    /// By the largest exponent.
    #[inline(always)]
    fn run(self) -> bool {
        const EXPONENT: u32 = f32::INFINITY.to_bits();
        self.0.iter().fold(0, |largest, number| largest.max(number.to_bits() & EXPONENT)) < EXPONENT
    }
}

#[cfg(test)]
mod tests {
    use super::all_finite;

    /// Wherever it stands, and whatever its sign.
    #[test]
    fn one_number_is_found() {
        for len in [1, 15, 16, 17, 100, 4096, 4097, 9000] {
            let mut numbers = vec![f32::MAX; len];
            assert!(all_finite(&numbers), "{len}");
            for place in [0, len / 2, len - 1] {
                for number in [f32::NAN, -f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
                    numbers[place] = number;
                    assert!(!all_finite(&numbers), "{number} at {place} of {len}");
                }
                numbers[place] = -f32::MIN_POSITIVE / 2.0;
            }
        }
        assert!(all_finite(&[]));
    }
}
