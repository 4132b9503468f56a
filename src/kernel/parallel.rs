//! Work on several threads, where there is enough of it.

use std::ops::Range;

/// Calls `work` with consecutive ranges that make up 0..`len`, whose borders are multiples of `unit`: one range where the
/// work is small or there is one thread, several at a time where it pays. An item costs about `nanoseconds`.
///
/// Who calls it sees to it that results do not depend on where the borders are.
pub(crate) fn for_each_range(len: usize, unit: usize, nanoseconds: f64, work: impl Fn(Range<usize>) + Send + Sync) {
    #[cfg(feature = "rayon")]
    {
        use rayon::iter::{IntoParallelIterator, ParallelIterator};

        /// Less work than this is done sooner than another thread has woken up. In a loop of nothing else, a bit more takes
        /// 0.6 of the time on two threads; where the other thread has slept, up to a millisecond of work can take longer.
        const WORTHWHILE: f64 = 100_000.0;
        /// Ranges a thread, so that one that is interrupted leaves some of its work to the others.
        const RANGES_PER_THREAD: usize = 4;

        if len > unit && len as f64 * nanoseconds > WORTHWHILE && rayon::current_num_threads() > 1 {
            let units = len.div_ceil(unit);
            let ranges = units.min(RANGES_PER_THREAD * rayon::current_num_threads());
            let border = move |range: usize| len.min(range * units / ranges * unit);
            return (0..ranges).into_par_iter().for_each(|range| work(border(range)..border(range + 1)));
        }
    }
    let _ = (unit, nanoseconds);
    work(0..len);
}
