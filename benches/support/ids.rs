//! Streams of token ids.

use std::fmt;

use factorized_embedding::TokenId;
use rand::{SeedableRng, rngs::ChaCha8Rng};
use rand_distr::{Distribution, Uniform, Zipf};

/// How ids are drawn.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Ids {
    /// Every id as likely as any other: no row is still in the cache where the table is larger.
    Uniform,
    /// Id i in proportion to 1 / (i + 1), as the words of a text: a vocabulary sorted by frequency.
    Zipf,
}

impl Ids {
    pub(crate) fn draw(self, vocab_size: usize, count: usize) -> Vec<TokenId> {
        let mut rng = ChaCha8Rng::seed_from_u64(2);
        match self {
            Self::Uniform => {
                let ids = Uniform::new(0, vocab_size as TokenId).expect("a vocabulary");
                ids.sample_iter(&mut rng).take(count).collect()
            }
            Self::Zipf => {
                let ranks = Zipf::new(vocab_size as f64, 1.0).expect("a vocabulary");
                ranks.sample_iter(&mut rng).take(count).map(|rank| rank as TokenId - 1).collect()
            }
        }
    }
}

impl fmt::Display for Ids {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Uniform => "uniform",
            Self::Zipf => "zipf",
        })
    }
}
