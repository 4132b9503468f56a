//! Gradients of factors.

use std::fmt;

use ndarray::{Array1, Array2};

use super::RowGradient;

/// The gradients of U, D, V and b: `None` for a part that is frozen, or not there.
#[derive(Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct FactorGradients {
    /// Of rows of U, rank wide.
    pub u: Option<RowGradient>,
    /// \[rank\]
    pub diagonal: Option<Array1<f32>>,
    /// \[rank, dim\]
    pub v: Option<Array2<f32>>,
    /// \[dim\]
    pub bias: Option<Array1<f32>>,
}

impl fmt::Debug for FactorGradients {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { u, diagonal, v, bias } = self;
        let parts = [
            ("u", u.as_ref().map(|part| format!("{part:?}"))),
            ("diagonal", diagonal.as_ref().map(|part| format!("{:?}", part.shape()))),
            ("v", v.as_ref().map(|part| format!("{:?}", part.shape()))),
            ("bias", bias.as_ref().map(|part| format!("{:?}", part.shape()))),
        ];
        let parts = parts.into_iter().filter_map(|(name, part)| Some(format!("{name} {}", part?)));
        write!(f, "FactorGradients({})", parts.collect::<Vec<_>>().join(", "))
    }
}
