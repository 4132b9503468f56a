//! Work on several threads, where there is enough of it.

use std::ops::Range;

use ndarray::ArrayViewMut2;

/// Less work than this, in nanoseconds, is done sooner than another thread has woken up. In a loop of nothing else, a bit more
/// takes 0.6 of the time on two threads; where the other thread has slept, up to a millisecond of work can take longer.
#[cfg(feature = "rayon")]
const WORTHWHILE: f64 = 100_000.0;

/// Calls `work` with consecutive ranges that make up 0..`len`, whose borders are multiples of `unit`: one range where the
/// work is small or there is one thread, several at a time where it pays. An item costs about `nanoseconds`.
///
/// Who calls it sees to it that results do not depend on where the borders are.
pub(crate) fn for_each_range(len: usize, unit: usize, nanoseconds: f64, work: impl Fn(Range<usize>) + Send + Sync) {
    #[cfg(feature = "rayon")]
    if let Some(ranges) = ranges(len, unit, nanoseconds) {
        use rayon::iter::{IntoParallelIterator, ParallelIterator};

        return (0..ranges).into_par_iter().for_each(|range| work(nth_range(len, unit, ranges, range)));
    }
    let _ = (unit, nanoseconds);
    work(0..len);
}

/// The same for the rows of an array: `work` gets the rows of each range, too.
pub(crate) fn for_each_rows(
    out: &mut ArrayViewMut2<'_, f32>,
    nanoseconds: f64,
    work: impl Fn(Range<usize>, ArrayViewMut2<'_, f32>) + Send + Sync,
) {
    let len = out.nrows();
    #[cfg(feature = "rayon")]
    if let Some(ranges) = ranges(len, 1, nanoseconds) {
        use rayon::iter::{IntoParallelIterator, ParallelIterator};

        let mut pieces = Vec::with_capacity(ranges);
        let mut rest = out.view_mut();
        for range in (0..ranges).map(|range| nth_range(len, 1, ranges, range)) {
            let (rows, after) = rest.split_at(ndarray::Axis(0), range.len());
            pieces.push((range, rows));
            rest = after;
        }
        return pieces.into_par_iter().for_each(|(range, rows)| work(range, rows));
    }
    let _ = nanoseconds;
    work(0..len, out.view_mut());
}

/// Calls `work` with every item, several at a time where it pays; all of them together cost about `nanoseconds`.
pub(crate) fn for_each_item<T: Send>(items: impl Iterator<Item = T>, nanoseconds: f64, work: impl Fn(T) + Send + Sync) {
    #[cfg(feature = "rayon")]
    if nanoseconds > WORTHWHILE && rayon::current_num_threads() > 1 {
        use rayon::iter::{IntoParallelIterator, ParallelIterator};

        return items.collect::<Vec<_>>().into_par_iter().for_each(work);
    }
    let _ = nanoseconds;
    items.for_each(work);
}

/// How many ranges to make of the work, if it pays to share it among threads.
#[cfg(feature = "rayon")]
fn ranges(len: usize, unit: usize, nanoseconds: f64) -> Option<usize> {
    /// Ranges a thread, so that one that is interrupted leaves some of its work to the others.
    const RANGES_PER_THREAD: usize = 4;

    let worthwhile = len > unit && len as f64 * nanoseconds > WORTHWHILE && rayon::current_num_threads() > 1;
    worthwhile.then(|| len.div_ceil(unit).min(RANGES_PER_THREAD * rayon::current_num_threads()))
}

#[cfg(feature = "rayon")]
fn nth_range(len: usize, unit: usize, ranges: usize, range: usize) -> Range<usize> {
    let border = |range: usize| len.min(range * len.div_ceil(unit) / ranges * unit);
    border(range)..border(range + 1)
}
