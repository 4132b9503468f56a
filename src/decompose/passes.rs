//! Passes over the rows of a table.

use std::cell::Cell;

use ndarray::ArrayView2;

use crate::{
    Error, Result, RowBlocks,
    embedding::check,
    kernel::scratch::{self, Scratch},
};

/// Calls `work` with every block of a table from a row on, the number of its first row and the weights of its rows.
///
/// # Errors
/// Those of `work` and of the source; [`ShapeMismatch`](Error::ShapeMismatch) for a source that does not give what it promises.
pub(crate) fn for_each_block(
    rows: &mut dyn RowBlocks,
    from: usize,
    weights: Option<&[f64]>,
    mut work: impl FnMut(usize, ArrayView2<'_, f32>, Option<&[f64]>) -> Result<()>,
) -> Result<()> {
    let (vocab_size, dim) = (rows.vocab_size(), rows.dim());
    let mismatch = |rows: usize, columns: usize| Error::ShapeMismatch {
        what: "rows of the source [vocab_size, dim]",
        expected: vec![vocab_size, dim],
        actual: vec![rows, columns],
    };
    if from > vocab_size {
        return Err(Error::ShapeMismatch {
            what: "rows of the source [vocab_size, dim], so many of which were read before",
            expected: vec![from, dim],
            actual: vec![vocab_size, dim],
        });
    }
    rows.seek(from)?;
    let mut first = from;
    while let Some(block) = rows.next_block()? {
        let end = first.saturating_add(block.nrows());
        if block.ncols() != dim || end > vocab_size {
            return Err(mismatch(end, block.ncols()));
        }
        work(first, block, weights.map(|weights| &weights[first..end]))?;
        first = end;
    }
    if first == vocab_size { Ok(()) } else { Err(mismatch(first, dim)) }
}

thread_local! {
    static WIDENED: Scratch<Vec<f64>> = const { Cell::new(Vec::new()) };
}

/// Calls `work` with rows in `f64`, each times the square root of its weight, in memory that the thread keeps.
pub(super) fn with_scaled_rows<T>(
    rows: ArrayView2<'_, f32>,
    weights: Option<&[f64]>,
    work: impl FnOnce(ArrayView2<'_, f64>) -> T,
) -> T {
    scratch::with(&WIDENED, |numbers| {
        numbers.clear();
        for (i, row) in rows.rows().into_iter().enumerate() {
            match (row.as_slice(), weights) {
                (Some(row), None) => numbers.extend(row.iter().map(|&value| f64::from(value))),
                (None, None) => numbers.extend(row.iter().map(|&value| f64::from(value))),
                (_, Some(weights)) => {
                    let factor = weights[i].sqrt();
                    numbers.extend(row.iter().map(|&value| factor * f64::from(value)));
                }
            }
        }
        match ArrayView2::from_shape(rows.raw_dim(), numbers) {
            Ok(rows) => work(rows),
            Err(_) => unreachable!("a number for each of the rows"),
        }
    })
}

/// Calls `work` with rows in `f32`, each times the square root of its weight and all in a unit in which their squares are
/// neither too large nor too small for `f32`, and with that unit, a power of two.
pub(super) fn with_narrow_rows<T>(
    rows: ArrayView2<'_, f32>,
    weights: Option<&[f64]>,
    work: impl FnOnce(ArrayView2<'_, f32>, f64) -> T,
) -> T {
    /// Magnitudes whose squares can be added up in `f32`, and those of much smaller numbers beside them.
    const SAFE: std::ops::Range<f64> = 1e-8..1e8;
    if weights.is_none() && SAFE.contains(&f64::from(largest_magnitude(rows))) {
        return work(rows, 1.0);
    }
    with_scaled_rows(rows, weights, |rows| {
        let largest = rows.iter().fold(0.0, |largest: f64, x| largest.max(x.abs()));
        let unit = if SAFE.contains(&largest) || largest == 0.0 { 1.0 } else { largest.log2().floor().exp2() };
        work(rows.mapv(|value| (value / unit) as f32).view(), unit)
    })
}

/// # Errors
/// [`NonFinite`](Error::NonFinite), with the index in the whole table of the first number of the block that is not finite.
pub(crate) fn check_finite(block: ArrayView2<'_, f32>, first_row: usize) -> Result<()> {
    check::finite("table [vocab_size, dim]", &block).map_err(|error| match error {
        Error::NonFinite { what, mut index, value } => {
            index[0] += first_row;
            Error::NonFinite { what, index, value }
        }
        other => other,
    })
}

/// Of numbers that are finite.
fn largest_magnitude(rows: ArrayView2<'_, f32>) -> f32 {
    /// Maxima that are kept side by side, so that none of them waits for the one before.
    const LANES: usize = 32;
    let mut lanes = [0.0_f32; LANES];
    for row in rows.rows() {
        match row.as_slice() {
            Some(row) => {
                let (chunks, rest) = row.as_chunks::<LANES>();
                for chunk in chunks {
                    lanes
                        .iter_mut()
                        .zip(chunk)
                        .for_each(|(lane, x)| *lane = if x.abs() > *lane { x.abs() } else { *lane });
                }
                lanes[0] = rest.iter().fold(lanes[0], |largest, x| largest.max(x.abs()));
            }
            None => lanes[0] = row.iter().fold(lanes[0], |largest, x| largest.max(x.abs())),
        }
    }
    lanes.into_iter().fold(0.0, f32::max)
}
