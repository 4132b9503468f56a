//! Factors of rows in groups.

use std::fmt;

use ndarray::{Array2, Axis};

use super::Factors;
use crate::{Dtype, Error, Result, TokenId, embedding::check};

/// A table whose rows are in groups, each with factors of its own: *block-wise low rank* (`GroupReduce`: Chen, Si, Li, Chelba,
/// Hsieh 2018, §3.2).
///
/// Rows that are used often get a higher rank than rows that are not. The rows of a group are numbered in ascending order of
/// their ids: row i of its factors is its i-th row. A group without factors has rank 0: its rows are zero.
///
/// # Examples
///
/// ```
/// use factorized_embedding::{BlockFactors, Factors};
/// use ndarray::array;
///
/// # fn main() -> factorized_embedding::Result<()> {
/// let used_often = Factors::new(array![[1.0, 0.0], [0.0, 1.0]], array![[3.0, 4.0], [5.0, 6.0]])?;
/// let used_seldom = Factors::new(array![[2.0]], array![[1.0, 1.0]])?;
/// let factors = BlockFactors::new(vec![0, 1, 2, 0], vec![Some(used_often), Some(used_seldom), None], 2)?;
/// assert_eq!(factors.ranks(), [2, 1, 0]);
/// assert_eq!(factors.to_dense(), array![[3.0, 4.0], [2.0, 2.0], [0.0, 0.0], [5.0, 6.0]]);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, PartialEq)]
pub struct BlockFactors {
    group_of: Vec<u8>,
    blocks: Vec<Option<Factors>>,
    dim: usize,
}

impl BlockFactors {
    /// The largest number of groups: as many as a byte can name.
    pub const MAX_GROUPS: usize = 1 << u8::BITS;

    /// Rows in groups, and the factors of each group: `None` for rows of zeros, and for a group that no row is in.
    ///
    /// # Shapes
    /// `group_of` \[`vocab_size`\], `blocks` \[1 to 256 groups\] of tables \[rows of the group, dim\].
    ///
    /// # Errors
    /// [`Empty`](Error::Empty), [`VocabularyTooLarge`](Error::VocabularyTooLarge),
    /// [`TableTooLarge`](Error::TableTooLarge), [`InvalidSetting`](Error::InvalidSetting) for the number of groups,
    /// [`GroupOutOfRange`](Error::GroupOutOfRange), [`GroupShapeMismatch`](Error::GroupShapeMismatch) for factors of another
    /// dim, or of more or fewer rows than the group has.
    pub fn new(group_of: Vec<u8>, blocks: Vec<Option<Factors>>, dim: usize) -> Result<Self> {
        let vocab_size = group_of.len();
        check::table("table in groups [vocab_size, dim]", [vocab_size, dim])?;
        check::addressable(vocab_size, dim)?;
        let num_groups = blocks.len();
        if !(1..=Self::MAX_GROUPS).contains(&num_groups) {
            return Err(Error::InvalidSetting {
                name: "number of groups",
                value: num_groups as f64,
                expected: "1 to 256 groups",
            });
        }
        let mut num_rows = vec![0; num_groups];
        for (row, &group) in group_of.iter().enumerate() {
            match num_rows.get_mut(usize::from(group)) {
                Some(num_rows) => *num_rows += 1,
                None => return Err(Error::GroupOutOfRange { row, group, num_groups }),
            }
        }
        for (group, (block, num_rows)) in blocks.iter().zip(num_rows).enumerate() {
            let Some(factors) = block else { continue };
            let (expected, actual) = ([num_rows, dim], [factors.vocab_size(), factors.dim()]);
            if actual != expected {
                return Err(Error::GroupShapeMismatch { group, expected, actual });
            }
        }
        Ok(Self { group_of, blocks, dim })
    }

    /// Rows of the table.
    #[must_use]
    pub fn vocab_size(&self) -> usize {
        self.group_of.len()
    }

    /// Columns of the table.
    #[must_use]
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// How many groups there are, those that no row is in too.
    #[must_use]
    pub fn num_groups(&self) -> usize {
        self.blocks.len()
    }

    /// The group of each row \[`vocab_size`\].
    #[must_use]
    pub fn group_of(&self) -> &[u8] {
        &self.group_of
    }

    /// The factors of each group, `None` for rank 0.
    #[must_use]
    pub fn blocks(&self) -> &[Option<Factors>] {
        &self.blocks
    }

    /// The rank of each group.
    #[must_use]
    pub fn ranks(&self) -> Vec<usize> {
        self.blocks.iter().map(|block| block.as_ref().map_or(0, Factors::rank)).collect()
    }

    /// The ids of the rows of a group, ascending: id i is row i of the group's factors. A group that there is not has none.
    #[must_use]
    pub fn ids_of(&self, group: usize) -> Vec<TokenId> {
        let ids = (0..).zip(&self.group_of);
        ids.filter(|&(_, &of)| usize::from(of) == group).map(|(id, _)| id).collect()
    }

    /// How many numbers the factors are made of. The groups of rows are no parameters.
    #[must_use]
    pub fn num_parameters(&self) -> usize {
        self.blocks.iter().flatten().map(Factors::num_parameters).sum()
    }

    /// Bytes of those numbers, and one byte for the group of each row.
    #[must_use]
    pub fn size_in_bytes(&self) -> usize {
        self.vocab_size() + self.blocks.iter().flatten().map(Factors::size_in_bytes).sum::<usize>()
    }

    /// The whole table \[`vocab_size`, dim\].
    #[must_use]
    pub fn to_dense(&self) -> Array2<f32> {
        let mut dense = Array2::zeros((self.vocab_size(), self.dim));
        for (group, block) in self.blocks.iter().enumerate() {
            let Some(factors) = block else { continue };
            for (&id, row) in self.ids_of(group).iter().zip(factors.to_dense().axis_iter(Axis(0))) {
                dense.row_mut(id as usize).assign(&row);
            }
        }
        dense
    }

    /// The same with the U of every group stored in another type: see [`Factors::to_dtype`].
    ///
    /// # Errors
    /// [`NonFinite`](Error::NonFinite) when a number is too large for the type.
    pub fn to_dtype(&self, dtype: Dtype) -> Result<Self> {
        let narrow = |block: &Option<Factors>| block.as_ref().map(|factors| factors.to_dtype(dtype)).transpose();
        let blocks = self.blocks.iter().map(narrow).collect::<Result<_>>()?;
        Ok(Self { group_of: self.group_of.clone(), blocks, dim: self.dim })
    }

    /// The group of each row, and the factors of each group.
    #[must_use]
    pub fn into_parts(self) -> (Vec<u8>, Vec<Option<Factors>>) {
        (self.group_of, self.blocks)
    }
}

impl fmt::Debug for BlockFactors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BlockFactors([{}, {}], ranks {:?})", self.vocab_size(), self.dim, self.ranks())
    }
}
