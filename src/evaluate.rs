//! How much smaller than the table it replaces a layer is, how far from it, and how fast.
//!
//! # Examples
//!
//! ```
//! # #[cfg(feature = "decompose")]
//! # fn main() -> factorized_embedding::Result<()> {
//! use factorized_embedding::{Decompose, DenseEmbedding, FactorizedEmbedding, Rank, TruncatedSvd, evaluate::Evaluator};
//! use ndarray::Array2;
//!
//! let table = Array2::from_shape_fn((100, 8), |(i, j)| ((i * j) as f32).sin());
//! let decomposition = TruncatedSvd::new(Rank::Fixed(4)).decompose(table.view())?;
//! let (dense, factorized) = (DenseEmbedding::new(&table)?, FactorizedEmbedding::new(decomposition.factors));
//!
//! let comparison = Evaluator::new(&dense).compare(&factorized)?;
//! assert!((comparison.relative_error - decomposition.relative_error).abs() < 1e-6);
//! println!("{comparison}");
//! # Ok(())
//! # }
//! # #[cfg(not(feature = "decompose"))]
//! # fn main() {}
//! ```

mod table;
mod timing;

use std::collections::HashSet;

use ndarray::{Array2, Axis};

use crate::{
    Embedding, Error, Result, RowWeights, TokenId,
    embedding::{check, cosine},
    reconstruction::{RelativeError, RowError},
};

/// Rows that are compared at a time.
const BLOCK_ROWS: usize = 1024;
/// Neighbours that a recall is about.
const NEIGHBOURS: usize = 10;

/// Compares layers with a reference of the same shape, usually the dense table that they stand for.
#[derive(Debug)]
pub struct Evaluator<'a> {
    reference: &'a dyn Embedding,
    row_weights: Option<RowWeights>,
    samples: usize,
}

/// What [`Evaluator::compare`] measured. Its `Display` is a table, the reference beside the candidate.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Comparison {
    /// Of the reference.
    pub reference: Cost,
    /// Of the layer that is compared with it.
    pub candidate: Cost,
    /// How many times smaller than a dense table of `f32` the candidate is: 4 · `vocab_size` · dim over its bytes.
    pub ratio: f64,
    /// ‖E − Ê‖ / ‖E‖, Frobenius norms over all rows.
    pub relative_error: f64,
    /// The same with every row weighted, if the evaluator has row weights.
    pub weighted_relative_error: Option<f64>,
    /// The mean over all rows of the cosine of a row with its approximation.
    pub mean_cosine: f64,
    /// The least of those cosines.
    pub min_cosine: f64,
    /// Of the 10 rows that are nearest (by cosine) to a row in the reference, the share that is so in the candidate too;
    /// the mean over sampled rows that are not zero.
    pub neighbour_recall: f64,
}

/// What a layer costs.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Cost {
    /// How many numbers it is made of.
    pub num_parameters: usize,
    /// Bytes of those numbers as they are stored.
    pub size_in_bytes: usize,
    /// Nanoseconds a token of a lookup of 4,096 ids that are spread over the vocabulary: the median of several, one thread.
    pub lookup_nanoseconds: f64,
}

impl<'a> Evaluator<'a> {
    /// Compares with this layer, all rows weighing the same, neighbours of 200 rows.
    #[must_use]
    pub fn new(reference: &'a dyn Embedding) -> Self {
        Self { reference, row_weights: None, samples: 200 }
    }

    /// Measures the weighted error too.
    #[must_use]
    pub fn with_row_weights(self, row_weights: RowWeights) -> Self {
        Self { row_weights: Some(row_weights), ..self }
    }

    /// Compares the neighbours of so many rows, spread evenly over the vocabulary (of all rows, when there are fewer).
    #[must_use]
    pub fn with_samples(self, samples: usize) -> Self {
        Self { samples, ..self }
    }

    /// Compares a layer with the reference, as lookups see both: a padding row is zero.
    ///
    /// # Errors
    /// [`ShapeMismatch`](Error::ShapeMismatch) when the tables or the row weights are of another shape than the reference;
    /// [`AllWeightsZero`](Error::AllWeightsZero); [`InvalidSetting`](Error::InvalidSetting) for no samples.
    pub fn compare(&self, candidate: &dyn Embedding) -> Result<Comparison> {
        let shape = |layer: &dyn Embedding| vec![layer.vocab_size(), layer.dim()];
        if shape(candidate) != shape(self.reference) {
            return Err(Error::ShapeMismatch {
                what: "candidate [vocab_size, dim]",
                expected: shape(self.reference),
                actual: shape(candidate),
            });
        }
        check::table("reference [vocab_size, dim]", [self.reference.vocab_size(), self.reference.dim()])?;
        if self.samples == 0 {
            return Err(Error::InvalidSetting { name: "samples", value: 0.0, expected: "at least 1" });
        }
        let weights = match &self.row_weights {
            Some(weights) => Some(weights.for_rows(candidate.vocab_size())?),
            None => None,
        };
        let errors = self.errors(candidate, weights.as_deref())?;
        let [reference_time, candidate_time] = timing::lookup_nanoseconds(self.reference, candidate)?;
        let cost = |layer: &dyn Embedding, lookup_nanoseconds| Cost {
            num_parameters: layer.num_parameters(),
            size_in_bytes: layer.size_in_bytes(),
            lookup_nanoseconds,
        };
        Ok(Comparison {
            reference: cost(self.reference, reference_time),
            candidate: cost(candidate, candidate_time),
            ratio: (size_of::<f32>() * candidate.vocab_size() * candidate.dim()) as f64
                / candidate.size_in_bytes() as f64,
            relative_error: errors.plain.value(),
            weighted_relative_error: weights.map(|_| errors.weighted.value()),
            mean_cosine: errors.sum_of_cosines / candidate.vocab_size() as f64,
            min_cosine: errors.min_cosine,
            neighbour_recall: self.neighbour_recall(candidate)?,
        })
    }

    fn errors(&self, candidate: &dyn Embedding, weights: Option<&[f64]>) -> Result<Errors> {
        let mut errors = Errors {
            plain: RelativeError::default(),
            weighted: RelativeError::default(),
            sum_of_cosines: 0.0,
            min_cosine: f64::INFINITY,
        };
        let ids: Vec<TokenId> = (0..candidate.vocab_size() as TokenId).collect();
        for ids in ids.chunks(BLOCK_ROWS) {
            let (expected, actual) = (self.reference.lookup(ids)?, candidate.lookup(ids)?);
            for ((&id, expected), actual) in ids.iter().zip(expected.rows()).zip(actual.rows()) {
                let row = RowError::new(expected, actual);
                errors.plain.add_row(row, 1.0);
                errors.weighted.add_row(row, weights.map_or(1.0, |weights| weights[id as usize]));
                // A row that is met exactly is met, though the cosine of two zero vectors is 0.
                let cosine = if expected == actual { 1.0 } else { cosine(expected.iter(), actual.iter()) };
                errors.sum_of_cosines += cosine;
                errors.min_cosine = errors.min_cosine.min(cosine);
            }
        }
        Ok(errors)
    }

    fn neighbour_recall(&self, candidate: &dyn Embedding) -> Result<f64> {
        let vocab_size = candidate.vocab_size();
        let samples = self.samples.min(vocab_size);
        let spread: Vec<TokenId> = (0..samples).map(|i| (i * vocab_size / samples) as TokenId).collect();
        let rows = self.reference.lookup(&spread)?;
        // A zero row is as near to one row as to another.
        let has_neighbours = |row: ndarray::ArrayView1<'_, f32>| row.iter().any(|&value| value != 0.0);
        let ids: Vec<TokenId> =
            spread.into_iter().zip(rows.rows()).filter(|(_, row)| has_neighbours(*row)).map(|(id, _)| id).collect();
        let (mut found, mut wanted) = (0, 0);
        let (expected, actual) = (neighbours(self.reference, &ids)?, neighbours(candidate, &ids)?);
        for (expected, actual) in expected.iter().zip(&actual) {
            found += expected.intersection(actual).count();
            wanted += expected.len();
        }
        Ok(if wanted == 0 { 1.0 } else { found as f64 / wanted as f64 })
    }
}

struct Errors {
    plain: RelativeError,
    weighted: RelativeError,
    sum_of_cosines: f64,
    min_cosine: f64,
}

/// The ids nearest to each of the given ones, without itself.
fn neighbours(layer: &dyn Embedding, ids: &[TokenId]) -> Result<Vec<HashSet<TokenId>>> {
    let queries: Array2<f32> = layer.lookup(ids)?;
    let nearest = layer.nearest(queries.view(), NEIGHBOURS + 1)?;
    let others = |(&id, nearest): (&TokenId, ndarray::ArrayView1<'_, TokenId>)| {
        nearest.iter().copied().filter(|&other| other != id).take(NEIGHBOURS).collect()
    };
    Ok(ids.iter().zip(nearest.ids.axis_iter(Axis(0))).map(others).collect())
}

#[cfg(test)]
mod tests;
