//! Norms that are not to grow without end.

use ndarray::{Array2, ArrayView1, Axis};

use crate::{DenseEmbedding, Embedding, Error, FactorizedEmbedding, Result, TokenId, embedding::check};

/// Rows that are looked up together.
const BLOCK_ROWS: usize = 256;
/// What PyTorch adds to a norm before it divides by it.
const MARGIN: f64 = 1e-7;

/// Layers whose looked-up vectors can be kept below a norm: PyTorch's `max_norm`.
pub trait Renormalize {
    /// Scales the rows of these ids down whose vectors have an Euclidean norm above `max_norm`, and says how many were: to be
    /// called before they are looked up. An id may be named any number of times. The padding id, whose vector is zero, stays.
    ///
    /// A vector becomes `max_norm` / (norm + 10⁻⁷) times what it was. Of a factorized layer that is done to the row of U, which
    /// no other token shares; its [hot rows](FactorizedEmbedding::with_hot_rows) are forgotten where a row was scaled.
    ///
    /// # Errors
    /// [`IdOutOfRange`](Error::IdOutOfRange), [`InvalidSetting`](Error::InvalidSetting) for a norm that is not positive and
    /// finite, [`NotTrainable`](Error::NotTrainable) where a row is to be scaled, [`Overflow`](Error::Overflow) where a norm is
    /// not finite, [`UnusableBias`](Error::UnusableBias) for factors with a bias, which scaling a row of U does not scale.
    /// Nothing is changed then.
    ///
    /// # Examples
    ///
    /// ```
    /// use factorized_embedding::{Embedding, FactorizedEmbedding, Factors, train::Renormalize};
    /// use ndarray::array;
    ///
    /// # fn main() -> factorized_embedding::Result<()> {
    /// let mut embedding = FactorizedEmbedding::new(Factors::new(array![[1.0], [2.0]], array![[3.0, 4.0]])?);
    /// assert_eq!(embedding.renormalize(&[1, 0, 1], 5.5)?, 1);
    /// let vectors = embedding.lookup(&[0, 1])?;
    /// assert_eq!(vectors.row(0), array![3.0, 4.0]);
    /// assert!((vectors[[1, 0]] - 3.3).abs() < 1e-5 && (vectors[[1, 1]] - 4.4).abs() < 1e-5);
    /// # Ok(())
    /// # }
    /// ```
    fn renormalize(&mut self, ids: &[TokenId], max_norm: f64) -> Result<usize>;
}

impl Renormalize for FactorizedEmbedding {
    fn renormalize(&mut self, ids: &[TokenId], max_norm: f64) -> Result<usize> {
        if self.factors().bias().is_some() {
            return Err(Error::UnusableBias { what: "layer whose norms are to be bounded" });
        }
        let scales = scales(self, ids, max_norm)?;
        if scales.is_empty() {
            return Ok(0);
        }
        self.update_rows(|mut u| {
            scales.iter().for_each(|&(id, scale)| u.row_mut(id).mapv_inplace(|number| number * scale));
            Ok(scales.len())
        })
    }
}

impl Renormalize for DenseEmbedding<'_> {
    fn renormalize(&mut self, ids: &[TokenId], max_norm: f64) -> Result<usize> {
        let scales = scales(self, ids, max_norm)?;
        if scales.is_empty() {
            return Ok(0);
        }
        self.update(|mut table| {
            scales.iter().for_each(|&(id, scale)| table.row_mut(id).mapv_inplace(|number| number * scale));
            Ok(scales.len())
        })
    }
}

/// The rows that are to be scaled, and what by.
fn scales(layer: &dyn Embedding, ids: &[TokenId], max_norm: f64) -> Result<Vec<(usize, f32)>> {
    if !(max_norm.is_finite() && max_norm > 0.0) {
        return Err(Error::InvalidSetting { name: "max_norm", value: max_norm, expected: "a finite positive number" });
    }
    check::ids(ids, layer.vocab_size())?;
    let mut ids = ids.to_vec();
    ids.sort_unstable();
    ids.dedup();
    let mut block = Array2::zeros((BLOCK_ROWS.min(ids.len()), layer.dim()));
    let mut scales = Vec::new();
    for ids in ids.chunks(BLOCK_ROWS) {
        let (mut rows, _) = block.view_mut().split_at(Axis(0), ids.len());
        layer.lookup_into(ids, rows.view_mut())?;
        for (&id, row) in ids.iter().zip(rows.rows()) {
            let norm = norm(row);
            if !norm.is_finite() {
                return Err(Error::Overflow { what: "norm of a row" });
            }
            if norm > max_norm {
                scales.push((id as usize, (max_norm / (norm + MARGIN)) as f32));
            }
        }
    }
    Ok(scales)
}

fn norm(row: ArrayView1<'_, f32>) -> f64 {
    row.iter().map(|&number| f64::from(number) * f64::from(number)).sum::<f64>().sqrt()
}
