//! The ranks that common rules choose, and what to think of them.

use factorized_embedding::{Rank, Spectrum};

use crate::support::Result;

/// What a rule goes by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A share of the energy, chosen by hand.
    Energy,
    /// The shape of the singular values.
    Shape,
    /// Bytes.
    Size,
}

/// A rank, and the rule that chooses it.
#[derive(Debug)]
pub(crate) struct Recommendation {
    pub(crate) name: &'static str,
    pub(crate) rank: usize,
    pub(crate) kind: Kind,
}

const SHARES: [(f64, &str); 5] = [
    (0.5, "50 % of the energy"),
    (0.8, "80 % of the energy"),
    (0.9, "90 % of the energy"),
    (0.95, "95 % of the energy"),
    (0.99, "99 % of the energy"),
];

const EFFECTIVE: &str = "effective rank";
const THRESHOLD: &str = "hard threshold";
const KNEE: &str = "knee";
const BREAK_EVEN: &str = "break-even";

/// What the rules assume and where they mislead.
pub(crate) const NOTES: [(&str, &str); 5] = [
    (
        "energy",
        "The fewest directions that keep this share of Σ σ². Shares sound better than they are: 90 % of the energy is a \
         relative error of 0.32. They speak of all rows together; rows that matter more should weigh more (--frequencies).",
    ),
    (
        EFFECTIVE,
        "exp of the entropy of σ / Σ σ (Roy & Vetterli 2007): over how many directions the table spreads. It describes and \
         promises nothing about the error; it counts σ and not σ², so that many small values make it high.",
    ),
    (
        THRESHOLD,
        "The values above what white noise would reach, if the middle one were noise (Gavish & Donoho 2014). Best for a \
         matrix of low rank plus white noise, which trained tables are not: their middle directions carry meaning, and the \
         rank comes out far too low to replace the table. It tells how many directions stand out, not how many are needed. \
         Weighted rows make the noise uneven, and the rule still less fitting.",
    ),
    (
        KNEE,
        "Where the error curve is farthest below the straight line between its ends (Satopaa et al. 2011): the next \
         directions take less off the error than directions do on average. It knows neither bytes nor quality. The errors of \
         trained tables hardly bend after a steep beginning, so that it only tells where that ends.",
    ),
    (
        BREAK_EVEN,
        "The highest rank at which 32-bit factors take no more bytes than the table in 32 bits, about vocab · dim / (vocab + \
         dim). A limit, not a choice.",
    ),
];

/// All recommended ranks, the lowest first. A rule that has no answer is left out.
pub(crate) fn recommendations(spectrum: &Spectrum) -> Result<Vec<Recommendation>> {
    let mut found = Vec::new();
    let mut add = |name, rank, kind| found.push(Recommendation { name, rank, kind });
    for (share, name) in SHARES {
        add(name, Rank::Energy(share).select(spectrum)?, Kind::Energy);
    }
    add(EFFECTIVE, Rank::Effective.select(spectrum)?, Kind::Shape);
    add(THRESHOLD, Rank::HardThreshold.select(spectrum)?, Kind::Shape);
    if let Some(rank) = spectrum.knee()? {
        add(KNEE, rank, Kind::Shape);
    }
    if dense_bytes(spectrum) >= spectrum.bytes_at(1) {
        add(BREAK_EVEN, Rank::Bytes(dense_bytes(spectrum)).select(spectrum)?, Kind::Size);
    }
    found.sort_by_key(|recommendation| recommendation.rank);
    Ok(found)
}

/// Bytes of the table as 32-bit floats.
pub(crate) fn dense_bytes(spectrum: &Spectrum) -> usize {
    let [vocab_size, dim] = spectrum.shape();
    size_of::<f32>() * vocab_size * dim
}
