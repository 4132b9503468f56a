//! How long lookups take.

use std::time::{Duration, Instant};

use ndarray::Array2;

use crate::{Embedding, Result, TokenId};

/// Ids of one lookup.
const BATCH: usize = 4096;
/// Lookups of each layer, after one that does not count.
const ROUNDS: usize = 9;

/// Nanoseconds a token of a lookup in each layer. The layers take turns, so that a change in the machine's speed meets
/// both; the median of the rounds is what counts.
pub(super) fn lookup_nanoseconds(a: &dyn Embedding, b: &dyn Embedding) -> Result<[f64; 2]> {
    let ids = spread_ids(a.vocab_size());
    let mut out = Array2::zeros((BATCH, a.dim()));
    let mut times = [const { Vec::new() }; 2];
    for round in 0..=ROUNDS {
        for (layer, times) in [a, b].into_iter().zip(&mut times) {
            let start = Instant::now();
            layer.lookup_into(&ids, out.view_mut())?;
            let time = start.elapsed();
            if round > 0 {
                times.push(time);
            }
        }
    }
    Ok(times.map(|times| median(times).as_nanos() as f64 / BATCH as f64))
}

/// Ids in an order that jumps about: multiples of a large prime.
fn spread_ids(vocab_size: usize) -> Vec<TokenId> {
    const PRIME: usize = 2_654_435_761;
    (0..BATCH).map(|i| (i.wrapping_mul(PRIME) % vocab_size) as TokenId).collect()
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}
