//! What has a gradient: each operation in f64, and the call of the crate for its gradients.

use factorized_embedding::{
    Bags, DenseEmbedding, FactorizedEmbedding, Pooling, Result, TokenId,
    train::{Backward, FactorGradients, RowGradient},
};
use ndarray::{Array2, ArrayView2};

use crate::support::{
    compare::widened,
    reference::{self, Bag},
};

/// An operation on a table, with all that it takes but the table.
#[derive(Clone, Debug)]
pub(crate) enum Operation {
    Lookup { ids: Vec<TokenId> },
    Bag { ids: Vec<TokenId>, offsets: Vec<usize>, pooling: Pooling, weights: Option<Vec<f32>> },
    SoftLookup { weights: Array2<f32> },
    Logits { hidden: Array2<f32> },
}

impl Operation {
    /// What it gives, from a table whose padding row is zero.
    pub(crate) fn output(&self, table: &Array2<f64>, padding_id: Option<TokenId>) -> Array2<f64> {
        match self {
            Self::Lookup { ids } => reference::lookup(table, ids),
            Self::Bag { pooling, .. } => reference::bag(table, &self.bags(padding_id), *pooling),
            Self::SoftLookup { weights } => reference::soft_lookup(table, &widened(weights.view())),
            Self::Logits { hidden } => reference::logits(table, &widened(hidden.view())),
        }
    }

    /// The bags without padding.
    fn bags(&self, padding_id: Option<TokenId>) -> Vec<Bag> {
        let Self::Bag { ids, offsets, weights, .. } = self else { return Vec::new() };
        let weight = |place: usize| weights.as_ref().map_or(1.0, |weights| f64::from(weights[place]));
        let end = |bag: usize| offsets.get(bag + 1).copied().unwrap_or(ids.len());
        let counted = |place: &usize| Some(ids[*place]) != padding_id;
        let bag = |bag: usize| (offsets[bag]..end(bag)).filter(counted).map(|place| (ids[place], weight(place)));
        (0..offsets.len()).map(|number| bag(number).collect()).collect()
    }

    /// The shape of what it gives.
    pub(crate) fn shape(&self, (vocab_size, dim): (usize, usize)) -> (usize, usize) {
        match self {
            Self::Lookup { ids } => (ids.len(), dim),
            Self::Bag { offsets, .. } => (offsets.len(), dim),
            Self::SoftLookup { weights } => (weights.nrows(), dim),
            Self::Logits { hidden } => (hidden.nrows(), vocab_size),
        }
    }

    /// The gradient of the table from that of the output; that of the padding row is anything.
    pub(crate) fn table_gradient(
        &self,
        table: &Array2<f64>,
        padding_id: Option<TokenId>,
        grad_out: &Array2<f64>,
    ) -> Array2<f64> {
        let mut gradient = Array2::zeros(table.dim());
        match self {
            Self::Lookup { ids } => {
                for (&id, row) in ids.iter().zip(grad_out.rows()) {
                    let mut sum = gradient.row_mut(id as usize);
                    sum += &row;
                }
            }
            Self::Bag { pooling, .. } => {
                for (bag, row) in self.bags(padding_id).into_iter().zip(grad_out.rows()) {
                    for (j, &number) in row.iter().enumerate() {
                        match pooling {
                            Pooling::Max => {
                                let values = bag.iter().map(|&(id, _)| (id, table[[id as usize, j]]));
                                // The first one, where several are equal.
                                let best = values.reduce(|best, other| if other.1 > best.1 { other } else { best });
                                best.into_iter().for_each(|(id, _)| gradient[[id as usize, j]] += number);
                            }
                            _ => {
                                let count = if *pooling == Pooling::Mean { bag.len() } else { 1 };
                                for &(id, weight) in &bag {
                                    gradient[[id as usize, j]] += weight * number / count as f64;
                                }
                            }
                        }
                    }
                }
            }
            Self::SoftLookup { weights } => gradient = widened(weights.t()).dot(grad_out),
            Self::Logits { hidden } => gradient = grad_out.t().dot(&widened(hidden.view())),
        }
        gradient
    }

    /// The same with the magnitude of every number that it takes.
    pub(crate) fn abs(&self) -> Self {
        match self {
            Self::Lookup { .. } => self.clone(),
            Self::Bag { ids, offsets, pooling, weights } => Self::Bag {
                ids: ids.clone(),
                offsets: offsets.clone(),
                pooling: *pooling,
                weights: weights.as_ref().map(|weights| weights.iter().map(|weight| weight.abs()).collect()),
            },
            Self::SoftLookup { weights } => Self::SoftLookup { weights: weights.abs() },
            Self::Logits { hidden } => Self::Logits { hidden: hidden.abs() },
        }
    }

    /// The rows that it reads, in order; `None` for all of them.
    pub(crate) fn rows(&self, vocab_size: usize, padding_id: Option<TokenId>) -> Option<Vec<TokenId>> {
        let all = 0..TokenId::try_from(vocab_size).expect("a small vocabulary");
        let mut ids = match self {
            Self::SoftLookup { weights } => {
                let is_used = |id: &TokenId| weights.column(*id as usize).iter().any(|&weight| weight != 0.0);
                all.filter(is_used).collect()
            }
            Self::Logits { hidden } => all.filter(|_| hidden.nrows() > 0).collect(),
            Self::Lookup { ids } | Self::Bag { ids, .. } => ids.clone(),
        };
        ids.retain(|&id| Some(id) != padding_id);
        ids.sort_unstable();
        ids.dedup();
        let is_sparse = matches!(self, Self::Lookup { .. } | Self::Bag { .. });
        (is_sparse || ids.len() < vocab_size).then_some(ids)
    }

    /// How many terms a number of the table's gradient has at most.
    pub(crate) fn terms(&self, vocab_size: usize) -> usize {
        match self {
            Self::Lookup { ids } | Self::Bag { ids, .. } => ids.len(),
            // Sums over n, and over the vocabulary.
            Self::SoftLookup { weights } => weights.nrows() + weights.ncols(),
            Self::Logits { hidden } => hidden.nrows() + vocab_size,
        }
    }

    pub(crate) fn of_factors(
        &self,
        backward: &Backward<'_, FactorizedEmbedding>,
        grad_out: ArrayView2<'_, f32>,
    ) -> Result<FactorGradients> {
        match self {
            Self::Lookup { ids } => backward.lookup(ids, grad_out),
            Self::Bag { ids, offsets, pooling, weights } => {
                backward.bag(&bags(ids, offsets, *pooling, weights.as_deref()), grad_out)
            }
            Self::SoftLookup { weights } => backward.soft_lookup(weights.view(), grad_out),
            Self::Logits { hidden } => backward.logits(hidden.view(), grad_out),
        }
    }

    pub(crate) fn of_table(
        &self,
        backward: &Backward<'_, DenseEmbedding<'_>>,
        grad_out: ArrayView2<'_, f32>,
    ) -> Result<RowGradient> {
        match self {
            Self::Lookup { ids } => backward.lookup(ids, grad_out),
            Self::Bag { ids, offsets, pooling, weights } => {
                backward.bag(&bags(ids, offsets, *pooling, weights.as_deref()), grad_out)
            }
            Self::SoftLookup { weights } => backward.soft_lookup(weights.view(), grad_out),
            Self::Logits { hidden } => backward.logits(hidden.view(), grad_out),
        }
    }
}

fn bags<'a>(ids: &'a [TokenId], offsets: &'a [usize], pooling: Pooling, weights: Option<&'a [f32]>) -> Bags<'a> {
    let bags = Bags::new(ids, offsets, pooling).expect("rising offsets");
    match weights {
        Some(weights) => bags.with_weights(weights).expect("a weight for each id"),
        None => bags,
    }
}
