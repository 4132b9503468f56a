//! What each row of a table loses.

use factorized_embedding::{Embedding, TokenId};

use crate::support::Result;

const BLOCK_ROWS: usize = 1024;

/// ‖eᵢ − êᵢ‖² and ‖eᵢ‖² of each row.
#[derive(Debug)]
pub(crate) struct Losses {
    lost: Vec<f64>,
    energies: Vec<f64>,
}

impl Losses {
    pub(crate) fn new(dense: &dyn Embedding, layer: &dyn Embedding) -> Result<Self> {
        let (mut lost, mut energies) = (Vec::new(), Vec::new());
        let ids: Vec<TokenId> = (0..dense.vocab_size() as TokenId).collect();
        for ids in ids.chunks(BLOCK_ROWS) {
            let (expected, actual) = (dense.lookup(ids)?, layer.lookup(ids)?);
            for (expected, actual) in expected.rows().into_iter().zip(actual.rows()) {
                lost.push(expected.iter().zip(actual).map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2)).sum());
                energies.push(expected.iter().map(|&number| f64::from(number).powi(2)).sum());
            }
        }
        Ok(Self { lost, energies })
    }

    /// The relative error of all rows.
    pub(crate) fn error(&self) -> f64 {
        ratio(self.lost.iter().sum(), self.energies.iter().sum())
    }

    /// The relative error with a weight for each row.
    pub(crate) fn weighted_error(&self, weights: &[f64]) -> f64 {
        let sum = |numbers: &[f64]| numbers.iter().zip(weights).map(|(number, weight)| number * weight).sum();
        ratio(sum(&self.lost), sum(&self.energies))
    }

    /// The relative error of some rows.
    pub(crate) fn error_of(&self, ids: &[TokenId]) -> f64 {
        let sum = |numbers: &[f64]| ids.iter().map(|&id| numbers[id as usize]).sum();
        ratio(sum(&self.lost), sum(&self.energies))
    }
}

fn ratio(lost: f64, energy: f64) -> f64 {
    if lost == 0.0 { 0.0 } else { (lost / energy).sqrt() }
}
