//! What every source promises.

use factorized_embedding::{Error, RowBlocks};
use ndarray::{ArrayView2, s};

use crate::support::compare::assert_same_bits;

/// Every number of rows in a block that is worth a try: one, odd ones, the whole table and more than it.
pub(crate) fn block_rows(vocab_size: usize) -> [usize; 7] {
    [0, 1, 3, 7, vocab_size, vocab_size + 1, usize::MAX]
}

/// The source gives this table from `row` on, in blocks that have rows.
#[track_caller]
fn assert_rest(what: &str, source: &mut dyn RowBlocks, table: ArrayView2<'_, f32>, row: usize) {
    let mut next = row;
    while let Some(block) = source.next_block().expect("a block") {
        assert!(block.nrows() > 0, "{what}: an empty block at row {next}");
        let end = next + block.nrows();
        assert!(end <= table.nrows(), "{what}: {end} rows");
        assert_same_bits(what, block, table.slice(s![next..end, ..]));
        next = end;
    }
    assert_eq!(next, table.nrows(), "{what}: rows from {row} on");
    assert!(source.next_block().expect("the end").is_none(), "{what}: the end is the end");
}

/// The source gives this table, from every row and as often as it takes, and refuses rows beyond its end.
#[track_caller]
pub(crate) fn assert_source(what: &str, source: &mut dyn RowBlocks, table: ArrayView2<'_, f32>) {
    assert_eq!((source.vocab_size(), source.dim()), table.dim(), "{what}");
    assert_rest(what, source, table, 0);
    for row in (0..=table.nrows()).chain((0..=table.nrows()).rev()) {
        source.seek(row).expect("a row of the table, or its end");
        assert_rest(what, source, table, row);
    }
    // In the middle of a pass.
    for (first, second) in [(0, 0), (table.nrows() / 2, 0), (0, table.nrows() / 2), (table.nrows(), 0)] {
        source.seek(first).expect("a row of the table");
        let _block = source.next_block().expect("a block");
        source.seek(second).expect("a row of the table");
        assert_rest(what, source, table, second);
    }
    for row in [table.nrows() + 1, usize::MAX] {
        let error = source.seek(row).expect_err("beyond the end");
        assert!(matches!(error, Error::InvalidSetting { name: "row", .. }), "{what}: {error:?}");
    }
    source.seek(0).expect("the first row");
    assert_rest(what, source, table, 0);
}
