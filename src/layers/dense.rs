//! The baseline: one stored row per token.

use std::{fmt, ops::Range, sync::OnceLock};

use ndarray::{Array2, ArrayView2, ArrayViewMut2, CowArray, Ix2, s};

use super::{
    PaddingNote, mask_padding,
    norms::{inverse_norms, known_or_computed},
    search::{self, ScoreRows},
    unpadded_ranges,
    vectors::Vectors,
};
use crate::{
    Bags, Dtype, Embedding, Isa, Pooling, Result, TokenId, TopK,
    embedding::check,
    kernel::{self, PooledRows, TableRows},
    rows::{Numbers, Rows},
};

/// A dense table \[`vocab_size`, dim\]: what everything else is compared with.
///
/// The table may be owned, borrowed, or little-endian bytes of `f32`, `f16` or `bf16` (a memory map, say), which stay as
/// they are and are widened row by row.
///
/// # Examples
///
/// ```
/// use factorized_embedding::{DenseEmbedding, Embedding};
/// use ndarray::{Array2, array};
///
/// # fn main() -> factorized_embedding::Result<()> {
/// let table: Array2<f32> = array![[1.0, 2.0], [3.0, 4.0]];
/// let borrowed = DenseEmbedding::new(&table)?;
/// assert_eq!(borrowed.lookup(&[1])?, array![[3.0, 4.0]]);
///
/// let halves = [0x00, 0x3c, 0x00, 0x40]; // 1 and 2 as f16
/// let stored = DenseEmbedding::from_bytes(&halves, factorized_embedding::Dtype::F16, [2, 1])?;
/// assert_eq!(stored.lookup(&[0, 1])?, array![[1.0], [2.0]]);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct DenseEmbedding<'a> {
    pub(super) rows: Rows<'a>,
    pub(super) isa: Isa,
    pub(super) padding_id: Option<TokenId>,
    pub(super) inverse_norms: OnceLock<Vec<f32>>,
}

impl<'a> DenseEmbedding<'a> {
    /// A table in memory: an `Array2<f32>` to own, an `&Array2<f32>` or `ArrayView2<f32>` to borrow.
    ///
    /// # Shapes
    /// `table` \[`vocab_size`, dim\]
    ///
    /// # Errors
    /// [`Empty`](crate::Error::Empty), [`VocabularyTooLarge`](crate::Error::VocabularyTooLarge),
    /// [`NonFinite`](crate::Error::NonFinite).
    pub fn new(table: impl Into<CowArray<'a, f32, Ix2>>) -> Result<Self> {
        let table = table.into();
        check::finite("table [vocab_size, dim]", &table)?;
        Self::from_rows(Rows::Array(table))
    }

    /// A table as little-endian bytes in row-major order, aligned or not. Its numbers are not looked at: a table that holds
    /// NaN gives NaN.
    ///
    /// # Shapes
    /// `bytes` \[`vocab_size` · dim · `dtype.size()`\], `shape` \[`vocab_size`, dim\]
    ///
    /// # Errors
    /// [`ShapeMismatch`](crate::Error::ShapeMismatch), [`Empty`](crate::Error::Empty),
    /// [`VocabularyTooLarge`](crate::Error::VocabularyTooLarge).
    pub fn from_bytes(bytes: impl AsRef<[u8]> + Send + Sync + 'a, dtype: Dtype, shape: [usize; 2]) -> Result<Self> {
        Self::from_rows(Rows::from_bytes(bytes, dtype, shape)?)
    }

    fn from_rows(rows: Rows<'a>) -> Result<Self> {
        check::table("table [vocab_size, dim]", rows.shape())?;
        Ok(Self { rows, isa: Isa::best(), padding_id: None, inverse_norms: OnceLock::new() })
    }

    /// Masks the row of an id wherever the table is read: see [Padding](Embedding#padding).
    ///
    /// # Errors
    /// [`IdOutOfRange`](crate::Error::IdOutOfRange).
    pub fn with_padding_id(mut self, id: TokenId) -> Result<Self> {
        check::padding_id(id, self.vocab_size())?;
        self.padding_id = Some(id);
        Ok(self)
    }

    /// Computes with another instruction set than the best: for tests, benches and bug reports.
    #[must_use]
    pub fn with_isa(self, isa: Isa) -> Self {
        Self { isa, ..self }
    }

    /// Asks the system to keep the table in huge pages, if it stands in memory: see
    /// [`FactorizedEmbedding::with_huge_pages`](crate::FactorizedEmbedding::with_huge_pages).
    #[must_use]
    pub fn with_huge_pages(self) -> Self {
        if let Some(numbers) = self.rows.numbers() {
            numbers.prefer_huge_pages();
        }
        self
    }

    /// The instruction set that the layer computes with.
    pub(crate) fn isa(&self) -> Isa {
        self.isa
    }

    /// The type of the stored numbers.
    #[must_use]
    pub fn dtype(&self) -> Dtype {
        self.rows.dtype()
    }

    /// The table \[`vocab_size`, dim\]: as it stands where it is `f32` in memory, widened otherwise. The padding row is
    /// the stored one.
    #[must_use]
    pub fn to_array(&self) -> CowArray<'_, f32, Ix2> {
        self.block(0..self.vocab_size())
    }

    /// Some rows of the table.
    fn block(&self, range: Range<usize>) -> CowArray<'_, f32, Ix2> {
        match self.rows.as_view() {
            Some(view) => view.slice_move(s![range, ..]).into(),
            None => {
                let mut rows = Array2::zeros((range.len(), self.dim()));
                let ids: Vec<TokenId> = (range.start as TokenId..range.end as TokenId).collect();
                kernel::copy_rows(self.isa, &self.rows, &ids, &mut rows.view_mut());
                rows.into()
            }
        }
    }

    /// Calls `work` with the rows of a range and the number of the first of them: where they stand, if they stand row-major
    /// in memory, or else copied in blocks.
    fn for_each_block(&self, range: Range<usize>, mut work: impl FnMut(usize, TableRows<'_>)) {
        let width = self.dim();
        if let Some(rows) = self.rows.numbers() {
            return work(range.start, TableRows { rows, width, first: range.start, len: range.len() });
        }
        for first in range.clone().step_by(search::BLOCK_ROWS) {
            let rows = self.block(first..range.end.min(first + search::BLOCK_ROWS));
            let rows = rows.as_standard_layout();
            let numbers = Numbers::F32(rows.as_slice().unwrap_or_default());
            work(first, TableRows { rows: numbers, width, first: 0, len: rows.nrows() });
        }
    }
}

impl Embedding for DenseEmbedding<'_> {
    fn vocab_size(&self) -> usize {
        self.rows.shape()[0]
    }

    fn dim(&self) -> usize {
        self.rows.shape()[1]
    }

    fn num_parameters(&self) -> usize {
        self.vocab_size() * self.dim()
    }

    fn size_in_bytes(&self) -> usize {
        self.num_parameters() * self.dtype().size()
    }

    fn padding_id(&self) -> Option<TokenId> {
        self.padding_id
    }

    fn lookup_into(&self, ids: &[TokenId], mut out: ArrayViewMut2<'_, f32>) -> Result<()> {
        check::shape("out [n, dim]", &out, (ids.len(), self.dim()))?;
        check::ids(ids, self.vocab_size())?;
        kernel::copy_rows(self.isa, &self.rows, ids, &mut out);
        mask_padding(ids, self.padding_id, &mut out);
        Ok(())
    }

    fn bag_into(&self, bags: &Bags<'_>, mut out: ArrayViewMut2<'_, f32>) -> Result<()> {
        check::shape("out [b, dim]", &out, (bags.len(), self.dim()))?;
        check::ids(bags.ids(), self.vocab_size())?;
        match self.rows.numbers() {
            Some(rows) if bags.pooling() != Pooling::Max => {
                kernel::pool(self.isa, PooledRows { rows: rows.into(), bags, padding_id: self.padding_id }, &mut out);
            }
            _ => {
                let fill = |ids: &[TokenId], tile: &mut ArrayViewMut2<'_, f32>| {
                    kernel::copy_rows(self.isa, &self.rows, ids, tile);
                };
                kernel::pool_tiles(bags, self.padding_id, fill, &mut out);
            }
        }
        Ok(())
    }

    fn soft_lookup_into(&self, weights: ArrayView2<'_, f32>, mut out: ArrayViewMut2<'_, f32>) -> Result<()> {
        check::columns("weights [n, vocab_size]", weights, self.vocab_size())?;
        check::shape("out [n, dim]", &out, (weights.nrows(), self.dim()))?;
        let weights = weights.as_standard_layout();
        Vectors::with_kept(|sums| {
            sums.reset(weights.nrows(), self.dim());
            let mut rows = sums.vectors_mut();
            for range in unpadded_ranges(self.vocab_size(), self.padding_id, self.vocab_size()) {
                self.for_each_block(range, |first, block| {
                    kernel::add_weighted_rows(self.isa, weights.view(), first, block, &mut rows);
                });
            }
            out.assign(&rows);
        });
        Ok(())
    }

    fn logits_into(&self, hidden: ArrayView2<'_, f32>, out: ArrayViewMut2<'_, f32>) -> Result<()> {
        search::logits_into(self, hidden, out)
    }

    fn top_k(&self, hidden: ArrayView2<'_, f32>, k: usize) -> Result<TopK> {
        search::top_k(self, hidden, k)
    }

    fn nearest(&self, queries: ArrayView2<'_, f32>, k: usize) -> Result<TopK> {
        search::nearest(self, queries, k)
    }
}

impl ScoreRows for DenseEmbedding<'_> {
    fn prepare(&self, queries: ArrayView2<'_, f32>, prepared: &mut Vectors) {
        prepared.reset(queries.nrows(), queries.ncols());
        prepared.vectors_mut().assign(&queries);
    }

    fn score(&self, queries: &Vectors, range: Range<usize>, out: &mut ArrayViewMut2<'_, f32>) {
        let start = range.start;
        self.for_each_block(range, |first, rows| {
            let mut out = out.slice_mut(s![.., first - start..first - start + rows.len]);
            kernel::scores(self.isa, queries.vectors(), queries.constants(), rows, &mut out);
        });
    }

    fn inverse_norms(&self) -> &[f32] {
        known_or_computed(&self.inverse_norms, || {
            inverse_norms(self.vocab_size(), self.dim(), |ids, out| kernel::copy_rows(self.isa, &self.rows, ids, out))
        })
    }
}

impl fmt::Debug for DenseEmbedding<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let padding = PaddingNote(self.padding_id);
        write!(f, "DenseEmbedding({:?}{padding})", self.rows)
    }
}
