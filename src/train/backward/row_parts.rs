//! The chain rule from gradients of rows to those of factors.
//!
//! The rows that a batch uses are cut into parts, whatever the number of threads, and each part is the work of one thread. Of a
//! part a block at a time is summed, brought into rank space and multiplied with its rows of U, all while it is in the cache.
//! What the parts have in common is added up in their order.

use std::{cell::Cell, ops::Range};

use ndarray::{Array2, ArrayViewMut2, Axis, s};

use super::{
    Backward,
    left::Left,
    table::TableGradient,
    weighted::{add_product, blocks},
};
use crate::{
    FactorizedEmbedding, Result,
    embedding::Embedding,
    kernel::{
        self,
        scratch::{self, Scratch},
    },
};

/// No more parts than this: each holds a matrix as large as V.
const MAX_PARTS: usize = 4;
/// Rows of a part, at least, if there is more than one.
const MIN_ROWS: usize = 256;

thread_local! {
    /// A block of rows.
    static ROWS: Scratch<Array2<f32>> = Cell::default();
}

/// Consecutive rows, and what comes of them.
struct Part<'a> {
    range: Range<usize>,
    /// Their rows of the gradient of U, if it is wanted \[rows, rank\].
    u: Option<ArrayViewMut2<'a, f32>>,
    /// Their share of the [products](Backward::shared).
    products: Array2<f32>,
    result: Result<()>,
}

/// The gradient of the rows of U \[k, rank\], if it is wanted, and the products of the rows with those of U, and with ones for
/// the bias: `left.len()` rows, dim columns.
///
/// # Errors
/// Those of [`TableGradient::rows_into`].
pub(super) fn of_rows(
    backward: &Backward<'_, FactorizedEmbedding>,
    table: &TableGradient<'_>,
    left: Left,
) -> Result<(Option<Array2<f32>>, Array2<f32>)> {
    let (k, rank, dim) = (table.ids().len(), backward.layer.rank(), backward.layer.dim());
    let mut u = backward.trainable.u.then(|| Array2::zeros((k, rank)));
    let mut rest = u.as_mut().map(|u| u.view_mut());
    let num_parts = (k / MIN_ROWS).clamp(1, MAX_PARTS);
    let border = |part: usize| part * k / num_parts;
    let mut parts = Vec::with_capacity(num_parts);
    for range in (0..num_parts).map(|part| border(part)..border(part + 1)) {
        let split = rest.take().map(|rest| rest.split_at(Axis(0), range.len()));
        let (u, after) = split.unzip();
        rest = after;
        parts.push(Part { range, u, products: Array2::zeros((left.len(), dim)), result: Ok(()) });
    }
    let nanoseconds = k as f64 * kernel::nanoseconds_per_row(2 * rank, dim);
    kernel::for_each_item(parts.iter_mut(), nanoseconds, |part| part.result = part.work(backward, table, left));

    let mut sum: Option<Array2<f32>> = None;
    for Part { products, result, .. } in parts {
        result?;
        match &mut sum {
            Some(sum) => *sum += &products,
            None => sum = Some(products),
        }
    }
    Ok((u, sum.unwrap_or_default()))
}

impl Part<'_> {
    fn work(
        &mut self,
        backward: &Backward<'_, FactorizedEmbedding>,
        table: &TableGradient<'_>,
        left: Left,
    ) -> Result<()> {
        scratch::with(&ROWS, |rows| {
            let (layer, start) = (backward.layer, self.range.start);
            let len_of_block = blocks(self.range.len(), layer.dim()).next().map_or(0, |block| block.len());
            if rows.nrows() < len_of_block || rows.ncols() != layer.dim() {
                *rows = Array2::zeros((len_of_block, layer.dim()));
            }
            for block in blocks(self.range.len(), layer.dim()) {
                let of_table = start + block.start..start + block.end;
                let mut rows = rows.slice_mut(s![..block.len(), ..]);
                table.rows_into(of_table.clone(), &mut rows)?;
                if let Some(u) = &mut self.u {
                    layer.to_rank_space_into(rows.view(), &mut u.slice_mut(s![block, ..]));
                }
                if left.len() > 0 {
                    let of_u = left.of(layer.isa(), backward.rows(left, &table.ids()[of_table])?.view());
                    add_product(layer.isa(), of_u.view(), rows.view(), &mut self.products.view_mut());
                }
            }
            Ok(())
        })
    }
}
