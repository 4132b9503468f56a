//! What a layer is compared with.

use factorized_embedding::{Pooling, TokenId};
use ndarray::Array2;

use crate::support::{
    compare::Expected,
    random,
    reference::{self, Bag},
};

/// The table that a layer stands for, in f64, and how exactly the layer can be expected to give it.
#[derive(Clone, Debug)]
pub(crate) struct Reference {
    pub(crate) name: String,
    /// E as it is stored, the padding row too.
    pub(crate) table: Array2<f64>,
    /// Σ|terms| of each entry of E.
    pub(crate) magnitudes: Array2<f64>,
    /// How many terms add up to an entry of E; 0 when entries are stored.
    pub(crate) terms: usize,
    /// All numbers are small integers, so that sums and products of them are exact.
    pub(crate) exact: bool,
    pub(crate) padding_id: Option<TokenId>,
    pub(crate) num_parameters: usize,
    pub(crate) size_in_bytes: usize,
}

impl Reference {
    pub(crate) fn padded(&self, id: TokenId) -> Self {
        Self { name: format!("{} with padding id {id}", self.name), padding_id: Some(id), ..self.clone() }
    }

    pub(crate) fn vocab_size(&self) -> usize {
        self.table.nrows()
    }

    pub(crate) fn dim(&self) -> usize {
        self.table.ncols()
    }

    /// All ids that are not padding.
    pub(crate) fn candidates(&self) -> Vec<TokenId> {
        all_ids(self.vocab_size()).filter(|id| Some(*id) != self.padding_id).collect()
    }

    /// E as it is read.
    pub(crate) fn visible(&self) -> Array2<f64> {
        reference::unpadded(&self.table, self.padding_id)
    }

    /// Σ|terms| of the entries of E as it is read.
    pub(crate) fn visible_magnitudes(&self) -> Array2<f64> {
        reference::unpadded(&self.magnitudes, self.padding_id)
    }

    /// Terms of a sum of so many entries of E, each a sum itself.
    pub(crate) fn terms_of_sum(&self, len: usize) -> usize {
        if self.exact { 0 } else { self.terms + len }
    }

    pub(crate) fn lookup(&self, ids: &[TokenId]) -> Expected {
        let magnitudes = reference::lookup(&self.visible_magnitudes(), ids);
        Expected::new(reference::lookup(&self.visible(), ids), self.terms_of_sum(0), &magnitudes)
    }

    pub(crate) fn bag(&self, bags: &[Bag], pooling: Pooling) -> Expected {
        let counted = |weight: fn(f64) -> f64| -> Vec<Bag> {
            let counts = |&(id, _): &(TokenId, f64)| Some(id) != self.padding_id;
            let weighted = |(id, w)| (id, weight(w));
            bags.iter().map(|bag| bag.iter().copied().filter(counts).map(weighted).collect()).collect()
        };
        let longest = bags.iter().map(Vec::len).max().unwrap_or(0);
        let terms = match pooling {
            // A maximum is one of the rows.
            Pooling::Max => self.terms_of_sum(0),
            Pooling::Sum => self.terms_of_sum(longest),
            // The division rounds even where the sum is exact.
            Pooling::Mean => self.terms_of_sum(longest).max(1),
        };
        let values = reference::bag(&self.table, &counted(|weight| weight), pooling);
        Expected::new(values, terms, &reference::bag(&self.magnitudes, &counted(f64::abs), pooling))
    }

    pub(crate) fn soft_lookup(&self, weights: &Array2<f64>) -> Expected {
        let magnitudes = reference::soft_lookup(&self.visible_magnitudes(), &weights.abs());
        let values = reference::soft_lookup(&self.visible(), weights);
        Expected::new(values, self.terms_of_sum(self.vocab_size()), &magnitudes)
    }

    pub(crate) fn logits(&self, hidden: &Array2<f64>) -> Expected {
        let magnitudes = reference::logits(&self.visible_magnitudes(), &hidden.abs());
        Expected::new(reference::logits(&self.visible(), hidden), self.terms_of_sum(self.dim()), &magnitudes)
    }

    /// Numbers of the kind that the table is made of.
    pub(crate) fn draw(&self, shape: (usize, usize), seed: u64) -> Array2<f32> {
        if self.exact { random::integers(shape, seed) } else { random::normal(shape, seed) }
    }
}

fn all_ids(vocab_size: usize) -> std::ops::Range<TokenId> {
    0..TokenId::try_from(vocab_size).expect("a small vocabulary")
}
