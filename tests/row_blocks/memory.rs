//! Arrays, iterators and chains.

use std::cell::Cell;

use factorized_embedding::{ArrayRows, ChainedRows, Error, IteratorRows, Result, RowBlocks};
use ndarray::{Array2, ArrayView2, Axis, s};

use super::contract::{assert_source, block_rows};
use crate::support::random;

/// The blocks of a table, cut behind these rows.
fn cut(table: &Array2<f32>, ends: &[usize]) -> Vec<Array2<f32>> {
    let starts = [0].into_iter().chain(ends.iter().copied());
    let ends = ends.iter().copied().chain([table.nrows()]);
    starts.zip(ends).map(|(start, end)| table.slice(s![start..end, ..]).to_owned()).collect()
}

#[test]
fn arrays_of_any_strides_are_read() {
    let table = random::normal((11, 5), 1);
    let mut reversed = table.clone();
    reversed.invert_axis(Axis(0));
    let columns = table.t().as_standard_layout().into_owned();
    for view in [table.view(), reversed.slice(s![..;-1, ..]), columns.t()] {
        for rows in block_rows(11) {
            assert_source(&format!("{rows} rows"), &mut ArrayRows::new(view).with_block_rows(rows), table.view());
        }
        assert_source("all rows", &mut ArrayRows::new(view), table.view());
    }
    for shape in [(0, 5), (11, 0), (0, 0)] {
        let empty = Array2::zeros(shape);
        assert_source("nothing", &mut ArrayRows::new(empty.view()), empty.view());
    }
}

#[test]
fn iterators_are_made_anew_for_every_pass() {
    let table = random::normal((11, 5), 2);
    for ends in [&[][..], &[1], &[3, 3, 4, 10], &[0, 0, 5, 11, 11]] {
        let blocks = cut(&table, ends);
        let make = || blocks.iter().cloned().map(Ok);
        assert_source(&format!("cut behind {ends:?}"), &mut IteratorRows::new(11, 5, make), table.view());
    }
    let made = Cell::new(0);
    let mut rows = IteratorRows::new(11, 5, || {
        made.set(made.get() + 1);
        cut(&table, &[4]).into_iter().map(Ok)
    });
    assert_eq!(made.get(), 0, "nothing is computed before it is asked for");
    for pass in 1..4 {
        rows.seek(0).expect("the first row");
        while rows.next_block().expect("a block").is_some() {}
        assert_eq!(made.get(), pass);
    }
}

#[test]
fn an_iterator_that_goes_on_behind_its_end_is_not_asked_again() {
    let table = random::normal((4, 2), 3);
    let asked = Cell::new(0);
    let blocks = || {
        asked.set(asked.get() + 1);
        (asked.get() != 2).then(|| Ok(table.clone()))
    };
    let mut rows = IteratorRows::new(4, 2, || std::iter::from_fn(blocks));
    assert_eq!(rows.next_block().expect("a block").map(|block| block.nrows()), Some(4));
    for _ in 0..3 {
        assert!(rows.next_block().expect("the end").is_none());
    }
}

/// What stops a pass, and how many rows came before it.
fn stopped(source: &mut dyn RowBlocks) -> (usize, Error) {
    let mut rows = 0;
    loop {
        match source.next_block() {
            Ok(Some(block)) => rows += block.nrows(),
            Ok(None) => panic!("the end after {rows} rows"),
            Err(error) => return (rows, error),
        }
    }
}

#[test]
fn rows_of_an_iterator_that_do_not_add_up_are_refused() {
    let full = |rows, columns| Array2::<f32>::zeros((rows, columns));
    let cases = [
        ("none", vec![], 0, [0, 3]),
        ("too few", vec![full(4, 3), full(2, 3)], 6, [6, 3]),
        ("too many", vec![full(4, 3), full(4, 3)], 4, [8, 3]),
        ("too many behind the last", vec![full(4, 3), full(3, 3), full(1, 3)], 7, [8, 3]),
        ("too narrow", vec![full(4, 3), full(3, 2)], 4, [7, 2]),
        ("too wide", vec![full(7, 4)], 0, [7, 4]),
        ("too wide and empty", vec![full(7, 3), full(0, 4)], 7, [7, 4]),
        ("more than can be counted", vec![full(7, 3), full(isize::MAX as usize, 0)], 7, [isize::MAX as usize + 7, 0]),
    ];
    for (name, blocks, expected_rows, expected) in cases {
        let mut source = IteratorRows::new(7, 3, || blocks.iter().cloned().map(Ok));
        for pass in 0..2 {
            let (rows, error) = stopped(&mut source);
            assert_eq!(rows, expected_rows, "{name}");
            match error {
                Error::ShapeMismatch { expected: shape, actual, .. } => {
                    assert_eq!((shape, actual), (vec![7, 3], expected.to_vec()), "{name}, pass {pass}");
                }
                other => panic!("{name}: {other:?}"),
            }
            source.seek(0).expect("the first row");
        }
    }
}

#[test]
fn errors_of_an_iterator_are_passed_on() {
    let failing = Cell::new(true);
    let mut source = IteratorRows::new(6, 2, || {
        (0..3).map(|block| match block {
            1 if failing.get() => Err(Error::Overflow { what: "made-up block" }),
            _ => Ok(Array2::from_elem((2, 2), block as f32)),
        })
    });
    let (rows, error) = stopped(&mut source);
    assert_eq!((rows, error.to_string().as_str()), (2, "the made-up block is beyond the range of f32"));
    assert!(source.seek(1).is_ok(), "a row of the first block");
    assert!(source.seek(5).is_err(), "a row behind the block that fails");
    failing.set(false);
    source.seek(5).expect("a row of the last block");
    assert_eq!(source.next_block().expect("a block"), Some(Array2::from_elem((1, 2), 2.0).view()));
}

#[test]
fn sources_behind_each_other_are_one_table() {
    let table = random::normal((11, 5), 4);
    for ends in [&[][..], &[4], &[1, 2, 9], &[0, 4, 4, 4, 11]] {
        let tables = cut(&table, ends);
        for rows in block_rows(4) {
            let sources: Vec<_> =
                tables.iter().map(|table| ArrayRows::new(table.view()).with_block_rows(rows)).collect();
            let mut chained = ChainedRows::new(sources).expect("the same dim");
            assert_source(&format!("cut behind {ends:?}, {rows} rows"), &mut chained, table.view());
            assert_eq!(chained.into_sources().len(), tables.len());
        }
    }
}

#[test]
fn sources_of_different_types_are_chained() {
    let table = random::normal((11, 5), 5);
    let tables = cut(&table, &[3, 8]);
    let mut last = ArrayRows::new(tables[2].view());
    let sources: Vec<Box<dyn RowBlocks + '_>> = vec![
        Box::new(ArrayRows::new(tables[0].view())),
        Box::new(IteratorRows::new(5, 5, || cut(&tables[1], &[2]).into_iter().map(Ok))),
        Box::new(&mut last),
    ];
    let mut chained = ChainedRows::new(sources).expect("the same dim");
    assert_eq!(format!("{chained:?}"), "ChainedRows(3 sources, [11, 5])");
    assert_source("three kinds", &mut chained, table.view());
}

#[test]
fn a_chain_begins_at_its_first_row() {
    let table = random::normal((6, 2), 6);
    let mut first = ArrayRows::new(table.view());
    first.seek(4).expect("a row of the table");
    let mut chained = ChainedRows::new([first]).expect("one source");
    assert_source("a source that was read from", &mut chained, table.view());
}

#[test]
fn what_cannot_be_chained_is_refused() {
    let refused = |sources: Vec<Box<dyn RowBlocks>>| ChainedRows::new(sources).expect_err("no table").to_string();
    assert_eq!(refused(vec![]), "chained sources of rows [sources] is empty: its shape is [0]");
    fn none(vocab_size: usize, dim: usize) -> Box<dyn RowBlocks> {
        Box::new(IteratorRows::new(vocab_size, dim, std::iter::empty::<Result<Array2<f32>>>))
    }
    let expected = "chained rows [vocab_size, dim] has shape [4, 3], expected [4, 2]";
    assert_eq!(refused(vec![none(0, 2), none(7, 2), none(4, 3)]), expected);
    let expected = format!("a table of {} × 2 numbers is too large to be addressed", usize::MAX);
    assert_eq!(refused(vec![none(usize::MAX, 2), none(1, 2)]), expected);
}

/// A source of three rows that gives another number of them, one at a time.
struct Liar {
    rows: usize,
    given: usize,
}

impl RowBlocks for Liar {
    fn vocab_size(&self) -> usize {
        3
    }

    fn dim(&self) -> usize {
        1
    }

    fn next_block(&mut self) -> Result<Option<ArrayView2<'_, f32>>> {
        self.given += 1;
        Ok((self.given <= self.rows).then(|| ndarray::aview2(&[[1.0]])))
    }

    fn seek(&mut self, row: usize) -> Result<()> {
        self.given = row;
        Ok(())
    }
}

#[test]
fn a_source_that_gives_other_rows_than_it_says_is_named() {
    for (given, expected) in [(2, "[2]"), (4, "[4]")] {
        let mut chained = ChainedRows::new([given, 3].map(|rows| Liar { rows, given: 0 })).expect("the same dim");
        let (_, error) = stopped(&mut chained);
        assert_eq!(
            error.to_string(),
            format!("rows of a chained source [vocab_size] has shape {expected}, expected [3]")
        );
    }
}
