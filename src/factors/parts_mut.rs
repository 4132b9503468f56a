//! Factors that are changed where they are.

use ndarray::{ArrayViewMut1, ArrayViewMut2};

use super::{Factors, Storage};
use crate::{Error, Result};

/// The arrays of [`Factors`], to be changed in place; row-major.
pub(crate) struct FactorsMut<'a> {
    /// \[`vocab_size`, rank\]
    pub(crate) u: ArrayViewMut2<'a, f32>,
    /// \[rank\]
    pub(crate) diagonal: Option<ArrayViewMut1<'a, f32>>,
    /// \[rank, dim\]
    pub(crate) v: ArrayViewMut2<'a, f32>,
    /// \[dim\]
    pub(crate) bias: Option<ArrayViewMut1<'a, f32>>,
}

impl Factors {
    /// Who writes sees to it that all numbers stay finite.
    ///
    /// # Errors
    /// [`NotTrainable`](Error::NotTrainable) for a narrow U.
    pub(crate) fn parts_mut(&mut self) -> Result<FactorsMut<'_>> {
        let stored = self.dtype().name();
        let Self { u: Storage::F32(u), diagonal, v, bias } = self else {
            let remedy = "FactorizedEmbedding::to_f32";
            return Err(Error::NotTrainable { what: "u [vocab_size, rank]", stored, remedy });
        };
        let (diagonal, bias) = (diagonal.as_mut(), bias.as_mut());
        Ok(FactorsMut {
            u: u.view_mut(),
            diagonal: diagonal.map(|diagonal| diagonal.view_mut()),
            v: v.view_mut(),
            bias: bias.map(|bias| bias.view_mut()),
        })
    }
}
