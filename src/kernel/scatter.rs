//! Scores of rows whose columns do not lie side by side: those of a group of rows of a table.
//!
//! They are computed side by side, as all scores are, in blocks that fit in the second-level cache, and go from there to where
//! they belong.

#![allow(unsafe_code)]

use std::cell::Cell;

use ndarray::{ArrayView2, ArrayViewMut2};

use super::{
    Isa,
    output::OutRows,
    parallel::for_each_range,
    products::{SCORED_ROWS, TableRows, nanoseconds_per_row, scores_of_range},
    scratch::{self, Scratch},
};
use crate::TokenId;

/// Scores of a block, about.
const BLOCK_SCORES: usize = 1 << 16;

thread_local! {
    static BLOCK: Scratch<Vec<f32>> = const { Cell::new(Vec::new()) };
}

/// The [scores](super::scores), those of the rows in order into the columns `ids[0] - first_id`, `ids[1] - first_id`, … of `out`
/// \[n, any\]. Ids rise strictly.
pub(crate) fn scatter_scores(
    isa: Isa,
    queries: ArrayView2<'_, f32>,
    constants: Option<&[f32]>,
    rows: TableRows<'_>,
    (ids, first_id): (&[TokenId], usize),
    out: &mut ArrayViewMut2<'_, f32>,
) {
    let (n, width) = queries.dim();
    assert_eq!((n, rows.len, width), (out.nrows(), ids.len(), rows.width));
    assert!(ids.is_sorted_by(|a, b| a < b), "ids rise");
    if n == 0 {
        return;
    }
    let queries = queries.as_standard_layout();
    let Some(queries) = queries.as_slice() else { unreachable!("the standard layout is contiguous") };
    let out = OutRows::new(out);
    let together = (BLOCK_SCORES / n).max(1).next_multiple_of(SCORED_ROWS);
    for_each_range(rows.len, SCORED_ROWS, nanoseconds_per_row(n, width), |range| {
        scratch::with(&BLOCK, |kept| {
            for start in range.clone().step_by(together) {
                let block = start..range.end.min(start + together);
                let len = block.len();
                let scores = scratch::at_least(kept, n * len);
                let Ok(mut block_scores) = ArrayViewMut2::from_shape((n, len), &mut *scores) else {
                    unreachable!("there are just as many numbers")
                };
                let block_rows = TableRows { first: rows.first + start, len, ..rows };
                let block_out = OutRows::new(&mut block_scores);
                // SAFETY: the block is ours.
                unsafe { scores_of_range(isa, queries, constants, block_rows, 0..len, block_out) };
                for (query, scores) in scores.chunks_exact(len).enumerate() {
                    let columns = ids[block.clone()].iter().map(|&id| id as usize - first_id);
                    // SAFETY: `out` is borrowed mutably from the caller; ids rise, so that every column belongs to one row,
                    // and every row to one range.
                    unsafe { out.scatter(query, columns, scores) };
                }
            }
        });
    });
}
