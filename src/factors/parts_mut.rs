//! Factors that are changed where they are.

use ndarray::{ArrayViewMut1, ArrayViewMut2};

use super::{Factors, Storage};
use crate::{Error, Result};

/// The arrays of [`Factors`], to be changed in place; row-major.
pub(crate) struct FactorsMut<'a> {
    /// \[`vocab_size`, rank\]; [`NotTrainable`](Error::NotTrainable) where U is narrow.
    pub(crate) u: Result<ArrayViewMut2<'a, f32>>,
    /// \[rank\]
    pub(crate) diagonal: Option<ArrayViewMut1<'a, f32>>,
    /// \[rank, dim\]
    pub(crate) v: ArrayViewMut2<'a, f32>,
    /// \[dim\]
    pub(crate) bias: Option<ArrayViewMut1<'a, f32>>,
}

impl Factors {
    /// Who writes sees to it that all numbers stay finite.
    pub(crate) fn parts_mut(&mut self) -> FactorsMut<'_> {
        let (what, remedy) = ("u [vocab_size, rank]", "FactorizedEmbedding::to_f32");
        let stored = self.dtype().name();
        let Self { u, diagonal, v, bias } = self;
        let u = match u {
            Storage::F32(u) => Ok(u.view_mut()),
            _ => Err(Error::NotTrainable { what, stored, remedy }),
        };
        let (diagonal, bias) = (diagonal.as_mut(), bias.as_mut());
        FactorsMut {
            u,
            diagonal: diagonal.map(|diagonal| diagonal.view_mut()),
            v: v.view_mut(),
            bias: bias.map(|bias| bias.view_mut()),
        }
    }
}
