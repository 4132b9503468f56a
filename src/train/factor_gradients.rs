//! Gradients of factors.

use std::fmt;

use ndarray::{Array1, Array2};

use super::RowGradient;

/// The gradients of U, D, V and b: `None` for a part that is frozen, or not there.
#[derive(Clone, PartialEq)]
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
        write!(f, "FactorGradients(u {u:?}")?;
        let parts = [
            ("diagonal", diagonal.as_ref().map(|part| part.shape())),
            ("v", v.as_ref().map(|part| part.shape())),
            ("bias", bias.as_ref().map(|part| part.shape())),
        ];
        parts.iter().try_for_each(|(name, shape)| shape.map_or(Ok(()), |shape| write!(f, ", {name} {shape:?}")))?;
        f.write_str(")")
    }
}
