//! Rows that move to the group that fits them best.

use factorized_embedding::{BlockwiseSvd, MeanRemoval, RowGroups};
use ndarray::{Array2, Axis, concatenate};

use super::{
    checks::{Weighted, check_directions, direction_bytes, interleaved, plenty},
    tables::tables,
};
use crate::support::random;

#[test]
fn planted_subspaces_are_found() {
    const ROWS: usize = 40;
    let planted: Vec<Array2<f32>> =
        (0..3).map(|group| random::normal((ROWS, 2), 80 + group).dot(&random::normal((2, 12), 90 + group))).collect();
    let table = concatenate![Axis(0), planted[0], planted[1], planted[2]];
    let truth: Vec<u8> = (0..3).flat_map(|group| vec![group; ROWS]).collect();
    // Every fifth row begins in another group than its own.
    let begin: Vec<u8> =
        truth.iter().enumerate().map(|(row, group)| if row % 5 == 0 { (group + 1) % 3 } else { *group }).collect();
    let bytes = table.nrows() + 3 * 2 * direction_bytes(ROWS, 12);
    let method = BlockwiseSvd::new(RowGroups::from_group_of(begin).expect("rows"), bytes);
    let weighted = Weighted::plain(&table);
    let without = weighted.decompose_with(method.clone());
    assert!(without.relative_error > 0.1, "there is something to find: {without:?}");
    let refined = weighted.decompose_with(method.with_refinement(20));
    assert_eq!(refined.factors.group_of(), truth);
    assert_eq!(refined.factors.ranks(), [2, 2, 2]);
    assert!(refined.relative_error < 1e-6, "{refined:?}");
    assert!(refined.losses.len() <= 20 && !refined.losses.is_empty());
}

#[test]
fn refinement_never_loses_more_and_keeps_the_budget() {
    for (name, table) in tables() {
        let groups = interleaved(table.nrows(), 3);
        let largest = plenty(table.view(), &groups);
        for weighted in [Weighted::plain(&table), Weighted::by_counts(&table)] {
            for part in 1..=4 {
                let smallest = table.nrows() + direction_bytes(table.nrows(), table.ncols());
                let bytes = smallest.max(largest * part / 4);
                for mean in [MeanRemoval::Never, MeanRemoval::IfBetter, MeanRemoval::Always] {
                    let bytes = bytes + 4 * table.ncols();
                    let method = BlockwiseSvd::new(groups.clone(), bytes).with_mean_removal(mean);
                    let without = weighted.decompose_with(method.clone());
                    let refined = weighted.decompose_with(method.with_refinement(5));
                    let (error, tolerance) = weighted.relative_error(&refined.factors);
                    let (before, _) = weighted.relative_error(&without.factors);
                    // Directions of less than dim·ε of the energy of a group count as zero.
                    let floor = (weighted.floor() / without.spectrum.total_energy().max(f64::MIN_POSITIVE)).sqrt();
                    assert!(error <= before + tolerance + floor, "{name}, {bytes} bytes: {error} after {before}");
                    assert!(refined.factors.size_in_bytes() <= bytes, "{name}, {bytes} bytes: {refined:?}");
                    assert!(without.losses.is_empty());
                    for block in refined.factors.blocks().iter().flatten() {
                        check_directions(name, block);
                    }
                }
            }
        }
    }
}

#[test]
fn no_rounds_are_no_refinement() {
    let table = random::normal((40, 6), 83);
    let method = BlockwiseSvd::new(interleaved(40, 2), 900);
    let weighted = Weighted::by_counts(&table);
    assert_eq!(weighted.decompose_with(method.clone().with_refinement(0)), weighted.decompose_with(method));
}

#[test]
fn the_best_round_is_kept() {
    let table = random::normal((200, 8), 84);
    let method = BlockwiseSvd::new(interleaved(200, 4), 4000);
    let weighted = Weighted::by_counts(&table);
    let total = weighted.decompose_with(method.clone()).spectrum.total_energy();
    let refined = weighted.decompose_with(method.clone().with_refinement(30));
    let best = refined.losses.iter().copied().fold(f64::INFINITY, f64::min);
    let error = refined.weighted_relative_error.expect("weights");
    approx::assert_relative_eq!(error, (best / total).sqrt(), max_relative = 1e-5);
    // The first rounds are the same however many may follow.
    let shorter = weighted.decompose_with(method.with_refinement(2));
    assert_eq!(shorter.losses, refined.losses[..2]);
}

#[test]
fn the_same_table_gives_the_same_bits() {
    let table = random::normal((1500, 9), 85);
    let method =
        BlockwiseSvd::new(interleaved(1500, 3), 20_000).with_mean_removal(MeanRemoval::IfBetter).with_refinement(4);
    let weighted = Weighted::by_counts(&table);
    assert_eq!(weighted.decompose_with(method.clone()), weighted.decompose_with(method));
}

#[test]
fn strides_of_the_table_change_nothing() {
    let table = random::normal((50, 8), 86);
    let transposed = table.t().to_owned();
    let method = BlockwiseSvd::new(interleaved(50, 2), 1500).with_refinement(3);
    let strided = Weighted { table: transposed.t(), weights: None };
    assert_eq!(strided.decompose_with(method.clone()), Weighted::plain(&table).decompose_with(method));
}
