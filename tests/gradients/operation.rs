//! What has a gradient: each operation in f64, and the call of the crate for its gradients.

use factorized_embedding::{
    DenseEmbedding, FactorizedEmbedding, Result, TokenId,
    train::{Backward, FactorGradients, RowGradient},
};
use ndarray::{Array2, ArrayView2};

/// An operation on a table, with all that it takes but the table.
#[derive(Clone, Debug)]
pub(crate) enum Operation {
    Lookup { ids: Vec<TokenId> },
}

impl Operation {
    /// What it gives, from a table whose padding row is zero.
    pub(crate) fn output(&self, table: &Array2<f64>) -> Array2<f64> {
        match self {
            Self::Lookup { ids } => crate::support::reference::lookup(table, ids),
        }
    }

    /// How many rows it gives, and how many numbers they have if not dim.
    pub(crate) fn shape(&self, table: (usize, usize)) -> (usize, usize) {
        self.output(&Array2::zeros(table)).dim()
    }

    /// The gradient of the table from that of the output; that of the padding row is anything.
    pub(crate) fn table_gradient(&self, table: &Array2<f64>, grad_out: &Array2<f64>) -> Array2<f64> {
        let mut gradient = Array2::zeros(table.dim());
        match self {
            Self::Lookup { ids } => {
                for (&id, row) in ids.iter().zip(grad_out.rows()) {
                    let mut sum = gradient.row_mut(id as usize);
                    sum += &row;
                }
            }
        }
        gradient
    }

    /// The same with the magnitude of every number that it takes.
    pub(crate) fn abs(&self) -> Self {
        match self {
            Self::Lookup { .. } => self.clone(),
        }
    }

    /// The rows that it reads, in order; `None` for all of them.
    pub(crate) fn rows(&self, padding_id: Option<TokenId>) -> Option<Vec<TokenId>> {
        let mut ids = match self {
            Self::Lookup { ids } => ids.clone(),
        };
        ids.retain(|&id| Some(id) != padding_id);
        ids.sort_unstable();
        ids.dedup();
        Some(ids)
    }

    /// How many terms a number of the table's gradient has at most.
    pub(crate) fn terms(&self) -> usize {
        match self {
            Self::Lookup { ids } => ids.len(),
        }
    }

    pub(crate) fn of_factors(
        &self,
        backward: &Backward<'_, FactorizedEmbedding>,
        grad_out: ArrayView2<'_, f32>,
    ) -> Result<FactorGradients> {
        match self {
            Self::Lookup { ids } => backward.lookup(ids, grad_out),
        }
    }

    pub(crate) fn of_table(
        &self,
        backward: &Backward<'_, DenseEmbedding<'_>>,
        grad_out: ArrayView2<'_, f32>,
    ) -> Result<RowGradient> {
        match self {
            Self::Lookup { ids } => backward.lookup(ids, grad_out),
        }
    }
}
