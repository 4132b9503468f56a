//! The left side of the products that D, V and b have their gradients from.

use ndarray::{Array2, ArrayView2, s};

use crate::{Isa, kernel};

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

    /// The transpose of rows \[k, rank\], and ones for the bias.
    pub(super) fn of(self, isa: Isa, rows: ArrayView2<'_, f32>) -> Array2<f32> {
        let mut left = Array2::ones((self.len(), rows.nrows()));
        if self.rank > 0 {
            kernel::transpose(isa, rows, &mut left.slice_mut(s![..self.rank, ..]));
        }
        left
    }
}
