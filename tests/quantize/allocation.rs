//! Reverse water-filling, by itself.

use factorized_embedding::{
    Error,
    quantize::{BitAllocation, Level, WaterFilling},
};
use ndarray::{Array2, array};
use proptest::{collection::vec, prelude::*};

/// Mean squared errors of scalar codes of 0 to 3 bits (Max 1960, table 1).
const DISTORTIONS: [f64; 4] = [1.0, 0.36338, 0.11748, 0.03455];

fn allocate(water: &WaterFilling, bytes: usize) -> BitAllocation {
    water.allocate(bytes).expect("bytes enough for a width table")
}

/// The least energy lost by any widths of 0 to 3 bits of one group × three directions.
fn brute_force(energies: [f64; 3], rows: usize, row_bits: usize, direction_bits: usize, bytes: usize) -> f64 {
    let mut least = f64::INFINITY;
    for widths in 0..64_usize {
        let widths = [widths % 4, widths / 4 % 4, widths / 16];
        let bits: usize = widths.iter().sum();
        let used = widths.iter().filter(|&&width| width > 0).count();
        let row_bytes = if bits == 0 { 0 } else { (bits + row_bits).div_ceil(8) };
        let stored = used.max(1);
        let taken = rows * row_bytes + 2 * used + (stored * direction_bits).div_ceil(8) + stored.div_ceil(2);
        if taken <= bytes {
            least = least.min(energies.iter().zip(widths).map(|(energy, width)| energy * DISTORTIONS[width]).sum());
        }
    }
    least
}

#[test]
fn nearly_as_good_as_any_widths() {
    let mut worst: f64 = 1.0;
    for energies in [[8.0, 4.0, 1.0], [1.0, 1.0, 1.0], [100.0, 1.0, 0.5]] {
        for (rows, row_bits, direction_bits) in [(50, 0, 40), (1000, 6, 40), (10, 0, 8)] {
            let water = WaterFilling::new(array![energies].view(), &[rows], Level::Scalar)
                .expect("energies")
                .with_row_bits(row_bits)
                .with_direction_bits(direction_bits);
            for bytes in [rows / 2 + 30, rows + 30, 2 * rows + 30] {
                let found = allocate(&water, bytes);
                assert!(found.bytes <= bytes);
                let least = brute_force(energies, rows, row_bits, direction_bits, bytes);
                worst = worst.max(found.error / least);
            }
        }
    }
    // Wider codes than three bits may do better; what is filled greedily, so that more bytes never give more error, may do worse: in so
    // few directions by a part of a bit.
    assert!(worst < 1.25, "{worst} times the least error");
}

#[test]
fn a_direction_has_to_pay_for_itself() {
    let water = WaterFilling::new(array![[4.0, 1e-3]].view(), &[100], Level::Scalar).expect("energies");
    let free = allocate(&water.clone(), 200);
    assert!(free.widths[[0, 1]] > 0, "{:?}", free.widths);
    let dear = allocate(&water.with_direction_bits(8 * 90), 300);
    assert_eq!(dear.widths[[0, 1]], 0, "{:?}", dear.widths);
    assert!(dear.widths[[0, 0]] > 4);
}

#[test]
fn groups_that_begin_with_different_directions_pay_for_both() {
    let water = WaterFilling::new(array![[4.0, 1.0], [1.0, 4.0]].view(), &[100, 100], Level::Scalar).expect("energies");
    let water = water.with_direction_bits(8 * 300);
    for bytes in water.min_bytes()..1200 {
        let found = allocate(&water, bytes);
        assert!(found.bytes <= bytes, "{} of {bytes} bytes: {:?}", found.bytes, found.widths);
    }
}

#[test]
fn rows_are_filled_up_with_bits() {
    // Five directions of 1 bit leave three bits of a byte.
    let water = WaterFilling::new(Array2::ones((1, 5)).view(), &[1000], Level::Scalar).expect("energies");
    let found = allocate(&water, 1100);
    assert_eq!(found.widths.iter().map(|&width| u32::from(width)).sum::<u32>(), 8, "{:?}", found.widths);
}

#[test]
fn more_bytes_than_codes_can_use() {
    let water = WaterFilling::new(array![[2.0, 1.0], [1.0, 0.0]].view(), &[10, 10], Level::Scalar).expect("energies");
    let found = allocate(&water, 1 << 30);
    assert_eq!(found.widths, array![[8, 8], [8, 0]], "what has no energy needs no bits");
    let none = WaterFilling::new(Array2::zeros((2, 3)).view(), &[10, 0], Level::Trellis).expect("energies");
    let found = allocate(&none, 1000);
    assert_eq!((found.widths, found.error), (Array2::zeros((2, 3)), 0.0));
}

#[test]
fn nothing_fits_into_too_few_bytes() {
    let water = WaterFilling::new(array![[2.0, 1.0]].view(), &[10], Level::Scalar).expect("energies");
    let water = water.with_direction_bits(80);
    assert_eq!(water.min_bytes(), 11);
    assert_eq!(water.allocate(10), None);
    let empty = allocate(&water, 11);
    assert_eq!((empty.widths, empty.bytes, empty.error), (array![[0, 0]], 11, 3.0));
}

#[test]
fn what_is_no_energy_is_refused() {
    let new = |energies: Array2<f64>, rows: &[usize]| WaterFilling::new(energies.view(), rows, Level::Scalar);
    assert!(matches!(new(Array2::zeros((0, 3)), &[]), Err(Error::Empty { .. })));
    assert!(matches!(new(Array2::zeros((1, 0)), &[1]), Err(Error::Empty { .. })));
    assert!(matches!(new(Array2::zeros((2, 3)), &[1]), Err(Error::ShapeMismatch { .. })));
    assert!(matches!(new(array![[1.0, f64::NAN]], &[1]), Err(Error::NonFinite { .. })));
    assert!(matches!(new(array![[1.0, -1.0]], &[1]), Err(Error::InvalidSetting { name: "energy", .. })));
    assert!(matches!(new(Array2::zeros((17, 1)), &[1; 17]), Err(Error::InvalidSetting { .. })));
    assert!(matches!(new(array![[1e308, 1e308]], &[1]), Err(Error::Overflow { .. })));
    assert!(matches!(new(array![[1.0], [1.0]], &[u32::MAX as usize, 1]), Err(Error::Overflow { .. })));
}

fn waters() -> impl Strategy<Value = WaterFilling> {
    let shape = (1..=4_usize, 1..=16_usize);
    shape.prop_flat_map(|(groups, rank)| {
        let energies = vec(-20.0..20.0_f64, groups * rank);
        let settings = (0..=8_usize, proptest::option::of(1..=800_usize));
        (energies, vec(0..2000_usize, groups), settings).prop_map(move |(logs, rows, settings)| {
            let (row_bits, direction_bits) = settings;
            let energies = Array2::from_shape_fn((groups, rank), |(group, j)| {
                // Groups without rows have no energy.
                if rows[group] == 0 { 0.0 } else { logs[group * rank + j].exp2() }
            });
            let water =
                WaterFilling::new(energies.view(), &rows, Level::Scalar).expect("energies").with_row_bits(row_bits);
            direction_bits.map_or(water.clone(), |bits| water.with_direction_bits(bits))
        })
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn more_bytes_never_give_more_error(water in waters(), mut bytes in vec(0..30_000_usize, 8)) {
        bytes.sort_unstable();
        bytes.extend([bytes[0] + 1, bytes[0] + 2, bytes[7] + 1]);
        bytes.sort_unstable();
        let mut before = f64::INFINITY;
        for bytes in bytes {
            let Some(found) = water.allocate(bytes) else {
                prop_assert!(bytes < water.min_bytes());
                continue;
            };
            prop_assert!(found.bytes <= bytes);
            prop_assert!(found.error <= before * (1.0 + 1e-12), "{bytes} bytes: {}, before {before}", found.error);
            before = found.error;
        }
    }

    #[test]
    fn the_unit_of_energies_does_not_matter(logs in vec(-20.0..20.0_f64, 12), exponent in -200..200_i32) {
        let energies = Array2::from_shape_fn((2, 6), |(group, j)| logs[6 * group + j].exp2());
        let water = |energies: &Array2<f64>| {
            WaterFilling::new(energies.view(), &[100, 300], Level::Scalar).expect("energies")
        };
        let scaled = &energies * f64::from(exponent).exp2();
        prop_assert_eq!(allocate(&water(&energies), 900).widths, allocate(&water(&scaled), 900).widths);
    }
}
