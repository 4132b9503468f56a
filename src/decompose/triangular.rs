//! The QR decomposition of a table that arrives in blocks of rows.

use std::ops::Range;

use ndarray::{Array1, Array2, ArrayView2, s};

use super::{
    Moments,
    moments::Root,
    parallel::map_in_order,
    passes::{check_finite, for_each_block},
};
use crate::{Result, RowBlocks, linalg};

/// Rows that are factorized together, at least.
const BLOCK_ROWS: usize = 1024;
/// How many times as long as wide such a block is, at least: the triangle that it leaves is as much work as this share of it.
const ASPECT: usize = 8;

/// The moments of a table through QR: singular values accurate to a small multiple of ε·σ₁ (ε of `f64`).
///
/// Blocks of rows are factorized by themselves, and their triangular factors stacked and factorized again (a TSQR; Demmel,
/// Grigori, Hoemmen, Langou 2012, "Communication-optimal parallel and sequential QR and LU factorizations"), so that no more
/// than some blocks are held in `f64`. The weights stand before the table as a column √w: what the factorization makes of
/// it is the mean, and what is left of the table is orthogonal to it, the table without its mean.
pub(super) fn factorize(rows: &mut dyn RowBlocks, weights: Option<&[f64]>) -> Result<Moments> {
    let dim = rows.dim();
    let block_rows = BLOCK_ROWS.max(ASPECT * dim);
    let mut factors = Vec::new();
    for_each_block(rows, 0, weights, |first, block, weights| {
        check_finite(block, first)?;
        let work = |range: Range<usize>| {
            let weights = weights.map(|weights| &weights[range.clone()]);
            linalg::triangular_factor_of_columns(weighted_columns(block.slice(s![range, ..]), weights))
        };
        map_in_order(block.nrows(), block_rows, 1, work, |factor| {
            factors.push(factor);
            // Seldom, but so that they stay in proportion to dim².
            if factors.len() > ASPECT {
                factors = vec![combine(&factors)];
            }
            Ok(())
        })
    })?;
    let triangular = combine(&factors);
    let scale = triangular[[0, 0]];
    let mean: Array1<f64> = triangular.slice(s![0, 1..]).mapv(|value| if scale == 0.0 { 0.0 } else { value / scale });
    let root = Root::Triangular(triangular.slice(s![1.., 1..]).to_owned());
    Ok(Moments { weight: scale * scale, mean, root })
}

/// The columns of √w and √w · e \[(1 + dim) × n\].
fn weighted_columns(rows: ArrayView2<'_, f32>, weights: Option<&[f64]>) -> Array2<f64> {
    let mut columns = Array2::ones((rows.ncols() + 1, rows.nrows()));
    columns.slice_mut(s![1.., ..]).zip_mut_with(&rows.t(), |number, &value| *number = f64::from(value));
    if let Some(weights) = weights {
        let roots: Array1<f64> = weights.iter().map(|weight| weight.sqrt()).collect();
        columns *= &roots;
    }
    columns
}

/// The triangular factor of matrices that stand below each other, from their own.
pub(super) fn combine(factors: &[Array2<f64>]) -> Array2<f64> {
    let height = factors.iter().map(ndarray::ArrayBase::nrows).sum();
    let width = factors.first().map_or(0, ndarray::ArrayBase::ncols);
    let mut columns = Array2::zeros((width, height));
    let mut below = 0;
    for factor in factors {
        columns.slice_mut(s![.., below..below + factor.nrows()]).assign(&factor.t());
        below += factor.nrows();
    }
    linalg::triangular_factor_of_columns(columns)
}
