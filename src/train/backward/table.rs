//! Gradients of the rows of the table E itself, whatever it is made of.

use ndarray::{Array2, ArrayView1, ArrayView2};

use crate::{
    Embedding, Error, Isa, Result, TokenId,
    embedding::check,
    train::{RowGradient, occurrences::Occurrences},
};

/// ∂L/∂E of the rows that a batch uses.
#[derive(Debug)]
pub struct TableGradient {
    /// Ascending, each once \[k\].
    pub(super) ids: Vec<TokenId>,
    /// How often each of them occurs \[k\].
    pub(super) counts: Vec<usize>,
    /// \[k, dim\]
    pub(super) rows: Array2<f32>,
}

impl TableGradient {
    /// Of a lookup: the sums of ∂L/∂out over the places of each id.
    ///
    /// # Errors
    /// Those of [`Backward::lookup`](super::Backward).
    pub(super) fn of_lookup(
        table: &impl Embedding,
        isa: Isa,
        ids: &[TokenId],
        grad_out: ArrayView2<'_, f32>,
    ) -> Result<Self> {
        const WHAT: &str = "grad_out [n, dim]";
        check::shape(WHAT, &grad_out, (ids.len(), table.dim()))?;
        check::ids(ids, table.vocab_size())?;
        let used = Occurrences::of(ids, table.padding_id(), table.dim())?;
        let rows = used.sum(isa, grad_out, &used.places, None)?;
        let unused = ids.iter().zip(grad_out.rows()).filter(|(id, _)| Some(**id) == table.padding_id());
        check_sums(WHAT, &rows, grad_out, unused.map(|(_, row)| row))?;
        Ok(Self::new(used, rows))
    }

    pub(super) fn new(used: Occurrences, rows: Array2<f32>) -> Self {
        Self { counts: used.counts().collect(), ids: used.ids, rows }
    }

    /// The gradient of a table that is its own parameter.
    pub(super) fn into_row_gradient(mut self, scale_grad_by_freq: bool) -> Result<RowGradient> {
        if scale_grad_by_freq {
            divide_rows(&mut self.rows, &self.counts);
        }
        RowGradient::of_rows(self.ids, self.rows)
    }
}

/// Each row over how often its id occurs.
pub(super) fn divide_rows(rows: &mut Array2<f32>, counts: &[usize]) {
    for (mut row, &count) in rows.rows_mut().into_iter().zip(counts) {
        if count > 1 {
            row /= count as f32;
        }
    }
}

/// Everything in `grad_out` is finite, and so are the sums of its rows. The sums tell for all rows that are in one;
/// they are fewer.
pub(super) fn check_sums<'a>(
    what: &'static str,
    sums: &Array2<f32>,
    grad_out: ArrayView2<'_, f32>,
    mut unused: impl Iterator<Item = ArrayView1<'a, f32>>,
) -> Result<()> {
    let sums = check::finite(what, sums);
    if sums.is_ok() && unused.all(|row| row.iter().all(|number| number.is_finite())) {
        return Ok(());
    }
    check::finite(what, &grad_out)?;
    Err(Error::Overflow { what: "sum of the gradients of an id" })
}
