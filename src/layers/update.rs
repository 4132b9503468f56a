//! Parameters that change while the layer is in use.
//!
//! Whatever is derived from them is made anew or forgotten: the packed projection is made anew once, norms and hot rows are
//! forgotten.

use std::sync::OnceLock;

use ndarray::{Array2, ArrayViewMut2};

use super::{DenseEmbedding, FactorizedEmbedding};
#[cfg(feature = "decompose")]
use crate::Factors;
use crate::{Dtype, Error, Result, factors::FactorsMut, kernel::PackedProjection, rows::Rows};

impl FactorizedEmbedding {
    /// The same layer with U as `f32`, whatever it was stored as: to be trained, say.
    #[must_use]
    pub fn to_f32(&self) -> Self {
        Self::new(self.factors.to_f32()).with_settings_of(self)
    }

    /// Changes the factors in place. `change` writes only when nothing can fail any more, and writes finite numbers only. Whether
    /// diag(D) · V is finite, too, is not looked at.
    ///
    /// # Errors
    /// Those of `change`; the layer is then as it was.
    pub(crate) fn update<R>(&mut self, change: impl FnOnce(FactorsMut<'_>) -> Result<R>) -> Result<R> {
        let result = change(self.factors.parts_mut())?;
        self.repack();
        Ok(result)
    }

    /// The same for U alone, which leaves the projection as it is.
    ///
    /// # Errors
    /// [`NotTrainable`](Error::NotTrainable) for a narrow U, and those of `change`; the layer is then as it was.
    pub(crate) fn update_rows<R>(&mut self, change: impl FnOnce(ArrayViewMut2<'_, f32>) -> Result<R>) -> Result<R> {
        let result = change(self.factors.parts_mut().u?)?;
        self.forget_rows();
        Ok(result)
    }

    /// # Errors
    /// [`NotTrainable`](Error::NotTrainable) for a narrow U.
    #[cfg(feature = "decompose")]
    pub(crate) fn check_trainable(&mut self) -> Result<()> {
        self.factors.parts_mut().u.map(|_| ())
    }

    /// Other factors of the same table in the place of these.
    #[cfg(feature = "decompose")]
    pub(crate) fn replace_factors(&mut self, factors: Factors) {
        self.factors = factors;
        self.repack();
    }

    /// Makes the projection anew, and forgets whatever else is derived from the factors.
    pub(super) fn repack(&mut self) {
        self.projection = PackedProjection::new(self.factors.scaled_projection().view(), self.factors.bias());
        self.unscaled_projection.take();
        self.transposed_projection.take();
        self.forget_rows();
    }

    /// Hot rows are not made anew: after a change of V, that would take longer than the step.
    fn forget_rows(&mut self) {
        self.inverse_norms.take();
        self.hot_rows = None;
    }
}

impl DenseEmbedding<'_> {
    /// The same layer over a table of `f32` in memory of its own, wherever and however the numbers were stored: to be trained,
    /// say.
    #[must_use]
    pub fn into_owned(self) -> DenseEmbedding<'static> {
        let table = match self.rows {
            Rows::Array(array) => array.into_owned(),
            Rows::Bytes { .. } => self.to_array().into_owned(),
        };
        let Self { isa, padding_id, inverse_norms, .. } = self;
        DenseEmbedding { rows: Rows::Array(table.into()), isa, padding_id, inverse_norms }
    }

    /// Changes the table in place, which is row-major. `change` writes only when nothing can fail any more, and writes finite
    /// numbers only.
    ///
    /// # Errors
    /// [`NotTrainable`](Error::NotTrainable) for a table that is not `f32` in memory of its own, and those of `change`; the
    /// layer is then as it was.
    pub(crate) fn update<R>(&mut self, change: impl FnOnce(ArrayViewMut2<'_, f32>) -> Result<R>) -> Result<R> {
        let result = change(self.table_mut()?)?;
        self.inverse_norms = OnceLock::new();
        Ok(result)
    }

    fn table_mut(&mut self) -> Result<ArrayViewMut2<'_, f32>> {
        let stored = match &self.rows {
            Rows::Array(array) if array.is_owned() => None,
            Rows::Array(_) => Some("a borrowed array"),
            Rows::Bytes { dtype: Dtype::F32, .. } => Some("bytes of f32"),
            Rows::Bytes { dtype, .. } => Some(dtype.name()),
        };
        match (&mut self.rows, stored) {
            (Rows::Array(array), None) => {
                if !array.is_standard_layout() {
                    let row_major: Array2<f32> = array.as_standard_layout().into_owned();
                    *array = row_major.into();
                }
                Ok(array.view_mut())
            }
            (_, stored) => Err(Error::NotTrainable {
                what: "table [vocab_size, dim]",
                stored: stored.unwrap_or("f32"),
                remedy: "DenseEmbedding::into_owned",
            }),
        }
    }
}
