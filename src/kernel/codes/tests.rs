//! Codes that every instruction set of this machine reads, against the reference.

use std::sync::LazyLock;

use ndarray::{Array1, Array2};
use rand::{RngExt, SeedableRng, rngs::ChaCha8Rng};

use super::{
    super::{
        Isa,
        packed::PANEL_WIDTH,
        simd::{Kernel, Simd},
    },
    CodeLayout, CodedRows, Mirrored, Table, Unpacking, decode_rows,
};
use crate::factors::{Level, QuantizedFactors, made_up::MadeUp, read_bits};

/// Looks up sixteen numbers, by a permutation where the table is small enough for it.
struct LookUp<'a> {
    step: usize,
    offset: usize,
    bytes: &'a [u8; 16],
    table: &'a [f32],
}

impl Kernel for LookUp<'_> {
    type Output = [f32; PANEL_WIDTH];

    #[inline(always)]
    fn run<S: Simd>(self, isa: S) -> [f32; PANEL_WIDTH] {
        let unpacking = isa.unpacking(Unpacking::new(self.step, self.offset));
        let codes = isa.unpack(unpacking, self.bytes);
        let values = match self.table.as_chunks() {
            ([line], []) => isa.permute(isa.load(line), codes),
            ([low, high], []) => isa.permute_two([isa.load(low), isa.load(high)], codes),
            _ => isa.look_up(Table::new(self.table), codes),
        };
        let mut out = [f32::NAN; PANEL_WIDTH];
        isa.store(values, &mut out);
        out
    }
}

/// The tables of steps of 1 to 4 bits.
static MIRRORED: LazyLock<[Mirrored; 4]> = LazyLock::new(|| {
    [1, 2, 3, 4].map(|width| Mirrored::new(Level::Trellis.codebook(width)).expect("a mirrored table"))
});

/// Looks up sixteen numbers in a table of the trellis.
struct LookUpMirrored<'a> {
    bytes: &'a [u8; 16],
    table: &'static Mirrored,
}

impl Kernel for LookUpMirrored<'_> {
    type Output = [f32; PANEL_WIDTH];

    #[inline(always)]
    fn run<S: Simd>(self, isa: S) -> [f32; PANEL_WIDTH] {
        let codes = isa.unpack(isa.unpacking(Unpacking::new(7, 0)), self.bytes);
        let mut out = [f32::NAN; PANEL_WIDTH];
        isa.store(isa.look_up_mirrored(isa.mirrored(self.table), codes), &mut out);
        out
    }
}

/// The same for four rows at once.
struct LookUpMirroredFour<'a> {
    bytes: [&'a [u8; 16]; 4],
    table: &'static Mirrored,
}

impl Kernel for LookUpMirroredFour<'_> {
    type Output = [[f32; PANEL_WIDTH]; 4];

    #[inline(always)]
    fn run<S: Simd>(self, isa: S) -> [[f32; PANEL_WIDTH]; 4] {
        let unpacking = isa.unpacking(Unpacking::new(7, 0));
        let codes = self.bytes.map(|bytes| isa.unpack(unpacking, bytes));
        let mut out = [[f32::NAN; PANEL_WIDTH]; 4];
        for (values, out) in isa.look_up_mirrored_four(isa.mirrored(self.table), codes).into_iter().zip(&mut out) {
            isa.store(values, out);
        }
        out
    }
}

/// With the instructions that only codes are read with, and without.
#[test]
fn four_rows_are_looked_up_as_one() {
    let mut rng = ChaCha8Rng::seed_from_u64(6);
    for width in 1..=4 {
        let table = Level::Trellis.codebook(width);
        let mirrored = &MIRRORED[usize::from(width) - 1];
        for isa in Isa::supported() {
            for _ in 0..1000 {
                let bytes: [[u8; 16]; 4] = rng.random();
                let expected = bytes.map(|bytes| std::array::from_fn(|i| table[read_bits(&bytes, 7 * i, 10) as usize]));
                let four = || LookUpMirroredFour { bytes: bytes.each_ref(), table: mirrored };
                assert_eq!(isa.run(four()), expected, "{isa} width {width}");
                assert_eq!(isa.run_codes(four()), expected, "{isa} width {width}, codes");
            }
        }
    }
}

/// With the instructions that only codes are read with, and without.
#[test]
fn mirrored_tables_are_those_of_the_trellis() {
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    for width in 1..=4 {
        let table = Level::Trellis.codebook(width);
        let mirrored = &MIRRORED[usize::from(width) - 1];
        for isa in Isa::supported() {
            for _ in 0..1000 {
                let bytes: [u8; 16] = rng.random();
                let expected = (0..16).map(|i| table[read_bits(&bytes, 7 * i, 10) as usize]);
                for out in [
                    isa.run(LookUpMirrored { bytes: &bytes, table: mirrored }),
                    isa.run_codes(LookUpMirrored { bytes: &bytes, table: mirrored }),
                ] {
                    assert!(out.iter().copied().eq(expected.clone()), "{isa} width {width}: {out:?}");
                }
            }
        }
    }
}

/// Codes of every width next to each other, and windows of a trellis, which overlap, from every bit of a byte on.
#[test]
fn numbers_of_bits_index_tables() {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    for isa in Isa::supported() {
        for bits in 1..=12_usize {
            let table: Vec<f32> = (0..1 << bits).map(|i| i as f32).collect();
            for step in 1..=bits.min(8) {
                for offset in (0..8).filter(|offset| offset + 15 * step + bits <= 128) {
                    let bytes: [u8; 16] = rng.random();
                    let out = isa.run(LookUp { step, offset, bytes: &bytes, table: &table });
                    let expected = (0..PANEL_WIDTH).map(|i| read_bits(&bytes, offset + i * step, bits) as f32);
                    assert!(
                        out.iter().copied().eq(expected),
                        "{isa}: {bits} bits, {step} apart, from {offset}: {out:?}"
                    );
                }
            }
        }
    }
}

fn made_up(level: Level, vocab_size: usize, rank: usize) -> MadeUp {
    let (num_groups, ranges, row_scale_bits) = (1, true, None);
    MadeUp { level, vocab_size, rank, dim: rank.max(1), num_groups, ranges, row_scale_bits, max_width: 8 }
}

/// Every number of every row is that of the reference, to the bit, for every instruction set.
fn check(factors: &QuantizedFactors) {
    let layout = CodeLayout::new(factors);
    let coded = CodedRows::new(factors, &layout);
    let (vocab_size, rank) = (factors.vocab_size(), layout.rank());
    let mut reference = Array2::zeros((vocab_size, factors.rank()));
    for (row, out) in reference.rows_mut().into_iter().enumerate() {
        factors.decode(row, out);
    }
    // Directions that no group uses are left out, and the others may be in another order.
    let reference = layout.select(&reference.t().to_owned()).t().to_owned();
    for isa in Isa::supported() {
        for range in [0..vocab_size, vocab_size / 2..vocab_size, 1.min(vocab_size)..1.min(vocab_size)] {
            let mut decoded = Array2::from_elem((range.len(), rank), f32::NAN);
            if let Some(decoded) = decoded.as_slice_mut() {
                decode_rows(isa, coded, range.clone(), decoded);
            }
            for (row, decoded) in range.zip(decoded.rows()) {
                assert_eq!(decoded, reference.row(row), "{isa}: row {row}, widths {:?}", factors.widths());
            }
        }
    }
}

#[test]
fn runs_of_every_width_and_length_are_read() {
    let mut rng = ChaCha8Rng::seed_from_u64(2);
    for width in 1..=8_u8 {
        for count in 1..=40 {
            // Wider codes before it, so that the run begins with every bit of a byte.
            for before in 0..8_usize {
                let wider: Vec<u8> = (0..before).map(|_| rng.random_range(width..=8)).collect();
                let mut widths = [wider, vec![width; count]].concat();
                widths.reverse();
                let made_up = made_up(Level::Scalar, 3, widths.len());
                let made_up = MadeUp { row_scale_bits: (count % 3 > 0).then_some(1 + before as u8), ..made_up };
                let widths = Array1::from(widths).insert_axis(ndarray::Axis(0));
                check(&QuantizedFactors::new(made_up.parts_of(widths, &mut rng)).expect("parts that fit together"));
            }
        }
    }
}

#[test]
fn circles_of_every_length_are_read() {
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    for bits in 32..160_usize {
        for _ in 0..8 {
            // Steps of all widths, or of the narrower ones, and scalar codes before them.
            let mut widths: Vec<u8> = (0..rng.random_range(0..5)).map(|_| rng.random_range(5..=8)).collect();
            let (mut left, widest) = (bits, rng.random_range(1..=4_u8));
            while left > 0 {
                let width = rng.random_range(1..=widest.min(left as u8));
                widths.push(width);
                left -= usize::from(width);
            }
            let made_up = MadeUp { row_scale_bits: Some(5), ..made_up(Level::Trellis, 3, widths.len()) };
            let widths = Array1::from(widths).insert_axis(ndarray::Axis(0));
            let factors = QuantizedFactors::new(made_up.parts_of(widths, &mut rng)).expect("parts that fit together");
            assert_eq!(factors.groups()[0].trellis_bits, bits);
            check(&factors);
        }
    }
}

#[test]
fn groups_of_all_kinds_are_read() {
    let mut rng = ChaCha8Rng::seed_from_u64(4);
    for level in [Level::Scalar, Level::Trellis] {
        for (i, rank) in [0, 1, 2, 15, 16, 17, 31, 33, 64, 100].into_iter().enumerate() {
            for max_width in [0, 1, 4, 8] {
                let num_groups = [1, 3, 16][i % 3];
                let ranges = (i + usize::from(max_width)) % 2 == 0;
                let row_scale_bits = [None, Some(8), Some(3)][(i + usize::from(max_width)) % 3];
                let made_up =
                    MadeUp { num_groups, ranges, row_scale_bits, max_width, ..made_up(level, 150, rank.max(1)) };
                check(&made_up.factors(&mut rng));
            }
        }
    }
}
