//! The left side of the products that D, V and b have their gradients from.

use ndarray::{Array2, s};

use crate::{Result, train::transpose::transpose_into};

/// Which rows it has: those of rank space, a row for the bias, or both.
#[derive(Clone, Copy)]
pub(super) struct Left {
    /// 0 where D and V are frozen.
    pub(super) rank: usize,
    pub(super) bias: bool,
}

impl Left {
    /// How many rows it has.
    pub(super) fn len(self) -> usize {
        self.rank + usize::from(self.bias)
    }

    /// The transpose of rows \[k, rank\], which are asked for only if they are needed, and ones for the bias.
    pub(super) fn of(self, k: usize, rows: impl FnOnce() -> Result<Array2<f32>>) -> Result<Array2<f32>> {
        let mut left = Array2::ones((self.len(), k));
        if self.rank > 0 {
            transpose_into(rows()?.view(), left.slice_mut(s![..self.rank, ..]));
        }
        Ok(left)
    }
}
