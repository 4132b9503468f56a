//! Each operation of each instruction set by itself.

use half::{bf16, f16};

use super::super::{
    Isa,
    packed::PANEL_WIDTH,
    simd::{Kernel, Number, Simd, widen},
};

struct Widen<'a, T>(&'a [T], &'a mut [f32]);

impl<T: Number> Kernel for Widen<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, isa: S) {
        widen(isa, self.0, self.1);
    }
}

/// Every number of 16 bits widens to what the `half` crate makes of it, to the bit, but for the payload of a NaN.
#[test]
fn all_narrow_numbers_widen_exactly() {
    let all: Vec<u16> = (0..=u16::MAX).collect();
    for isa in Isa::supported() {
        let mut out = vec![f32::INFINITY; all.len()];
        let numbers: Vec<f16> = all.iter().copied().map(f16::from_bits).collect();
        isa.run(Widen(&numbers, &mut out));
        for (number, out) in numbers.iter().zip(&out) {
            let same = out.to_bits() == number.to_f32().to_bits() || (out.is_nan() && number.is_nan());
            assert!(same, "{isa}: f16 {:#06x} gives {out}", number.to_bits());
        }
        let numbers: Vec<bf16> = all.iter().copied().map(bf16::from_bits).collect();
        isa.run(Widen(&numbers, &mut out));
        for (number, out) in numbers.iter().zip(&out) {
            let same = out.to_bits() == number.to_f32().to_bits() || (out.is_nan() && number.is_nan());
            assert!(same, "{isa}: bf16 {:#06x} gives {out}", number.to_bits());
        }
        let numbers: Vec<i8> = (i8::MIN..=i8::MAX).collect();
        let out = &mut out[..numbers.len()];
        isa.run(Widen(&numbers, out));
        assert!(numbers.iter().zip(&*out).all(|(&number, &out)| out == f32::from(number)), "{isa}: {out:?}");
    }
}

/// Every length up to three lines, from every place of an array, and nothing beyond the end.
#[test]
fn parts_of_lines_widen_too() {
    let numbers: Vec<i8> = (0..64).collect();
    for isa in Isa::supported() {
        for start in 0..PANEL_WIDTH {
            for len in 0..=3 * PANEL_WIDTH {
                let mut out = [f32::NAN; 3 * PANEL_WIDTH + 1];
                isa.run(Widen(&numbers[start..start + len], &mut out[..len]));
                let expected = numbers[start..start + len].iter().map(|&number| f32::from(number));
                assert!(out[..len].iter().copied().eq(expected), "{isa} [{start}..][..{len}]: {out:?}");
                assert!(out[len..].iter().all(|number| number.is_nan()), "{isa} [{start}..][..{len}]");
            }
        }
    }
}

struct Transpose<'a>(&'a mut [[f32; PANEL_WIDTH]; PANEL_WIDTH]);

impl Kernel for Transpose<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, isa: S) {
        let columns = isa.transpose(self.0.each_ref().map(|line| isa.load(line)));
        for (line, column) in self.0.iter_mut().zip(columns) {
            isa.store(column, line);
        }
    }
}

#[test]
fn squares_are_transposed() {
    for isa in Isa::supported() {
        let mut lines: [[f32; PANEL_WIDTH]; PANEL_WIDTH] =
            std::array::from_fn(|i| std::array::from_fn(|j| (100 * i + j) as f32));
        isa.run(Transpose(&mut lines));
        for (i, line) in lines.iter().enumerate() {
            for (j, &number) in line.iter().enumerate() {
                assert_eq!(number, (100 * j + i) as f32, "{isa} [{i}, {j}]");
            }
        }
    }
}
