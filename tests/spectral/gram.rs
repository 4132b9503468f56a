//! Sums that are made in parts, merged, kept and gone on with.

use factorized_embedding::{
    ArrayRows, Basis, Decompose, Error, GramAccumulator, IteratorRows, MeanRemoval, Products, RandomizedSvd, Rank,
    RowBlocks, RowWeights, SvdRoute, TruncatedSvd,
};
use ndarray::{Array2, Axis, array, s};

use super::checks::check_decomposition;
use crate::support::random;

fn table() -> Array2<f32> {
    random::normal((5000, 7), 61)
}

fn weights() -> RowWeights {
    RowWeights::new((0..5000).map(|i| f64::from(i % 11)).collect::<Vec<_>>()).expect("weights")
}

fn summed(table: &Array2<f32>, weights: &[f64], block: usize, products: Products) -> GramAccumulator {
    let mut gram = GramAccumulator::new(7).expect("seven columns").with_products(products);
    for (rows, weights) in table.axis_chunks_iter(Axis(0), block).zip(weights.chunks(block)) {
        gram.update(rows, Some(weights)).expect("finite");
    }
    gram
}

fn assert_same(what: &str, basis: &Basis, expected: &Basis, tolerance: f64) {
    let (values, others) = (basis.spectrum().singular_values(), expected.spectrum().singular_values());
    approx::assert_abs_diff_eq!(values, others, epsilon = tolerance * others[0]);
    let difference = (&basis.v() - &expected.v()).iter().fold(0.0_f32, |largest, x| largest.max(x.abs()));
    assert!(f64::from(difference) < 1e3 * tolerance, "{what}: V differs by {difference}");
}

#[test]
fn blocks_merges_and_bytes_change_nothing_but_rounding() {
    let (table, weights) = (table(), weights().to_vec());
    for (products, tolerance) in [(Products::F64, 1e-12), (Products::F32, 1e-5)] {
        let whole = summed(&table, &weights, 5000, products).solve(Rank::Fixed(5)).expect("enough rows");
        for block in [1, 100, 2048, 4999] {
            let basis = summed(&table, &weights, block, products).solve(Rank::Fixed(5)).expect("enough rows");
            assert_same(&format!("blocks of {block}"), &basis, &whole, tolerance);
        }
        let part = |rows: std::ops::Range<usize>| {
            summed(&table.slice(s![rows.clone(), ..]).to_owned(), &weights[rows], 700, products)
        };
        let parts = [part(0..10), part(10..3000), part(3000..5000)];
        for order in [[0, 1, 2], [2, 0, 1], [1, 2, 0]] {
            let mut merged = GramAccumulator::new(7).expect("seven columns");
            for index in order {
                let carried = GramAccumulator::from_bytes(&parts[index].to_bytes()).expect("just written");
                assert_eq!(carried, parts[index]);
                merged.merge(&carried).expect("the same width");
            }
            assert_eq!(merged.num_rows(), 5000);
            let basis = merged.solve(Rank::Fixed(5)).expect("enough rows");
            assert_same(&format!("merged as {order:?}"), &basis, &whole, tolerance);
        }
    }
}

#[test]
fn it_is_the_gram_route() {
    let (table, weights) = (table(), weights());
    let gram = summed(&table, &weights.to_vec(), 5000, Products::F64);
    for mean_removal in [MeanRemoval::Never, MeanRemoval::Always, MeanRemoval::IfBetter] {
        let basis = gram.solve_with(Rank::Fixed(3), mean_removal, None).expect("enough rows");
        let svd = TruncatedSvd::new(Rank::Fixed(3))
            .with_route(SvdRoute::Gram)
            .with_row_weights(weights.clone())
            .with_mean_removal(mean_removal);
        assert_eq!(basis, svd.basis(&mut ArrayRows::new(table.view())).expect("finite"));
    }
    let basis = gram.solve(Rank::Fixed(3)).expect("enough rows");
    let decomposition = basis.decompose(&mut ArrayRows::new(table.view()), Some(&weights)).expect("finite");
    check_decomposition("from sums", table.view(), Some(&weights.to_vec()), &decomposition);
}

/// A source that fails once at a row.
struct Failing<'a> {
    rows: ArrayRows<'a>,
    fail_at: Option<usize>,
    next: usize,
}

impl RowBlocks for Failing<'_> {
    fn vocab_size(&self) -> usize {
        self.rows.vocab_size()
    }

    fn dim(&self) -> usize {
        self.rows.dim()
    }

    fn next_block(&mut self) -> factorized_embedding::Result<Option<ndarray::ArrayView2<'_, f32>>> {
        if self.fail_at.is_some_and(|row| self.next >= row) {
            self.fail_at = None;
            return Err(Error::NoConvergence { what: "disk" });
        }
        let block = self.rows.next_block()?;
        self.next += block.as_ref().map_or(0, ndarray::ArrayView2::nrows);
        Ok(block)
    }

    fn seek(&mut self, row: usize) -> factorized_embedding::Result<()> {
        self.next = row;
        self.rows.seek(row)
    }
}

#[test]
fn an_interrupted_run_goes_on_from_its_bytes() {
    let (table, weights) = (table(), weights());
    let rows = || ArrayRows::new(table.view()).with_block_rows(300);
    let mut through = GramAccumulator::new(7).expect("seven columns");
    let mut seen = Vec::new();
    through
        .update_from(&mut rows(), Some(&weights), |gram| {
            seen.push(gram.num_rows());
            Ok(())
        })
        .expect("finite");
    assert_eq!(seen, (1..=16).map(|block| 300 * block).chain([5000]).collect::<Vec<_>>());

    let mut saved = Vec::new();
    let mut failing = Failing { rows: rows(), fail_at: Some(2000), next: 0 };
    let mut first = GramAccumulator::new(7).expect("seven columns");
    let result = first.update_from(&mut failing, Some(&weights), |gram| {
        saved = gram.to_bytes();
        Ok(())
    });
    assert!(matches!(result, Err(Error::NoConvergence { .. })));
    let mut second = GramAccumulator::from_bytes(&saved).expect("just written");
    assert_eq!(second.num_rows(), 2100);
    second.update_from(&mut failing, Some(&weights), |_| Ok(())).expect("finite");
    assert_eq!(second, through);

    // The caller may end it, too.
    let stopped = GramAccumulator::new(7).expect("seven columns").update_from(&mut rows(), None, |gram| {
        if gram.num_rows() < 1000 { Ok(()) } else { Err(Error::NoConvergence { what: "patience" }) }
    });
    assert!(matches!(stopped, Err(Error::NoConvergence { what: "patience" })));
}

#[test]
fn every_changed_byte_is_found() {
    let bytes = summed(&table(), &weights().to_vec(), 5000, Products::F64).to_bytes();
    assert_eq!(bytes.len(), 4 * 7 * (7 + 3) + 48);
    for place in 0..bytes.len() {
        for bit in [0, 7] {
            let mut changed = bytes.clone();
            changed[place] ^= 1 << bit;
            let result = GramAccumulator::from_bytes(&changed);
            assert!(matches!(result, Err(Error::InvalidBytes { .. })), "byte {place}, bit {bit}");
        }
    }
    for len in 0..bytes.len() {
        assert!(matches!(GramAccumulator::from_bytes(&bytes[..len]), Err(Error::InvalidBytes { .. })), "{len} bytes");
    }
    let longer = [bytes.as_slice(), &[0; 8]].concat();
    assert!(matches!(GramAccumulator::from_bytes(&longer), Err(Error::InvalidBytes { .. })));
}

#[test]
fn bytes_say_what_is_wrong_with_them() {
    let bytes = GramAccumulator::new(1).expect("a column").to_bytes();
    let reason = |bytes: &[u8]| match GramAccumulator::from_bytes(bytes) {
        Err(Error::InvalidBytes { what: "Gram accumulator", reason }) => reason,
        other => panic!("{other:?}"),
    };
    let with = |place: usize, byte: u8| {
        let mut changed = bytes.clone();
        changed[place] = byte;
        changed
    };
    assert_eq!(reason(b""), "0 bytes are too few");
    assert_eq!(reason(&with(0, b'x')), "they do not begin as an accumulator does");
    assert_eq!(reason(&with(7, 2)), "their layout has version 2, this crate reads 1");
    assert_eq!(reason(&with(16, 2)), "64 bytes are not those of 2 columns");
    assert_eq!(reason(&with(23, 255)), format!("64 bytes are not those of {} columns", (255_u64 << 56) + 1));
    assert_eq!(reason(&with(40, 1)), "their hash is another one: bytes were changed");
    // With the right hash, still no sums: fnv_1a again, of bytes that claim a negative weight.
    let mut forged = bytes[..56].to_vec();
    forged[32..40].copy_from_slice(&(-1.0_f64).to_le_bytes());
    let hash = forged
        .iter()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3));
    forged.extend(hash.to_le_bytes());
    assert_eq!(reason(&forged), "their numbers are no sums of a table");
}

#[test]
fn a_refused_update_adds_nothing() {
    let mut gram = GramAccumulator::new(2).expect("two columns");
    gram.update(array![[1.0, 2.0], [3.0, 4.0], [5.0, 7.0]].view(), None).expect("finite");
    let before = gram.clone();
    let nan = array![[1.0, 2.0], [3.0, f32::NAN]];
    match gram.update(nan.view(), None) {
        Err(Error::NonFinite { index, value, .. }) => {
            assert_eq!(index, [4, 1], "counted from the first row of all");
            assert!(value.is_nan());
        }
        other => panic!("{other:?}"),
    }
    assert!(matches!(gram.update(nan.view(), Some(&[1.0, 0.0])), Err(Error::NonFinite { .. })), "a row of weight 0");
    assert!(matches!(gram.update(array![[1.0]].view(), None), Err(Error::ShapeMismatch { .. })));
    let row = array![[1.0, 2.0]];
    assert!(matches!(gram.update(row.view(), Some(&[1.0, 2.0])), Err(Error::ShapeMismatch { .. })));
    for weight in [-1.0, f64::NAN, f64::INFINITY] {
        assert!(matches!(gram.update(row.view(), Some(&[weight])), Err(Error::InvalidWeight { row: 3, .. })));
    }
    assert!(matches!(gram.update(array![[1e10, 2.0]].view(), Some(&[1e300])), Err(Error::Overflow { .. })));
    assert!(matches!(gram.merge(&GramAccumulator::new(3).expect("three")), Err(Error::ShapeMismatch { .. })));
    assert_eq!(gram, before);
    let other = gram.update_from(&mut ArrayRows::new(Array2::zeros((9, 3)).view()), None, |_| Ok(()));
    assert!(matches!(other, Err(Error::ShapeMismatch { .. })));
    assert_eq!(gram, before);
}

#[test]
fn what_cannot_be_solved_is_refused() {
    assert!(matches!(GramAccumulator::new(0), Err(Error::Empty { .. })));
    assert!(matches!(GramAccumulator::new(usize::MAX / 2), Err(Error::TableTooLarge { .. })));
    let mut gram = GramAccumulator::new(2).expect("two columns");
    assert!(matches!(gram.solve(Rank::Fixed(1)), Err(Error::Empty { .. })));
    gram.update(array![[1.0, 2.0], [3.0, 4.0], [5.0, 7.0]].view(), Some(&[0.0; 3])).expect("finite");
    assert!(matches!(gram.solve(Rank::Fixed(1)), Err(Error::AllWeightsZero { len: 3 })));
    gram.update(array![[1.0, 2.0]].view(), None).expect("finite");
    for rank in [0, 3] {
        assert!(matches!(gram.solve(Rank::Fixed(rank)), Err(Error::RankOutOfRange { .. })));
    }
    assert!(matches!(gram.solve(Rank::Energy(2.0)), Err(Error::InvalidSetting { .. })));
    assert!(matches!(gram.solve(Rank::Bytes(27)), Err(Error::BudgetTooSmall { minimum: 28, .. })));
}

#[test]
fn left_rows_are_those_of_a_decomposition() {
    let table = table();
    for mean_removal in [MeanRemoval::Never, MeanRemoval::Always] {
        let svd = TruncatedSvd::new(Rank::Fixed(3)).with_mean_removal(mean_removal);
        let basis = svd.basis(&mut ArrayRows::new(table.view())).expect("finite");
        let expected = basis.decompose(&mut ArrayRows::new(table.view()), None).expect("the same rows").factors;
        assert_eq!(expected.bias().is_some(), mean_removal == MeanRemoval::Always);
        // Some of the rows, in more blocks than one.
        let some = s![700..2900, ..];
        let rows = basis.left_rows(table.slice(some)).expect("finite");
        assert_eq!(rows, expected.u().slice(some));
        let mut u = Array2::from_elem((2200, 3), f32::NAN);
        basis.left_rows_into(table.slice(some), u.view_mut()).expect("finite");
        assert_eq!(u, rows);
    }
}

#[test]
fn the_second_half_wants_the_rows_of_the_first() {
    let table = table();
    let basis = TruncatedSvd::new(Rank::Fixed(3)).basis(&mut ArrayRows::new(table.view())).expect("finite");
    let refused = |rows: &mut dyn RowBlocks| matches!(basis.decompose(rows, None), Err(Error::ShapeMismatch { .. }));
    assert!(refused(&mut ArrayRows::new(table.slice(s![1.., ..]))));
    assert!(refused(&mut ArrayRows::new(table.slice(s![.., 1..]))));
    assert!(refused(&mut IteratorRows::new(5000, 7, || [Ok(Array2::zeros((4999, 7)))].into_iter())));
    let mut changed = table.clone();
    changed[[4000, 3]] = f32::NAN;
    match basis.decompose(&mut ArrayRows::new(changed.view()).with_block_rows(100), None) {
        Err(Error::NonFinite { index, .. }) => assert_eq!(index, [4000, 3]),
        other => panic!("{other:?}"),
    }
    let mut u = Array2::from_elem((2, 3), 7.0);
    for (rows, columns) in [(2, 6), (3, 7)] {
        let rows = Array2::zeros((rows, columns));
        assert!(matches!(basis.left_rows_into(rows.view(), u.view_mut()), Err(Error::ShapeMismatch { .. })));
    }
    let infinite = Array2::from_elem((2, 7), f32::INFINITY);
    assert!(matches!(basis.left_rows_into(infinite.view(), u.view_mut()), Err(Error::NonFinite { .. })));
    assert_eq!(u, Array2::from_elem((2, 3), 7.0), "as it was");
}

#[test]
fn a_source_has_to_give_the_rows_that_it_promises() {
    let source = |promised: usize, given: usize| {
        IteratorRows::new(promised, 2, move || (0..given).map(|_| Ok(Array2::ones((1, 2)))))
    };
    /// Rows that are not counted by anybody else.
    struct Unchecked(usize, usize, Array2<f32>);
    impl RowBlocks for Unchecked {
        fn vocab_size(&self) -> usize {
            self.0
        }
        fn dim(&self) -> usize {
            2
        }
        fn next_block(&mut self) -> factorized_embedding::Result<Option<ndarray::ArrayView2<'_, f32>>> {
            self.1 = self.1.saturating_sub(1);
            Ok((self.1 > 0).then(|| self.2.view()))
        }
        fn seek(&mut self, _: usize) -> factorized_embedding::Result<()> {
            Ok(())
        }
    }
    let weights = RowWeights::new([1.0; 4]).expect("weights");
    for (promised, blocks) in [(4, 6), (4, 3)] {
        let mut rows = Unchecked(promised, blocks, Array2::ones((1, 2)));
        let mut gram = GramAccumulator::new(2).expect("two columns");
        let result = gram.update_from(&mut rows, Some(&weights), |_| Ok(()));
        assert!(matches!(result, Err(Error::ShapeMismatch { .. })), "{blocks} blocks: {result:?}");
    }
    let mut gram = GramAccumulator::new(2).expect("two columns");
    gram.update_from(&mut source(4, 4), Some(&weights), |_| Ok(())).expect("four rows");
    let result = gram.update_from(&mut source(3, 3), None, |_| Ok(()));
    assert!(matches!(result, Err(Error::ShapeMismatch { .. })), "fewer rows than were read: {result:?}");
}

#[test]
fn sums_that_cannot_be_held_are_refused_and_leave_the_rest() {
    let mut gram = GramAccumulator::new(1).expect("a column");
    gram.update(array![[1.0]].view(), None).expect("finite");
    // Doubled until the rows cannot be counted.
    let mut doubled = gram.clone();
    for _ in 0..63 {
        doubled.merge(&doubled.clone()).expect("fewer than 2⁶⁴ rows");
    }
    let before = doubled.clone();
    assert!(matches!(doubled.merge(&before), Err(Error::TableTooLarge { .. })));
    assert_eq!(doubled, before);
    // Each part can be held, the sum cannot.
    let large = array![[1e38], [1e38]];
    let weights = [1e232; 2];
    while gram.update(large.view(), Some(&weights)).is_ok() {}
    assert!(matches!(gram.update(large.view(), Some(&weights)), Err(Error::Overflow { .. })));
    assert!(GramAccumulator::from_bytes(&gram.to_bytes()).is_ok(), "what is held can be kept");
    match gram.update(large.view(), Some(&[1.0, -1.0])) {
        Err(Error::InvalidWeight { row, .. }) => {
            assert_eq!(row as u64, gram.num_rows() + 1, "counted from the first row");
        }
        other => panic!("{other:?}"),
    }
    let empty = GramAccumulator::new(3).expect("three columns");
    assert!(matches!(empty.column_covariance(), Err(Error::Empty { .. })));
}

#[test]
fn products_in_f32_know_the_scale_of_the_table() {
    let table = random::normal((500, 6), 62);
    let weights = RowWeights::new((1..=500).map(f64::from).collect::<Vec<_>>()).expect("weights");
    for exponent in [-35, -25, -19, 0, 19, 30] {
        let scaled = &table * 10_f32.powi(exponent);
        let exact = TruncatedSvd::new(Rank::Fixed(3)).with_row_weights(weights.clone());
        let narrow = exact.clone().with_route(SvdRoute::GramF32);
        let random = RandomizedSvd::new(Rank::Fixed(3)).with_products(Products::F32).with_row_weights(weights.clone());
        let error = |method: &dyn Decompose| method.decompose(scaled.view()).expect("finite").relative_error;
        for method in [&narrow as &dyn Decompose, &random] {
            approx::assert_abs_diff_eq!(error(method), error(&exact), epsilon = 1e-5);
        }
    }
    // Hidden states of low rank, too.
    let mut sums = GramAccumulator::new(64).expect("columns").with_products(Products::F32);
    let low = random::normal((5000, 10), 63).dot(&random::normal((10, 64), 64));
    sums.update(low.view(), None).expect("finite");
    sums.column_covariance().expect("positive semidefinite but for rounding");
}
