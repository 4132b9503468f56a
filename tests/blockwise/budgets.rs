//! Every kind of table, at budgets from the smallest to more than can be used.

use factorized_embedding::RowGroups;

use super::{
    checks::{Weighted, check, direction_bytes, interleaved, plenty},
    tables::{BLOCK_EDGES, tables},
};
use crate::support::random;

fn smallest_budget(groups: &RowGroups, dim: usize) -> usize {
    let smallest = groups.sizes().into_iter().filter(|&rows| rows > 0).min().expect("rows");
    groups.vocab_size() + direction_bytes(smallest, dim)
}

#[test]
fn the_promises_hold_for_every_kind_of_table_at_every_budget() {
    for (name, table) in tables() {
        for num_groups in [1, 2, 3] {
            let groups = interleaved(table.nrows(), num_groups);
            let smallest = smallest_budget(&groups, table.ncols());
            let largest = plenty(table.view(), &groups);
            let steps = (smallest..largest).step_by(29);
            for bytes in steps.chain([largest - 1, largest, largest + 1, usize::MAX]).filter(|&bytes| bytes >= smallest)
            {
                check(name, &Weighted::plain(&table), &groups, bytes);
                check(&format!("weighted {name}"), &Weighted::by_counts(&table), &groups, bytes);
            }
        }
    }
}

#[test]
fn the_promises_hold_across_blocks_of_rows() {
    for rows in BLOCK_EDGES {
        let table = random::normal((rows, 5), 41);
        for num_groups in [1, 2] {
            let groups = interleaved(rows, num_groups);
            let bytes = plenty(table.view(), &groups) / 2;
            check(&format!("{rows} rows"), &Weighted::by_counts(&table), &groups, bytes);
        }
    }
}

#[test]
fn a_larger_budget_never_loses_more() {
    let table = random::normal((50, 6), 42);
    let groups = interleaved(50, 3);
    let mut before = f64::INFINITY;
    // Bytes of all groups nearly the same, so that a step that is passed over is no larger than those that follow.
    for bytes in (smallest_budget(&groups, 6)..plenty(table.view(), &groups)).step_by(13) {
        let error = Weighted::plain(&table).decompose(&groups, bytes).relative_error;
        assert!(error <= before + 1e-6, "{bytes} bytes: {error} after {before}");
        before = error;
    }
    assert!(before < 0.5, "the budget was used: {before}");
}

#[test]
fn the_whole_budget_keeps_the_whole_table() {
    for (name, table) in tables() {
        let groups = interleaved(table.nrows(), 2);
        let weighted = Weighted::plain(&table);
        let decomposition = weighted.decompose(&groups, plenty(table.view(), &groups));
        let (error, tolerance) = weighted.relative_error(&decomposition.factors);
        // Directions of less than dim·ε of the energy are not kept.
        let floor = (table.ncols() as f64 * f64::EPSILON * table.nrows().min(table.ncols()) as f64).sqrt();
        assert!(error <= tolerance + floor, "{name}: {error:e}");
    }
}
