//! Interpolated Kneser–Ney smoothing (Chen & Goodman 1999, "An empirical study of smoothing techniques for language modeling",
//! §2.7 and 4.1): what a neural model has to beat.
//!
//! ```text
//! P(w | u v) = (max(c(u v w) − D₃, 0) + D₃ · N₊(u v ·) · P(w | v)) / c(u v ·)
//! P(w | v)   = (max(N₊(· v w) − D₂, 0) + D₂ · N₊(v ·) · P(w)) / N₊(· v ·)
//! P(w)       = (max(N₊(· w) − D₁, 0) + D₁ · N₊(·) / |V|) / N₊(· ·)
//! ```
//!
//! N₊ counts different contexts, and Dₙ = n₁ / (n₁ + 2·n₂) of the counts that are discounted.

use std::{collections::HashMap, hash::Hash};

use factorized_embedding::TokenId;

use crate::text::VOCAB_SIZE;

#[derive(Debug)]
pub(crate) struct Trigram {
    trigrams: Level<[TokenId; 2]>,
    bigrams: Level<TokenId>,
    unigrams: Level<()>,
}

/// Counts of tokens in contexts of one length.
#[derive(Debug)]
struct Level<C> {
    counts: HashMap<(C, TokenId), u32>,
    /// The sum of the counts, and how many there are.
    totals: HashMap<C, (u32, u32)>,
    discount: f64,
}

impl<C: Copy + Eq + Hash> Level<C> {
    fn new(events: impl Iterator<Item = (C, TokenId)>) -> Self {
        let mut counts = HashMap::<_, u32>::new();
        events.for_each(|event| *counts.entry(event).or_default() += 1);
        let mut totals = HashMap::<C, (u32, u32)>::new();
        for ((context, _), count) in &counts {
            let (sum, different) = totals.entry(*context).or_default();
            *sum += count;
            *different += 1;
        }
        let with = |wanted: u32| counts.values().filter(|&&count| count == wanted).count() as f64;
        // Every text of some length has n-grams that occur once.
        Self { discount: with(1).max(1.0) / (with(1).max(1.0) + 2.0 * with(2)), counts, totals }
    }

    fn probability(&self, context: C, token: TokenId, shorter: f64) -> f64 {
        let Some(&(sum, different)) = self.totals.get(&context) else { return shorter };
        let count = self.counts.get(&(context, token)).copied().unwrap_or(0);
        let discounted = (f64::from(count) - self.discount).max(0.0);
        (discounted + self.discount * f64::from(different) * shorter) / f64::from(sum)
    }
}

impl Trigram {
    pub(crate) fn new(tokens: &[TokenId]) -> Self {
        let trigrams = Level::new(tokens.windows(3).map(|window| ([window[0], window[1]], window[2])));
        let bigrams = Level::new(trigrams.counts.keys().map(|&([_, before], token)| (before, token)));
        let unigrams = Level::new(bigrams.counts.keys().map(|&(_, token)| ((), token)));
        Self { trigrams, bigrams, unigrams }
    }

    /// P(token | the two before it), or fewer at the start of a stream.
    fn probability(&self, before: &[TokenId], token: TokenId) -> f64 {
        let uniform = 1.0 / VOCAB_SIZE as f64;
        let unigram = self.unigrams.probability((), token, uniform);
        let [.., last] = before else { return unigram };
        let bigram = self.bigrams.probability(*last, token, unigram);
        let [.., second_last, _] = before else { return bigram };
        self.trigrams.probability([*second_last, *last], token, bigram)
    }

    /// Of the tokens 1..=`count` of a stream.
    pub(crate) fn perplexity(&self, tokens: &[TokenId], count: usize) -> f64 {
        let entropy = (1..=count).map(|i| -self.probability(&tokens[..i], tokens[i]).ln()).sum::<f64>();
        (entropy / count as f64).exp()
    }
}
