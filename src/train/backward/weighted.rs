//! Gradients of products with the whole table, whose weights W \[n, `vocab_size`\] are ∂L/∂logits or those of a soft
//! lookup: with the vectors X \[n, dim\] on their other side (the hidden states, or ∂L/∂out) both have ∂L/∂E = Wᵀ · X.
//!
//! A block of the vocabulary at a time: its weights are transposed, multiplied with the vectors, which gives its rows
//! of the gradient, and with its rows of the table, which adds to W · E. Every sum runs over the vocabulary, or over n,
//! in order.

use std::ops::Range;

use ndarray::{Array2, ArrayView2, ArrayViewMut2, Axis};

use crate::{
    Embedding, Isa, Result, TokenId,
    embedding::check,
    kernel::{self, TableRows},
    rows::Numbers,
    train::RowGradient,
};

/// Numbers of a block of weights, about: 1 MB.
const BLOCK_NUMBERS: usize = 1 << 18;
/// Rows of a block are a multiple of this, and no fewer.
const BLOCK_UNIT: usize = 64;
const MAX_BLOCK_ROWS: usize = 4096;
/// Weights that are transposed together: a cache line.
const TOGETHER: usize = 16;

/// # Errors
/// [`ShapeMismatch`](crate::Error::ShapeMismatch), [`NonFinite`](crate::Error::NonFinite).
pub(super) fn check_soft_lookup(
    table: &impl Embedding,
    weights: ArrayView2<'_, f32>,
    grad_out: ArrayView2<'_, f32>,
) -> Result<()> {
    check::columns("weights [n, vocab_size]", weights, table.vocab_size())?;
    check::shape("grad_out [n, dim]", &grad_out, (weights.nrows(), table.dim()))?;
    check::finite("weights [n, vocab_size]", &weights)?;
    check::finite("grad_out [n, dim]", &grad_out)
}

/// # Errors
/// The same.
pub(super) fn check_logits(
    table: &impl Embedding,
    hidden: ArrayView2<'_, f32>,
    grad_logits: ArrayView2<'_, f32>,
) -> Result<()> {
    check::columns("hidden [n, dim]", hidden, table.dim())?;
    check::shape("grad_logits [n, vocab_size]", &grad_logits, (hidden.nrows(), table.vocab_size()))?;
    check::finite("hidden [n, dim]", &hidden)?;
    check::finite("grad_logits [n, vocab_size]", &grad_logits)
}

/// Consecutive ranges of so many rows that a block of their weights with n vectors has a size of its own.
pub(super) fn blocks(num_rows: usize, n: usize) -> impl Iterator<Item = Range<usize>> {
    let len = (BLOCK_NUMBERS / n.max(1)).clamp(BLOCK_UNIT, MAX_BLOCK_ROWS) / BLOCK_UNIT * BLOCK_UNIT;
    (0..num_rows).step_by(len).map(move |start| start..num_rows.min(start + len))
}

/// The columns of the weights that are not all zero, but that of the padding.
pub(super) fn used_columns(weights: ArrayView2<'_, f32>, padding_id: Option<TokenId>) -> Vec<TokenId> {
    let mut used = vec![false; weights.ncols()];
    for row in weights.rows() {
        used.iter_mut().zip(row).for_each(|(used, &weight)| *used |= weight != 0.0);
    }
    (0..).zip(used).filter(|&(id, used)| used && Some(id) != padding_id).map(|(id, _)| id).collect()
}

/// `out[b, i] = weights[i, ids[b]]`
pub(super) fn columns_into(weights: ArrayView2<'_, f32>, ids: &[TokenId], out: &mut ArrayViewMut2<'_, f32>) {
    let n = weights.nrows();
    let nanoseconds = n as f64;
    kernel::for_each_rows(out, nanoseconds, |range, mut out| {
        for first in (0..n).step_by(TOGETHER) {
            let places = first..n.min(first + TOGETHER);
            for (mut row, &id) in out.rows_mut().into_iter().zip(&ids[range.clone()]) {
                places.clone().for_each(|i| row[i] = weights[[i, id as usize]]);
            }
        }
    });
}

/// `left` \[m, n\] · `right` \[n, width\] into `out` \[m, width\], on several threads by the rows of `out`.
pub(super) fn multiply(
    isa: Isa,
    left: ArrayView2<'_, f32>,
    right: ArrayView2<'_, f32>,
    out: &mut ArrayViewMut2<'_, f32>,
) {
    let right = right.as_standard_layout();
    let (n, width) = right.dim();
    let numbers = Numbers::F32(right.as_slice().unwrap_or_default());
    let rows = TableRows { rows: numbers, width, first: 0, len: n };
    kernel::for_each_rows(out, kernel::nanoseconds_per_row(n, width), |range, mut out| {
        out.fill(0.0);
        let (_, left) = left.split_at(Axis(0), range.start);
        let (left, _) = left.split_at(Axis(0), range.len());
        kernel::add_weighted_rows(isa, left, 0, rows, &mut out);
    });
}

/// `left` \[m, k\] · `right` \[k, n\] added to `out` \[m, n\], on several threads by the columns of `out`.
pub(super) fn add_product(
    isa: Isa,
    left: ArrayView2<'_, f32>,
    right: ArrayView2<'_, f32>,
    out: &mut ArrayViewMut2<'_, f32>,
) {
    let right = right.as_standard_layout();
    let (len, width) = right.dim();
    let numbers = Numbers::F32(right.as_slice().unwrap_or_default());
    kernel::add_weighted_rows(isa, left, 0, TableRows { rows: numbers, width, first: 0, len }, out);
}

/// The gradient of rows with these ids, of which there are `vocab_size`.
pub(super) fn row_gradient(ids: Vec<TokenId>, values: Array2<f32>, vocab_size: usize) -> Result<RowGradient> {
    if ids.len() == vocab_size {
        return Ok(RowGradient::of_all_rows(values));
    }
    RowGradient::of_rows(ids, values)
}
