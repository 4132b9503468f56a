//! Bags: lists of ids whose rows are pooled into one vector.

use std::{fmt, ops::Range};

use super::TokenId;
use crate::{Error, Result};

/// How the rows of a bag become one vector.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case", deny_unknown_fields))]
pub enum Pooling {
    /// Their sum, with per-sample weights if the bags have them.
    Sum,
    /// Their sum over their number, padding not counted.
    Mean,
    /// Their maximum in each column.
    Max,
}

impl fmt::Display for Pooling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sum => "sum pooling",
            Self::Mean => "mean pooling",
            Self::Max => "max pooling",
        })
    }
}

/// Bags of ids, one after the other, each known by where it starts: the layout of PyTorch's `EmbeddingBag`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bags<'a> {
    ids: &'a [TokenId],
    offsets: &'a [usize],
    weights: Option<&'a [f32]>,
    pooling: Pooling,
}

impl<'a> Bags<'a> {
    /// Bag b is `ids[offsets[b]..offsets[b + 1]]`, and the last one ends with the ids.
    ///
    /// # Shapes
    /// `ids` \[n\], `offsets` \[b\]: 0 first, never decreasing, at most n. No offsets (and then no ids) are no bags.
    ///
    /// # Errors
    /// [`InvalidOffset`](Error::InvalidOffset).
    pub fn new(ids: &'a [TokenId], offsets: &'a [usize], pooling: Pooling) -> Result<Self> {
        if offsets.is_empty() && !ids.is_empty() {
            return Err(Error::ShapeMismatch { what: "ids of no bags", expected: vec![0], actual: vec![ids.len()] });
        }
        let mut min = 0;
        for (bag, &offset) in offsets.iter().enumerate() {
            let max = if bag == 0 { 0 } else { ids.len() };
            if !(min..=max).contains(&offset) {
                return Err(Error::InvalidOffset { bag, offset, min, max });
            }
            min = offset;
        }
        Ok(Self { ids, offsets, weights: None, pooling })
    }

    /// Gives every id a weight of its own in its bag's sum.
    ///
    /// # Shapes
    /// `weights` \[n\], one for each of the ids.
    ///
    /// # Errors
    /// [`WeightsNeedSum`](Error::WeightsNeedSum), [`ShapeMismatch`](Error::ShapeMismatch).
    pub fn with_weights(self, weights: &'a [f32]) -> Result<Self> {
        if self.pooling != Pooling::Sum {
            return Err(Error::WeightsNeedSum { pooling: self.pooling });
        }
        if weights.len() != self.ids.len() {
            return Err(Error::ShapeMismatch {
                what: "per-sample weights [n]",
                expected: vec![self.ids.len()],
                actual: vec![weights.len()],
            });
        }
        Ok(Self { weights: Some(weights), ..self })
    }

    /// How many bags there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.offsets.len()
    }

    /// Whether there are no bags at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.offsets.is_empty()
    }

    /// The ids of all bags.
    #[must_use]
    pub fn ids(&self) -> &'a [TokenId] {
        self.ids
    }

    /// The weight of each id, if they have weights.
    #[must_use]
    pub fn weights(&self) -> Option<&'a [f32]> {
        self.weights
    }

    /// How a bag becomes one vector.
    #[must_use]
    pub fn pooling(&self) -> Pooling {
        self.pooling
    }

    /// Where each bag's ids stand in [`ids`](Self::ids).
    #[must_use]
    pub fn ranges(&self) -> impl ExactSizeIterator<Item = Range<usize>> + '_ {
        (0..self.len()).map(|bag| self.range(bag))
    }

    /// Where the ids of one bag stand.
    pub(crate) fn range(&self, bag: usize) -> Range<usize> {
        self.offsets[bag]..self.offsets.get(bag + 1).copied().unwrap_or(self.ids.len())
    }
}
