//! Gradients of some of the rows of a matrix.

use std::fmt;

use ndarray::{Array2, ArrayView2};

use crate::{Error, Result, TokenId};

/// The gradient of a matrix \[rows, width\] that is zero but for some of its rows; or of all rows, where every one was
/// used.
#[derive(Clone, PartialEq)]
pub struct RowGradient {
    /// In ascending order, each once; `None` for all rows.
    pub(super) ids: Option<Vec<TokenId>>,
    /// \[`ids.len()`, width\]
    pub(super) values: Array2<f32>,
}

impl RowGradient {
    /// Of the rows with these ids.
    ///
    /// # Shapes
    /// `ids` \[k\], ascending and each once; `values` \[k, width\]
    ///
    /// # Errors
    /// [`ShapeMismatch`](Error::ShapeMismatch), [`UnsortedIds`](Error::UnsortedIds).
    pub fn of_rows(ids: Vec<TokenId>, values: Array2<f32>) -> Result<Self> {
        if ids.len() != values.nrows() {
            let (expected, actual) = (vec![ids.len(), values.ncols()], values.shape().to_vec());
            return Err(Error::ShapeMismatch { what: "gradient [k, width]", expected, actual });
        }
        if let Some(position) = ids.windows(2).position(|pair| pair[0] >= pair[1]) {
            return Err(Error::UnsortedIds { position: position + 1, id: ids[position + 1], before: ids[position] });
        }
        Ok(Self { ids: Some(ids), values })
    }

    /// Of all rows.
    ///
    /// # Shapes
    /// `values` \[rows, width\]
    #[must_use]
    pub fn of_all_rows(values: Array2<f32>) -> Self {
        Self { ids: None, values }
    }

    /// The rows whose gradient this is, in ascending order; `None` for all of them.
    #[must_use]
    pub fn ids(&self) -> Option<&[TokenId]> {
        self.ids.as_deref()
    }

    /// \[k, width\]
    #[must_use]
    pub fn values(&self) -> ArrayView2<'_, f32> {
        self.values.view()
    }

    /// Adds another gradient of the same matrix: the rows of either are there afterwards, in order.
    pub(super) fn merge(&mut self, other: &Self) {
        match (&self.ids, &other.ids) {
            (None, None) => self.values += &other.values,
            (None, Some(ids)) => add_rows(&mut self.values, ids, &other.values),
            (Some(ids), None) => {
                let mut values = other.values.clone();
                add_rows(&mut values, ids, &self.values);
                *self = Self { ids: None, values };
            }
            (Some(ids), Some(other_ids)) if ids == other_ids => self.values += &other.values,
            (Some(ids), Some(other_ids)) if other_ids.len() <= ids.len() && contains(ids, other_ids) => {
                let slots = other_ids.iter().filter_map(|id| ids.binary_search(id).ok());
                for (slot, row) in slots.zip(other.values.rows()) {
                    let mut sum = self.values.row_mut(slot);
                    sum += &row;
                }
            }
            (Some(ids), Some(other_ids)) => {
                let mut union: Vec<TokenId> = ids.iter().chain(other_ids).copied().collect();
                union.sort_unstable();
                union.dedup();
                let mut values = Array2::zeros((union.len(), self.values.ncols()));
                for (ids, part) in [(ids, &self.values), (other_ids, &other.values)] {
                    let mut rows = ids.iter().zip(part.rows()).peekable();
                    for (id, mut sum) in union.iter().zip(values.rows_mut()) {
                        if let Some((_, row)) = rows.next_if(|(next, _)| *next == id) {
                            sum += &row;
                        }
                    }
                }
                *self = Self { ids: Some(union), values };
            }
        }
    }
}

/// Whether all of the others are among the ids; both ascend.
fn contains(ids: &[TokenId], others: &[TokenId]) -> bool {
    others.iter().all(|id| ids.binary_search(id).is_ok())
}

/// Adds a row for each id to the row of that number.
fn add_rows(sums: &mut Array2<f32>, ids: &[TokenId], rows: &Array2<f32>) {
    for (&id, row) in ids.iter().zip(rows.rows()) {
        let mut sum = sums.row_mut(id as usize);
        sum += &row;
    }
}

impl fmt::Debug for RowGradient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [rows, width] = [self.values.nrows(), self.values.ncols()];
        let of = if self.ids.is_some() { "rows" } else { "rows, all there are" };
        write!(f, "RowGradient({rows} {of} × {width})")
    }
}
