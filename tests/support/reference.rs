//! What every operation means, in f64 and so short that it cannot be wrong. Never optimised.
//!
//! A padding id is what its row is left out of: [`unpadded`] gives the table as lookups see it.

use factorized_embedding::{Pooling, TokenId};
use ndarray::{Array1, Array2};

use super::factor_parts::FactorParts;

/// A list of ids, each with its weight.
pub(crate) type Bag = Vec<(TokenId, f64)>;

/// U · diag(D) · V + 1·bᵀ.
pub(crate) fn dense(parts: &FactorParts) -> Array2<f64> {
    let FactorParts { u, diagonal, v, bias } = parts;
    Array2::from_shape_fn((u.nrows(), v.ncols()), |(i, j)| {
        let mut sum = bias.as_ref().map_or(0.0, |bias| f64::from(bias[j]));
        for k in 0..u.ncols() {
            let scale = diagonal.as_ref().map_or(1.0, |diagonal| f64::from(diagonal[k]));
            sum += f64::from(u[[i, k]]) * scale * f64::from(v[[k, j]]);
        }
        sum
    })
}

/// The table with a zero row where the padding id is.
pub(crate) fn unpadded(table: &Array2<f64>, padding_id: Option<TokenId>) -> Array2<f64> {
    let mut table = table.clone();
    if let Some(id) = padding_id {
        table.row_mut(id as usize).fill(0.0);
    }
    table
}

/// The row of each id.
pub(crate) fn lookup(table: &Array2<f64>, ids: &[TokenId]) -> Array2<f64> {
    Array2::from_shape_fn((ids.len(), table.ncols()), |(i, j)| table[[ids[i] as usize, j]])
}

/// The weighted sum, the mean or the maximum of the rows of each bag; zero for a bag without ids.
pub(crate) fn bag(table: &Array2<f64>, bags: &[Bag], pooling: Pooling) -> Array2<f64> {
    Array2::from_shape_fn((bags.len(), table.ncols()), |(i, j)| {
        let values = bags[i].iter().map(|&(id, weight)| weight * table[[id as usize, j]]);
        match pooling {
            _ if bags[i].is_empty() => 0.0,
            Pooling::Sum => values.sum(),
            Pooling::Mean => values.sum::<f64>() / bags[i].len() as f64,
            Pooling::Max => values.fold(f64::NEG_INFINITY, f64::max),
        }
    })
}

/// weights · E.
pub(crate) fn soft_lookup(table: &Array2<f64>, weights: &Array2<f64>) -> Array2<f64> {
    Array2::from_shape_fn((weights.nrows(), table.ncols()), |(i, j)| {
        (0..table.nrows()).map(|id| weights[[i, id]] * table[[id, j]]).sum()
    })
}

/// hidden · Eᵀ.
pub(crate) fn logits(table: &Array2<f64>, hidden: &Array2<f64>) -> Array2<f64> {
    Array2::from_shape_fn((hidden.nrows(), table.nrows()), |(i, id)| {
        (0..table.ncols()).map(|j| hidden[[i, j]] * table[[id, j]]).sum()
    })
}

/// a·b / (‖a‖·‖b‖), 0 when either is zero.
pub(crate) fn cosine(a: &Array1<f64>, b: &Array1<f64>) -> f64 {
    let norms = norm(a) * norm(b);
    if norms == 0.0 { 0.0 } else { a.dot(b) / norms }
}

pub(crate) fn norm(a: &Array1<f64>) -> f64 {
    a.dot(a).sqrt()
}
