//! Gradients of the rows of the table E itself, whatever it is made of.

use std::{mem, ops::Range};

use ndarray::{Array2, ArrayView1, ArrayView2, ArrayViewMut2, CowArray, Ix2, aview1, s};

use crate::{
    Embedding, Error, Isa, Result, TokenId,
    embedding::check,
    kernel,
    train::{RowGradient, occurrences::Occurrences},
};

pub(super) const OVERFLOW: Error = Error::Overflow { what: "sum of the gradients of an id" };

/// ∂L/∂E of the rows that a batch uses. They are made block by block: nobody has to hold all of them.
#[derive(Debug)]
pub struct TableGradient<'a> {
    isa: Isa,
    used: Occurrences,
    rows: Rows<'a>,
}

#[derive(Debug)]
pub(super) enum Rows<'a> {
    /// They are sums of rows of ∂L/∂out.
    Sums(Sums<'a>),
    /// They are there, and finite \[k, dim\].
    Made(Array2<f32>),
}

/// Which sums.
#[derive(Debug)]
pub(super) struct Sums<'a> {
    /// What ∂L/∂out is called.
    pub(super) what: &'static str,
    /// Row-major.
    pub(super) grad_out: CowArray<'a, f32, Ix2>,
    /// The row for each of the places, if it is not that of the same number.
    pub(super) sources: Option<Vec<u32>>,
    /// Its weight.
    pub(super) weights: Option<Vec<f32>>,
    /// The caller's weights, if these are they.
    pub(super) given_weights: Option<&'a [f32]>,
}

impl<'a> TableGradient<'a> {
    /// Of a lookup: the sums of ∂L/∂out over the places of each id.
    ///
    /// # Errors
    /// Those of [`Backward::lookup`](super::Backward).
    pub(super) fn of_lookup(
        table: &impl Embedding,
        isa: Isa,
        ids: &[TokenId],
        grad_out: ArrayView2<'a, f32>,
    ) -> Result<Self> {
        const WHAT: &str = "grad_out [n, dim]";
        check::shape(WHAT, &grad_out, (ids.len(), table.dim()))?;
        check::ids(ids, table.vocab_size())?;
        let used = Occurrences::of(ids, table.padding_id(), table.dim())?;
        let unused = ids.iter().zip(grad_out.rows()).filter(|(id, _)| Some(**id) == table.padding_id());
        check_unused(WHAT, grad_out, unused.map(|(_, row)| row))?;
        Ok(Self::new(isa, used, Rows::Sums(Sums::new(WHAT, grad_out))))
    }

    pub(super) fn new(isa: Isa, used: Occurrences, rows: Rows<'a>) -> Self {
        Self { isa, used, rows }
    }

    /// Ascending, each once \[k\].
    pub(super) fn ids(&self) -> &[TokenId] {
        &self.used.ids
    }

    /// Writes the rows of some of the ids into `out` \[ids of the range, dim\], whose rows lie side by side.
    ///
    /// # Errors
    /// [`NonFinite`](Error::NonFinite), [`Overflow`](Error::Overflow).
    pub(super) fn rows_into(&self, range: Range<usize>, out: &mut ArrayViewMut2<'_, f32>) -> Result<()> {
        match &self.rows {
            Rows::Made(rows) => out.assign(&rows.slice(s![range, ..])),
            Rows::Sums(sums) => {
                let sources = sums.sources.as_ref().unwrap_or(&self.used.places);
                let sources = (&sources[..], sums.weights.as_deref());
                self.used.sum_into(self.isa, range, sums.grad_out.view(), sources, out)?;
                if !out.as_slice().is_some_and(kernel::all_finite) {
                    return Err(sums.what_is_not_finite());
                }
            }
        }
        Ok(())
    }

    /// The gradient of a table that is its own parameter.
    pub(super) fn into_row_gradient(mut self, scale_grad_by_freq: bool) -> Result<RowGradient> {
        let rows = match &mut self.rows {
            Rows::Made(rows) => mem::take(rows),
            Rows::Sums(sums) => {
                let mut rows = Array2::zeros((self.used.ids.len(), sums.grad_out.ncols()));
                self.rows_into(0..rows.nrows(), &mut rows.view_mut())?;
                rows
            }
        };
        self.into_gradient_of(rows, scale_grad_by_freq)
    }

    /// The gradient of rows with the same ids \[k, any\].
    pub(super) fn into_gradient_of(self, mut rows: Array2<f32>, scale_grad_by_freq: bool) -> Result<RowGradient> {
        if scale_grad_by_freq {
            for (mut row, count) in rows.rows_mut().into_iter().zip(self.used.counts()) {
                row /= count as f32;
            }
        }
        RowGradient::of_rows(self.used.ids, rows)
    }
}

impl<'a> Sums<'a> {
    /// Of rows of ∂L/∂out that have the numbers of the places.
    pub(super) fn new(what: &'static str, grad_out: ArrayView2<'a, f32>) -> Self {
        let grad_out = if grad_out.is_standard_layout() {
            grad_out.into()
        } else {
            grad_out.as_standard_layout().into_owned().into()
        };
        Self { what, grad_out, sources: None, weights: None, given_weights: None }
    }

    fn what_is_not_finite(&self) -> Error {
        let given = check::finite("per-sample weights [n]", &aview1(self.given_weights.unwrap_or_default()));
        let gradient = || check::finite(self.what, &self.grad_out);
        given.and_then(|()| gradient()).err().unwrap_or(OVERFLOW)
    }
}

/// The rows of `grad_out` that are in no sum are finite, too.
pub(super) fn check_unused<'a>(
    what: &'static str,
    grad_out: ArrayView2<'_, f32>,
    mut unused: impl Iterator<Item = ArrayView1<'a, f32>>,
) -> Result<()> {
    if unused.all(|row| row.iter().all(|number| number.is_finite())) {
        return Ok(());
    }
    check::finite(what, &grad_out)
}
