//! Ranks against all rank vectors that the budget allows.

use super::checks::{Weighted, direction_bytes, interleaved, lost, plenty};
use crate::support::random;
use factorized_embedding::RowGroups;
use ndarray::{Array1, Array2, Axis, concatenate};

/// The least that any ranks lose within so many bytes.
fn least_lost(energies: &[Array1<f64>], bytes_of: &[usize], bytes: usize) -> f64 {
    let Some((first, rest)) = energies.split_first() else { return 0.0 };
    let lost_at = |rank: usize| lost(std::slice::from_ref(first), &[rank]);
    let affordable = (0..=first.len()).take_while(|rank| rank * bytes_of[0] <= bytes);
    affordable
        .map(|rank| lost_at(rank) + least_lost(rest, &bytes_of[1..], bytes - rank * bytes_of[0]))
        .fold(f64::INFINITY, f64::min)
}

/// Every budget: what is lost, the least that could be lost, and the energy of the first step that did not fit at most.
fn compare(table: &Array2<f32>, groups: &RowGroups, mut check: impl FnMut(usize, f64, f64, f64)) {
    let dim = table.ncols();
    for weighted in [Weighted::plain(table), Weighted::by_counts(table)] {
        let energies = weighted.energies(groups.group_of(), groups.num_groups());
        let bytes_of: Vec<usize> = groups.sizes().iter().map(|&rows| direction_bytes(rows, dim)).collect();
        let smallest = table.nrows() + bytes_of.iter().min().expect("groups");
        for bytes in (smallest..plenty(table.view(), groups)).step_by(17) {
            let ranks = weighted.decompose(groups, bytes).factors.ranks();
            let next = energies.iter().zip(&ranks).filter_map(|(energies, &rank)| energies.get(rank));
            let step = next.fold(0.0, |a: f64, &b| a.max(b));
            let least = least_lost(&energies, &bytes_of, bytes - table.nrows());
            check(bytes, lost(&energies, &ranks), least, step);
        }
    }
}

#[test]
fn the_ranks_are_the_best_but_for_the_step_that_did_not_fit() {
    let scales = [5.0, 1.0, 0.3];
    for (seed, sizes) in [[3, 9, 20], [1, 10, 10], [20, 5, 2]].into_iter().enumerate() {
        let parts = sizes.map(|rows| random::normal((rows, 5), (50 + 3 * seed + rows) as u64));
        let parts: Vec<_> = parts.iter().zip(scales).map(|(part, scale)| part * scale).collect();
        let table = concatenate![Axis(0), parts[0], parts[1], parts[2]];
        let group_of: Vec<u8> = (0..).zip(sizes).flat_map(|(group, rows)| vec![group; rows]).collect();
        let groups = RowGroups::from_group_of(group_of).expect("rows");
        let mut budgets = 0;
        compare(&table, &groups, |bytes, lost, least, step| {
            budgets += 1;
            let rounding = 1e-9 * (lost + step);
            assert!(lost >= least - rounding, "{sizes:?}, {bytes} bytes: {lost} is less than can be, {least}");
            assert!(lost <= least + step + rounding, "{sizes:?}, {bytes} bytes: {lost}, best {least}, step {step}");
        });
        assert!(budgets > 20);
    }
}

#[test]
fn of_groups_of_one_size_the_ranks_are_the_best() {
    let table =
        random::normal((24, 4), 60) * Array2::from_shape_fn((24, 1), |(row, _)| 3.0_f32.powi(-(row as i32 % 3)));
    compare(&table, &interleaved(24, 3), |bytes, lost, least, _| {
        assert!((lost - least).abs() <= 1e-9 * (lost + 1.0), "{bytes} bytes: {lost} is not the least, {least}");
    });
}

#[test]
fn what_counts_is_energy_per_byte() {
    // A direction of twenty rows holds 20, and one of a single row only 9, but in far fewer bytes.
    let large = Array2::from_shape_fn((20, 2), |(_, column)| if column == 0 { 1.0 } else { 0.0 });
    let table = concatenate![Axis(0), large, Array2::from_elem((1, 2), 4.5_f32.sqrt())];
    let groups = RowGroups::from_group_of([vec![0; 20], vec![1]].concat()).expect("rows");
    let bytes = 21 + direction_bytes(20, 2);
    assert_eq!(Weighted::plain(&table).decompose(&groups, bytes).factors.ranks(), [0, 1]);
    let bytes = bytes + direction_bytes(1, 2);
    assert_eq!(Weighted::plain(&table).decompose(&groups, bytes).factors.ranks(), [1, 1]);
}

#[test]
fn what_a_large_step_leaves_goes_to_smaller_ones() {
    // The large group's first direction holds the most energy per byte; its second one does not fit, and has more
    // energy per byte than those of the small group, which do.
    let large = Array2::from_shape_fn((20, 2), |(row, column)| if row % 2 == column { 1.0 } else { 0.0 });
    let small = ndarray::array![[0.1, 0.0], [0.0, 0.1]];
    let table = concatenate![Axis(0), large, small];
    let groups = RowGroups::from_group_of([vec![0; 20], vec![1; 2]].concat()).expect("rows");
    let bytes = 22 + direction_bytes(20, 2) + direction_bytes(2, 2);
    assert_eq!(Weighted::plain(&table).decompose(&groups, bytes).factors.ranks(), [1, 1]);
    assert_eq!(Weighted::plain(&table).decompose(&groups, bytes - 1).factors.ranks(), [1, 0]);
    assert_eq!(Weighted::plain(&table).decompose(&groups, 22 + 2 * direction_bytes(20, 2)).factors.ranks(), [2, 0]);
}

#[test]
fn groups_that_weigh_nothing_get_no_rank() {
    let table = random::normal((12, 3), 61);
    // Every fourth row weighs nothing.
    let group_of: Vec<u8> = (0..12).map(|row| u8::from(row % 4 == 3)).collect();
    let groups = RowGroups::from_group_of(group_of).expect("rows");
    let weighted = Weighted::by_counts(&table);
    let decomposition = weighted.decompose(&groups, usize::MAX);
    assert_eq!(decomposition.factors.ranks(), [3, 0]);
    assert!(decomposition.weighted_relative_error.expect("weights") < 1e-6);
    assert!(decomposition.relative_error > 0.1);
}

#[test]
fn empty_groups_are_no_obstacle() {
    let table = random::normal((6, 3), 62);
    let groups = RowGroups::from_group_of([4, 1, 1, 4, 4, 1]).expect("rows");
    let decomposition = Weighted::plain(&table).decompose(&groups, usize::MAX);
    assert_eq!(decomposition.factors.ranks(), [0, 3, 0, 0, 3]);
}
