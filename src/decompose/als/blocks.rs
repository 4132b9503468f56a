//! Blocks of an array that is written on all threads, with the same result for any number of them.

use crate::Result;

/// Calls `work` with scratch space, the number of each block and its values; returns what it returns, in the order of
/// blocks.
///
/// # Errors
/// The first one of `work`, in the order of blocks.
pub(super) fn map_blocks<V: Send, S, T: Send>(
    values: &mut [V],
    block_len: usize,
    scratch: impl Fn() -> S + Send + Sync,
    work: impl Fn(&mut S, usize, &mut [V]) -> Result<T> + Send + Sync,
) -> Result<Vec<T>> {
    #[cfg(feature = "rayon")]
    if values.len() > block_len && rayon::current_num_threads() > 1 {
        use rayon::{
            iter::{IndexedParallelIterator, ParallelIterator},
            slice::ParallelSliceMut,
        };
        let results: Vec<_> = values
            .par_chunks_mut(block_len)
            .enumerate()
            .map_init(&scratch, |scratch, (block, values)| work(scratch, block, values))
            .collect();
        return results.into_iter().collect();
    }
    let mut scratch = scratch();
    values.chunks_mut(block_len).enumerate().map(|(block, values)| work(&mut scratch, block, values)).collect()
}
