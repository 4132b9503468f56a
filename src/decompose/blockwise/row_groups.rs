//! Which rows share factors.

#[cfg(feature = "serde")]
mod stored;

use std::fmt;

use crate::{BlockFactors, Error, Result, RowWeights};

/// How many times as many rows a group has as the one before it.
const DEFAULT_RATIO: f64 = 1.5;

/// A group for each row of a table: rows of a group get factors of their own from
/// [`BlockwiseSvd`](crate::BlockwiseSvd).
///
/// # Examples
///
/// ```
/// use factorized_embedding::{RowGroups, RowWeights};
///
/// # fn main() -> factorized_embedding::Result<()> {
/// let counts = RowWeights::new([5.0, 900.0, 1.0, 40.0, 3.0, 2.0])?;
/// // One row, two rows, three rows.
/// assert_eq!(RowGroups::by_frequency(&counts, 3)?.group_of(), [1, 0, 2, 1, 2, 2]);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(try_from = "stored::RowGroups"))]
pub struct RowGroups {
    group_of: Vec<u8>,
    num_groups: usize,
}

impl RowGroups {
    /// Rows by how often they are used: the most used ones in group 0, and each group 1.5 times as large as the one
    /// before.
    ///
    /// Equal counts are ordered by id. Where there are few rows, some groups are empty.
    ///
    /// # Errors
    /// [`InvalidSetting`](Error::InvalidSetting) unless there are 1 to 256 groups.
    pub fn by_frequency(weights: &RowWeights, num_groups: usize) -> Result<Self> {
        Self::by_frequency_with_ratio(weights, num_groups, DEFAULT_RATIO)
    }

    /// The same with groups that grow by another ratio: 1 for groups of one size.
    ///
    /// # Errors [`InvalidSetting`](Error::InvalidSetting) unless there are 1 to 256 groups, and for a ratio below 1 or
    /// not finite.
    pub fn by_frequency_with_ratio(weights: &RowWeights, num_groups: usize, ratio: f64) -> Result<Self> {
        check_groups(num_groups)?;
        if !(ratio.is_finite() && ratio >= 1.0) {
            return Err(Error::InvalidSetting {
                name: "ratio of group sizes",
                value: ratio,
                expected: "a finite number from 1 up",
            });
        }
        let vocab_size = weights.len();
        // Relative to the largest group, so that powers stay finite.
        let sizes: Vec<f64> = (0..num_groups).map(|group| ratio.powf(group as f64 - (num_groups - 1) as f64)).collect();
        let all: f64 = sizes.iter().sum();
        let mut group_of = vec![0; vocab_size];
        let (mut start, mut size) = (0, 0.0);
        let most_used = weights.most_used();
        for (group, share) in (0..=u8::MAX).zip(&sizes) {
            size += share;
            let last = usize::from(group) + 1 == num_groups;
            let end = if last { vocab_size } else { (size / all * vocab_size as f64).round() as usize };
            for &id in &most_used[start..end.clamp(start, vocab_size)] {
                group_of[id as usize] = group;
            }
            start = end.clamp(start, vocab_size);
        }
        Ok(Self { group_of, num_groups })
    }

    /// A group for each row, of as many groups as the largest number says. Groups may be empty.
    ///
    /// # Shapes
    /// `group_of` \[`vocab_size`\]
    ///
    /// # Errors
    /// [`Empty`](Error::Empty).
    pub fn from_group_of(group_of: impl Into<Vec<u8>>) -> Result<Self> {
        let group_of = group_of.into();
        match group_of.iter().max() {
            None => Err(Error::Empty { what: "row groups [vocab_size]", shape: vec![0] }),
            Some(&largest) => Ok(Self { num_groups: usize::from(largest) + 1, group_of }),
        }
    }

    /// Rows of the table.
    #[must_use]
    pub fn vocab_size(&self) -> usize {
        self.group_of.len()
    }

    /// How many groups there are, empty ones too.
    #[must_use]
    pub fn num_groups(&self) -> usize {
        self.num_groups
    }

    /// The group of each row \[`vocab_size`\].
    #[must_use]
    pub fn group_of(&self) -> &[u8] {
        &self.group_of
    }

    /// Rows of each group \[`num_groups`\].
    #[must_use]
    pub fn sizes(&self) -> Vec<usize> {
        let mut sizes = vec![0; self.num_groups];
        for &group in &self.group_of {
            sizes[usize::from(group)] += 1;
        }
        sizes
    }
}

/// # Errors
/// [`InvalidSetting`](Error::InvalidSetting).
fn check_groups(num_groups: usize) -> Result<()> {
    if (1..=BlockFactors::MAX_GROUPS).contains(&num_groups) {
        return Ok(());
    }
    Err(Error::InvalidSetting { name: "number of groups", value: num_groups as f64, expected: "1 to 256 groups" })
}

impl fmt::Debug for RowGroups {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RowGroups({} rows in {} groups)", self.vocab_size(), self.num_groups)
    }
}
