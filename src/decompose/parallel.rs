//! Blocks of rows on several threads, with the same result for any number of them.

use std::ops::Range;

use crate::Result;

/// Calls `map` on consecutive ranges of at most `block` that make up 0..`len`, several at a time, and `fold` on what they
/// give, in order. No more than `per_thread` results for each thread wait to be folded.
///
/// # Errors
/// The first of `fold`, which ends the work.
pub(crate) fn map_in_order<T: Send>(
    len: usize,
    block: usize,
    per_thread: usize,
    map: impl Fn(Range<usize>) -> T + Send + Sync,
    mut fold: impl FnMut(T) -> Result<()>,
) -> Result<()> {
    let range = |index: usize| index * block..len.min((index + 1) * block);
    let blocks = len.div_ceil(block);
    #[cfg(feature = "rayon")]
    {
        use rayon::iter::{IntoParallelIterator, ParallelIterator};

        let threads = rayon::current_num_threads();
        if threads > 1 && blocks > 1 {
            let together = threads.saturating_mul(per_thread);
            for first in (0..blocks).step_by(together) {
                let wave = first..blocks.min(first + together);
                let results: Vec<T> = wave.into_par_iter().map(|index| map(range(index))).collect();
                results.into_iter().try_for_each(&mut fold)?;
            }
            return Ok(());
        }
    }
    let _ = per_thread;
    (0..blocks).try_for_each(|index| fold(map(range(index))))
}
