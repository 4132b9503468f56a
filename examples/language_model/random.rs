//! Random numbers of one seed, for several purposes.

use rand::{SeedableRng, rngs::ChaCha8Rng};

/// What random numbers are for: each purpose has a stream of its own, independent of the others.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Purpose {
    Table = 1,
    Weights,
    Batches,
    FineTuning,
}

pub(crate) fn rng(seed: u64, purpose: Purpose) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(purpose as u64);
    rng
}
