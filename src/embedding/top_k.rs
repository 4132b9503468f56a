//! The best ids of each query.

use ndarray::Array2;

use super::TokenId;

/// The best ids of each query and their scores, best first.
#[derive(Clone, Debug, PartialEq)]
pub struct TopK {
    /// \[n, k\]: the ids, best first; of equal scores the lower id first.
    pub ids: Array2<TokenId>,
    /// \[n, k\]: their scores, never increasing along a row.
    pub scores: Array2<f32>,
}
