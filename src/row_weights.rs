//! How much each row of a table matters.

#[cfg(feature = "serde")]
mod stored;
mod token_counts;

use std::fmt;

pub use token_counts::TokenCounts;

use crate::{Error, Result, TokenId};

/// Weights of the rows of a table, made from how often each row is used.
///
/// The weight of row i is (countᵢ + smoothing)^exponent, scaled so that the mean weight is 1. Weighted methods minimise
/// Σᵢ weightᵢ · ‖eᵢ − êᵢ‖², so rows that are used often keep more of their precision.
///
/// # Examples
///
/// ```
/// use factorized_embedding::RowWeights;
///
/// let weights = RowWeights::new(vec![15.0, 3.0, 3.0])?.with_smoothing(1.0)?.with_exponent(0.5)?;
/// assert_eq!(weights.to_vec(), [1.5, 0.75, 0.75]);
/// # Ok::<(), factorized_embedding::Error>(())
/// ```
#[derive(Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(try_from = "stored::RowWeights"))]
pub struct RowWeights {
    counts: Vec<f64>,
    smoothing: f64,
    exponent: f64,
}

impl RowWeights {
    /// Weights in proportion to `counts`, one for each row.
    ///
    /// # Errors
    /// [`InvalidWeight`](Error::InvalidWeight) for a count that is negative or not finite; [`Empty`](Error::Empty).
    /// Counts that are all zero are refused where the weights are used, since smoothing may still be added.
    pub fn new(counts: impl Into<Vec<f64>>) -> Result<Self> {
        let counts = counts.into();
        if counts.is_empty() {
            return Err(Error::Empty { what: "row weights [vocab_size]", shape: vec![0] });
        }
        if let Some((row, &weight)) =
            counts.iter().enumerate().find(|(_, count)| !(count.is_finite() && **count >= 0.0))
        {
            return Err(Error::InvalidWeight { row, weight });
        }
        Ok(Self { counts, smoothing: 0.0, exponent: 1.0 })
    }

    /// Weights in proportion to how often each id occurs in a stream; [`TokenCounts`] counts several streams.
    ///
    /// [`with_smoothing(1.0)`](Self::with_smoothing) is add-one smoothing: rows whose ids do not occur weigh something too.
    ///
    /// # Errors
    /// [`IdOutOfRange`](Error::IdOutOfRange) with the position in the stream; [`Empty`](Error::Empty) and
    /// [`VocabularyTooLarge`](Error::VocabularyTooLarge) for a vocabulary that no table has.
    ///
    /// # Examples
    ///
    /// ```
    /// use factorized_embedding::RowWeights;
    ///
    /// let weights = RowWeights::from_ids(3, [0, 2, 0, 0])?.with_smoothing(1.0)?;
    /// assert_eq!(weights, RowWeights::new([3.0, 0.0, 1.0])?.with_smoothing(1.0)?);
    /// # Ok::<(), factorized_embedding::Error>(())
    /// ```
    pub fn from_ids(vocab_size: usize, ids: impl IntoIterator<Item = TokenId>) -> Result<Self> {
        let mut counts = TokenCounts::new(vocab_size)?;
        for (position, id) in ids.into_iter().enumerate() {
            counts.count(id, position)?;
        }
        Ok((&counts).into())
    }

    /// Adds `smoothing` to every count, so that rows that were never seen still weigh something.
    ///
    /// # Errors
    /// [`InvalidSetting`](Error::InvalidSetting) when it is negative or not finite.
    pub fn with_smoothing(self, smoothing: f64) -> Result<Self> {
        non_negative("smoothing", smoothing)?;
        let largest = self.counts.iter().fold(0.0, |largest: f64, &count| largest.max(count));
        if !(largest + smoothing).is_finite() {
            return Err(Error::InvalidSetting {
                name: "smoothing",
                value: smoothing,
                expected: "a finite sum with each count",
            });
        }
        Ok(Self { smoothing, ..self })
    }

    /// Raises the smoothed counts to a power: 1 weighs by frequency, ½ in between, 0 weighs all rows the same.
    ///
    /// # Errors
    /// [`InvalidSetting`](Error::InvalidSetting) when it is negative or not finite.
    pub fn with_exponent(self, exponent: f64) -> Result<Self> {
        non_negative("exponent", exponent)?;
        Ok(Self { exponent, ..self })
    }

    /// All ids, those with the largest counts first; of equal counts the lower id first.
    #[must_use]
    pub fn most_used(&self) -> Vec<TokenId> {
        let mut ids: Vec<TokenId> = (0..self.len() as TokenId).collect();
        ids.sort_by(|&a, &b| self.counts[b as usize].total_cmp(&self.counts[a as usize]));
        ids
    }

    /// How many rows have a weight.
    #[must_use]
    pub fn len(&self) -> usize {
        self.counts.len()
    }

    /// Always false: there is at least one row.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.counts.is_empty()
    }

    /// The weights with mean 1; all zero when nothing weighs anything.
    #[must_use]
    pub fn to_vec(&self) -> Vec<f64> {
        let smoothed = || self.counts.iter().map(|count| count + self.smoothing);
        // Dividing by the largest first keeps powers of large counts finite.
        let largest = smoothed().fold(0.0, f64::max);
        let mut weights: Vec<f64> =
            smoothed().map(|count| if largest > 0.0 { (count / largest).powf(self.exponent) } else { 0.0 }).collect();
        let sum: f64 = weights.iter().sum();
        if sum > 0.0 {
            let scale = weights.len() as f64 / sum;
            weights.iter_mut().for_each(|weight| *weight *= scale);
        }
        weights
    }

    /// The weights of a table of `vocab_size` rows.
    ///
    /// # Errors
    /// [`ShapeMismatch`](Error::ShapeMismatch) when there are more or fewer weights than rows;
    /// [`AllWeightsZero`](Error::AllWeightsZero).
    pub(crate) fn for_rows(&self, vocab_size: usize) -> Result<Vec<f64>> {
        if self.len() != vocab_size {
            return Err(Error::ShapeMismatch {
                what: "row weights [vocab_size]",
                expected: vec![vocab_size],
                actual: vec![self.len()],
            });
        }
        let weights = self.to_vec();
        if weights.iter().all(|&weight| weight == 0.0) {
            return Err(Error::AllWeightsZero { len: weights.len() });
        }
        Ok(weights)
    }
}

fn non_negative(name: &'static str, value: f64) -> Result<()> {
    if value.is_finite() && value >= 0.0 {
        return Ok(());
    }
    Err(Error::InvalidSetting { name, value, expected: "a finite number that is not negative" })
}

impl fmt::Debug for RowWeights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { counts, smoothing, exponent } = self;
        write!(f, "RowWeights({} counts, smoothing {smoothing}, exponent {exponent})", counts.len())
    }
}
