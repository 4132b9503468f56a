//! How often each token occurs.

#[cfg(feature = "serde")]
mod stored;

use std::fmt;

use super::RowWeights;
use crate::{Error, Result, TokenId};

/// How often each id of a vocabulary occurs in streams of ids: several files or batches, counted here or apart and merged.
///
/// Counts are whole numbers, so that neither the order of the streams nor who counted which changes them. Count what the model
/// reads, with the tokens that a tokenizer puts around every text (`[CLS]`, `[SEP]`): rows that seem unused are kept worst.
///
/// # Examples
///
/// ```
/// use factorized_embedding::{RowWeights, TokenCounts};
///
/// let mut counts = TokenCounts::new(4)?;
/// for batch in [[0, 1, 1], [1, 3, 0]] {
///     counts.add(&batch)?;
/// }
/// let mut elsewhere = TokenCounts::new(4)?;
/// elsewhere.add(&[3, 3])?;
/// counts.merge(&elsewhere)?;
/// assert_eq!(counts.as_slice(), [2, 3, 0, 3]);
///
/// let weights = RowWeights::from(&counts).with_smoothing(1.0)?; // id 2 weighs something too
/// assert_eq!(weights.to_vec(), [1.0, 4.0 / 3.0, 1.0 / 3.0, 4.0 / 3.0]);
/// # Ok::<(), factorized_embedding::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(try_from = "stored::TokenCounts"))]
pub struct TokenCounts {
    counts: Vec<u64>,
}

impl TokenCounts {
    /// No occurrences yet of any id below `vocab_size`.
    ///
    /// # Errors
    /// [`Empty`](Error::Empty), [`VocabularyTooLarge`](Error::VocabularyTooLarge).
    pub fn new(vocab_size: usize) -> Result<Self> {
        check_size(vocab_size)?;
        Ok(Self { counts: vec![0; vocab_size] })
    }

    /// Counts the ids of a batch, or of a whole stream.
    ///
    /// # Errors
    /// [`IdOutOfRange`](Error::IdOutOfRange) with the position in this batch, of which nothing is counted then.
    pub fn add(&mut self, ids: &[TokenId]) -> Result<()> {
        for (position, &id) in ids.iter().enumerate() {
            self.slot(id, position)?;
        }
        for (position, &id) in ids.iter().enumerate() {
            self.count(id, position)?;
        }
        Ok(())
    }

    /// Adds what was counted elsewhere.
    ///
    /// # Errors
    /// [`ShapeMismatch`](Error::ShapeMismatch) for counts of another vocabulary size.
    pub fn merge(&mut self, other: &Self) -> Result<()> {
        if other.counts.len() != self.counts.len() {
            return Err(Error::ShapeMismatch {
                what: "token counts [vocab_size]",
                expected: vec![self.counts.len()],
                actual: vec![other.counts.len()],
            });
        }
        for (count, more) in self.counts.iter_mut().zip(&other.counts) {
            *count = count.saturating_add(*more);
        }
        Ok(())
    }

    /// The count of each id, in the order of the ids.
    #[must_use]
    pub fn as_slice(&self) -> &[u64] {
        &self.counts
    }

    /// Counts one id, which stands at this position of its stream.
    pub(super) fn count(&mut self, id: TokenId, position: usize) -> Result<()> {
        let slot = self.slot(id, position)?;
        self.counts[slot] = self.counts[slot].saturating_add(1);
        Ok(())
    }

    fn slot(&self, id: TokenId, position: usize) -> Result<usize> {
        let (slot, vocab_size) = (id as usize, self.counts.len());
        if slot < vocab_size { Ok(slot) } else { Err(Error::IdOutOfRange { id, position, vocab_size }) }
    }
}

/// # Errors
/// [`Empty`](Error::Empty), [`VocabularyTooLarge`](Error::VocabularyTooLarge).
fn check_size(vocab_size: usize) -> Result<()> {
    if vocab_size == 0 {
        return Err(Error::Empty { what: "token counts [vocab_size]", shape: vec![0] });
    }
    if vocab_size > TokenId::MAX as usize {
        return Err(Error::VocabularyTooLarge { vocab_size });
    }
    Ok(())
}

/// Weights in proportion to the counts; above 2⁵³ these are rounded.
impl From<&TokenCounts> for RowWeights {
    fn from(counts: &TokenCounts) -> Self {
        Self { counts: counts.counts.iter().map(|&count| count as f64).collect(), smoothing: 0.0, exponent: 1.0 }
    }
}

impl fmt::Debug for TokenCounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TokenCounts({} ids)", self.counts.len())
    }
}
