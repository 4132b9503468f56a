//! The entries of a table that are known.

use std::fmt;

use ndarray::ArrayView2;

use super::sparse::{Entry, Lists};
use crate::{Error, Result, TokenId, embedding::check};

/// The known entries of a table \[`vocab_size`, dim\], each with its value and a weight.
///
/// Entries that are not listed are missing: nothing is said of them, which is not the same as that they are zero. A
/// weight of 0 makes an entry missing, too.
///
/// They are held twice, by rows and by columns: 16 bytes an entry, 24 with weights that are not all 1; while they are put in
/// order, about three times as much.
///
/// # Examples
///
/// ```
/// use factorized_embedding::Observations;
///
/// # fn main() -> factorized_embedding::Result<()> {
/// let known = Observations::from_triplets(3, 2, [(0, 0, 1.5), (0, 1, -2.0), (2, 1, 0.0)])?;
/// assert_eq!(known.len(), 3);
/// assert_eq!(format!("{known:?}"), "Observations(3 entries of [3, 2])");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, PartialEq)]
pub struct Observations {
    shape: [usize; 2],
    by_row: Lists,
    by_column: Lists,
}

impl Observations {
    /// The entries (row, column, value), in any order.
    ///
    /// # Errors
    /// [`IdOutOfRange`](Error::IdOutOfRange), [`ColumnOutOfRange`](Error::ColumnOutOfRange),
    /// [`NonFinite`](Error::NonFinite), [`DuplicateEntry`](Error::DuplicateEntry),
    /// [`NoKnownEntries`](Error::NoKnownEntries), [`Empty`](Error::Empty),
    /// [`VocabularyTooLarge`](Error::VocabularyTooLarge), [`TableTooLarge`](Error::TableTooLarge) for more columns than
    /// `u32` can number.
    pub fn from_triplets(
        vocab_size: usize,
        dim: usize,
        triplets: impl IntoIterator<Item = (TokenId, u32, f32)>,
    ) -> Result<Self> {
        let entries = triplets.into_iter().map(|(row, column, value)| (row, column, value, 1.0));
        Self::from_weighted_triplets(vocab_size, dim, entries)
    }

    /// The entries (row, column, value, weight), in any order. Entries of weight 0 are missing, whatever their value.
    ///
    /// # Errors
    /// Those of [`from_triplets`](Self::from_triplets), and [`InvalidEntryWeight`](Error::InvalidEntryWeight) for a
    /// weight that is negative or not finite.
    ///
    /// # Examples
    ///
    /// ```
    /// use factorized_embedding::Observations;
    ///
    /// # fn main() -> factorized_embedding::Result<()> {
    /// let sure_and_unsure = [(0, 0, 1.5, 1.0), (1, 1, -2.0, 0.25), (2, 1, f32::NAN, 0.0)];
    /// assert_eq!(Observations::from_weighted_triplets(3, 2, sure_and_unsure)?.len(), 2);
    /// # Ok(())
    /// # }
    /// ```
    pub fn from_weighted_triplets(
        vocab_size: usize,
        dim: usize,
        entries: impl IntoIterator<Item = (TokenId, u32, f32, f32)>,
    ) -> Result<Self> {
        check_shape([vocab_size, dim])?;
        let mut known = Vec::new();
        let mut zeros = Vec::new();
        for (position, (row, column, value, weight)) in entries.into_iter().enumerate() {
            if row as usize >= vocab_size {
                return Err(Error::IdOutOfRange { id: row, position, vocab_size });
            }
            if column as usize >= dim {
                return Err(Error::ColumnOutOfRange { column, position, dim });
            }
            let entry = Entry { row, column, value, weight };
            let list = if check_entry(&entry)? { &mut known } else { &mut zeros };
            list.push(entry);
        }
        // An entry that is given twice contradicts itself, also where one of the two says that it is missing.
        let mut all: Vec<_> = known.iter().chain(&zeros).map(|entry| (entry.row, entry.column)).collect();
        all.sort_unstable();
        if let Some(&[(row, column), _]) = all.array_windows().find(|[a, b]| a == b) {
            return Err(Error::DuplicateEntry { row, column });
        }
        drop((all, zeros));
        known.sort_unstable_by_key(|entry| (entry.row, entry.column));
        Self::from_sorted([vocab_size, dim], &known)
    }

    /// The entries of a table where the mask is true; the values of the others do not matter, and may be NaN.
    ///
    /// # Shapes
    /// `table`, `mask` \[`vocab_size`, dim\]
    ///
    /// # Errors
    /// [`ShapeMismatch`](Error::ShapeMismatch), [`NonFinite`](Error::NonFinite),
    /// [`NoKnownEntries`](Error::NoKnownEntries), [`Empty`](Error::Empty),
    /// [`VocabularyTooLarge`](Error::VocabularyTooLarge), [`TableTooLarge`](Error::TableTooLarge).
    ///
    /// # Examples
    ///
    /// ```
    /// use factorized_embedding::Observations;
    /// use ndarray::array;
    ///
    /// # fn main() -> factorized_embedding::Result<()> {
    /// let table = array![[1.0, f32::NAN], [2.0, 3.0]];
    /// assert_eq!(Observations::from_mask(table.view(), table.mapv(f32::is_finite).view())?.len(), 3);
    /// # Ok(())
    /// # }
    /// ```
    pub fn from_mask(table: ArrayView2<'_, f32>, mask: ArrayView2<'_, bool>) -> Result<Self> {
        same_shape("mask [vocab_size, dim]", table, mask)?;
        Self::from_dense(table, |index| if mask[index] { 1.0 } else { 0.0 })
    }

    /// The entries of a table whose weight is above 0; the values of the others do not matter, and may be NaN.
    ///
    /// # Shapes
    /// `table`, `weights` \[`vocab_size`, dim\]
    ///
    /// # Errors
    /// Those of [`from_mask`](Self::from_mask), and [`InvalidEntryWeight`](Error::InvalidEntryWeight) for a weight that
    /// is negative or not finite.
    ///
    /// # Examples
    ///
    /// ```
    /// use factorized_embedding::Observations;
    /// use ndarray::array;
    ///
    /// # fn main() -> factorized_embedding::Result<()> {
    /// let (table, weights) = (array![[1.0, f32::NAN], [2.0, 3.0]], array![[1.0, 0.0], [0.5, 2.0]]);
    /// let known = Observations::from_entry_weights(table.view(), weights.view())?;
    /// assert_eq!(format!("{known:?}"), "Observations(3 weighted entries of [2, 2])");
    /// # Ok(())
    /// # }
    /// ```
    pub fn from_entry_weights(table: ArrayView2<'_, f32>, weights: ArrayView2<'_, f32>) -> Result<Self> {
        same_shape("entry weights [vocab_size, dim]", table, weights)?;
        Self::from_dense(table, |index| weights[index])
    }

    fn from_dense(table: ArrayView2<'_, f32>, weight: impl Fn((usize, usize)) -> f32) -> Result<Self> {
        let shape = [table.nrows(), table.ncols()];
        check_shape(shape)?;
        let mut known = Vec::new();
        for ((row, column), &value) in table.indexed_iter() {
            let weight = weight((row, column));
            // Both fit: the shape has been checked.
            let entry = Entry { row: row as u32, column: column as u32, value, weight };
            if check_entry(&entry)? {
                known.push(entry);
            }
        }
        Self::from_sorted(shape, &known)
    }

    /// Of entries by row and column, each only once.
    fn from_sorted(shape: [usize; 2], known: &[Entry]) -> Result<Self> {
        let [vocab_size, dim] = shape;
        if known.is_empty() {
            return Err(Error::NoKnownEntries { vocab_size, dim });
        }
        let by_row = Lists::new(vocab_size, known, |entry| (entry.row, entry.column));
        let by_column = Lists::new(dim, known, |entry| (entry.column, entry.row));
        Ok(Self { shape, by_row, by_column })
    }

    /// Rows of the table.
    #[must_use]
    pub fn vocab_size(&self) -> usize {
        self.shape[0]
    }

    /// Columns of the table.
    #[must_use]
    pub fn dim(&self) -> usize {
        self.shape[1]
    }

    /// How many entries are known.
    #[must_use]
    pub fn len(&self) -> usize {
        self.by_row.len()
    }

    /// Always false: at least one entry is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether weights were given that are not all 1.
    #[must_use]
    pub fn has_weights(&self) -> bool {
        self.by_row.has_weights()
    }

    pub(super) fn by_row(&self) -> &Lists {
        &self.by_row
    }

    pub(super) fn by_column(&self) -> &Lists {
        &self.by_column
    }
}

fn check_shape(shape: [usize; 2]) -> Result<()> {
    check::table("table [vocab_size, dim]", shape)?;
    let [vocab_size, dim] = shape;
    if u32::try_from(dim).is_err() {
        return Err(Error::TableTooLarge { vocab_size, dim });
    }
    Ok(())
}

fn same_shape<T>(what: &'static str, table: ArrayView2<'_, f32>, array: ArrayView2<'_, T>) -> Result<()> {
    if array.dim() == table.dim() {
        return Ok(());
    }
    Err(Error::ShapeMismatch { what, expected: table.shape().to_vec(), actual: array.shape().to_vec() })
}

/// Whether the entry is known; an error where weight or value is none.
fn check_entry(entry: &Entry) -> Result<bool> {
    let &Entry { row, column, value, weight } = entry;
    if !(weight.is_finite() && weight >= 0.0) {
        return Err(Error::InvalidEntryWeight { row, column, weight });
    }
    if weight > 0.0 && !value.is_finite() {
        return Err(Error::NonFinite {
            what: "known entries [vocab_size, dim]",
            index: vec![row as usize, column as usize],
            value: f64::from(value),
        });
    }
    Ok(weight > 0.0)
}

impl fmt::Debug for Observations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let weighted = if self.has_weights() { "weighted " } else { "" };
        write!(f, "Observations({} {weighted}entries of {:?})", self.len(), self.shape)
    }
}
