//! A stream of tokens in batches of windows.

use candle_core::{Device, Tensor};
use factorized_embedding::TokenId;
use rand::{Rng, RngExt, seq::SliceRandom};

use crate::{plan::CONTEXT, support::Result};

/// Windows that are looked at together.
const WINDOWS: usize = 8;
/// Stands for targets that do not count.
pub(crate) const IGNORED: TokenId = TokenId::MAX;
/// From one window to the next where they overlap.
const SHIFT: usize = CONTEXT / 2;

#[derive(Debug)]
pub(crate) struct Batch {
    /// \[windows, context\]
    pub(crate) inputs: Tensor,
    /// The tokens behind them, or [`IGNORED`] \[windows, context\].
    pub(crate) targets: Tensor,
    /// How many targets count.
    pub(crate) num_targets: usize,
}

impl Batch {
    /// Of windows that begin at these places, all of whose targets count but the first `skipped(start)`.
    fn new(tokens: &[TokenId], starts: &[usize], skipped: impl Fn(usize) -> usize) -> Result<Self> {
        let inputs: Vec<TokenId> = starts.iter().flat_map(|&start| &tokens[start..][..CONTEXT]).copied().collect();
        let mut targets = Vec::with_capacity(inputs.len());
        for &start in starts {
            let skipped = skipped(start);
            targets.extend(std::iter::repeat_n(IGNORED, skipped));
            targets.extend(&tokens[start + skipped + 1..=start + CONTEXT]);
        }
        let num_targets = targets.iter().filter(|&&target| target != IGNORED).count();
        let windows = |ids: Vec<TokenId>| Tensor::from_vec(ids, (starts.len(), CONTEXT), &Device::Cpu);
        Ok(Self { inputs: windows(inputs)?, targets: windows(targets)?, num_targets })
    }
}

/// How many whole batches a stream has.
pub(crate) fn count(tokens: &[TokenId]) -> usize {
    num_windows(tokens) / WINDOWS
}

/// Windows next to each other, with a token behind the last; one less, so that the first may begin anywhere.
fn num_windows(tokens: &[TokenId]) -> usize {
    (tokens.len() - 1) / CONTEXT - 1
}

/// Windows next to each other, from a random place on, in random order.
pub(crate) fn shuffled(tokens: &[TokenId], rng: &mut impl Rng) -> impl Iterator<Item = Result<Batch>> {
    let first = rng.random_range(0..CONTEXT);
    let mut starts: Vec<usize> = (0..num_windows(tokens)).map(|window| first + window * CONTEXT).collect();
    starts.shuffle(rng);
    (0..count(tokens)).map(move |batch| Batch::new(tokens, &starts[batch * WINDOWS..][..WINDOWS], |_| 0))
}

/// Overlapping windows in order. Each of the tokens 1..=[`num_predicted`] is predicted once, where two windows have it by the
/// one that sees more of what comes before.
pub(crate) fn in_order(tokens: &[TokenId]) -> impl Iterator<Item = Result<Batch>> {
    let starts: Vec<usize> = (0..num_predicted(tokens) / SHIFT - 1).map(|window| window * SHIFT).collect();
    let batches: Vec<_> = starts.chunks(2 * WINDOWS).map(<[usize]>::to_vec).collect();
    let skipped = |start| if start == 0 { 0 } else { CONTEXT - SHIFT };
    batches.into_iter().map(move |starts| Batch::new(tokens, &starts, skipped))
}

/// How many tokens of a stream are predicted in order.
pub(crate) fn num_predicted(tokens: &[TokenId]) -> usize {
    (tokens.len() - 1) / SHIFT * SHIFT
}
