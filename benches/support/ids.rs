//! Streams of token ids.

use std::{fmt, fs::File};

use factorized_embedding::TokenId;
use ndarray::Array1;
use ndarray_npy::ReadNpyExt;
use rand::{SeedableRng, rngs::ChaCha8Rng};
use rand_distr::{Distribution, Uniform, Zipf};

/// Ids that a bench goes through before it begins again.
pub(crate) const STREAM: usize = 1 << 18;

/// How ids are drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ids {
    /// Every id as likely as any other: no row is still in the cache where the table is larger.
    Uniform,
    /// Id i in proportion to 1 / (i + 1), as the words of a text: a vocabulary sorted by frequency.
    Zipf,
    /// *Alice's Adventures in Wonderland* as ids of a vocabulary of 10,000 words.
    Text,
}

impl Ids {
    pub(crate) fn draw(self, vocab_size: usize) -> Vec<TokenId> {
        let mut rng = ChaCha8Rng::seed_from_u64(2);
        match self {
            Self::Uniform => {
                let ids = Uniform::new(0, vocab_size as TokenId).expect("a vocabulary");
                ids.sample_iter(&mut rng).take(STREAM).collect()
            }
            Self::Zipf => {
                let ranks = Zipf::new(vocab_size as f64, 1.0).expect("a vocabulary");
                ranks.sample_iter(&mut rng).take(STREAM).map(|rank| rank as TokenId - 1).collect()
            }
            Self::Text => {
                let path = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/data/alice-glove50-top10k.ids.npy");
                let ids = Array1::<u16>::read_npy(File::open(path).expect("the text")).expect("ids of u16");
                ids.iter().map(|&id| TokenId::from(id)).collect()
            }
        }
    }

    /// Whether ids repeat within a batch.
    pub(crate) fn repeat(self) -> bool {
        self != Self::Uniform
    }
}

impl fmt::Display for Ids {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Uniform => "lookup",
            Self::Zipf => "lookup_zipf",
            Self::Text => "lookup_text",
        })
    }
}
