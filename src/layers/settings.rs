//! How a factorized layer is read, stored and computed with.

use ndarray::ArrayViewMut2;

use super::FactorizedEmbedding;
use crate::{Dtype, Embedding, Isa, RepeatedIds, Result, TokenId, embedding::check, kernel::HotRows};

impl FactorizedEmbedding {
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
        let mut layer = Self { isa, ..self };
        layer.renew();
        layer
    }

    /// Decides what lookups do with ids that occur more than once, instead of leaving it to the layer.
    #[must_use]
    pub fn with_repeated_ids(self, repeated_ids: RepeatedIds) -> Self {
        Self { repeated_ids, ..self }
    }

    /// Keeps the dense rows of the most used ids ready, so that lookups copy them instead of computing them.
    ///
    /// The first of the ids, as many as fit into so many bytes, get a row of 4 · dim bytes each, beside an index of
    /// 4 · `vocab_size` bytes; an id that is named twice gets one row. No room for a row means no hot rows. They replace
    /// those that the layer had. The ids are kept when the layer changes afterwards, whatever their rows then take (another
    /// dim, a larger vocabulary); but training drops them, which would have to make them anew after every step. The bytes are
    /// not parameters: [`size_in_bytes`](Embedding::size_in_bytes) does not count them.
    ///
    /// A text repeats its most used ids all the time: [`RowWeights::most_used`](crate::RowWeights::most_used) gives them
    /// from counts.
    ///
    /// # Errors
    /// [`IdOutOfRange`](crate::Error::IdOutOfRange).
    ///
    /// # Examples
    ///
    /// ```
    /// use factorized_embedding::{Embedding, FactorizedEmbedding, Factors, RowWeights};
    /// use ndarray::array;
    ///
    /// # fn main() -> factorized_embedding::Result<()> {
    /// let embedding = FactorizedEmbedding::new(Factors::new(array![[1.0], [2.0], [5.0]], array![[3.0, 4.0]])?);
    /// let counts = RowWeights::new(vec![10.0, 500.0, 20.0])?;
    /// let hot = embedding.clone().with_hot_rows(&counts.most_used(), 28)?; // an index of 12 bytes, two rows of 8
    /// assert_eq!(hot.num_hot_rows(), 2);
    /// assert_eq!(hot.lookup(&[0, 1, 2])?, embedding.lookup(&[0, 1, 2])?);
    /// # Ok(())
    /// # }
    /// ```
    pub fn with_hot_rows(mut self, most_used: &[TokenId], bytes: usize) -> Result<Self> {
        check::ids(most_used, self.vocab_size())?;
        let hot = ids_that_fit(most_used, bytes, (self.vocab_size(), self.dim()));
        self.set_hot_rows(&hot);
        Ok(self)
    }

    /// Asks the system to keep U in huge pages, so that rows that lie far from each other are found sooner: on Linux where it
    /// offers them, at once from 6.1 on and in time before that; elsewhere it does nothing. It takes about the time of copying
    /// U, and pays for tables that are larger than the last-level cache. A clone, and what allocates U anew (another type, new
    /// rows), begins without.
    #[must_use]
    pub fn with_huge_pages(self) -> Self {
        self.factors.stored_u().prefer_huge_pages();
        self
    }

    /// How many ids have [hot rows](Self::with_hot_rows).
    #[must_use]
    pub fn num_hot_rows(&self) -> usize {
        self.hot_rows.as_ref().map_or(0, HotRows::len)
    }

    /// The same layer with U stored as `f16`: see [`Factors::to_dtype`](crate::Factors::to_dtype).
    ///
    /// # Errors
    /// [`NonFinite`](crate::Error::NonFinite) when a number is too large for `f16`.
    pub fn to_f16(&self) -> Result<Self> {
        self.to_dtype(Dtype::F16)
    }

    /// The same layer with U stored as `bf16`: see [`Factors::to_dtype`](crate::Factors::to_dtype).
    ///
    /// # Errors
    /// [`NonFinite`](crate::Error::NonFinite) when a number is too large for `bf16`.
    pub fn to_bf16(&self) -> Result<Self> {
        self.to_dtype(Dtype::Bf16)
    }

    /// The same layer with U stored as integers of 8 bits, with a scale for each column that is folded into diag(D) · V: see
    /// [`Factors::to_dtype`](crate::Factors::to_dtype).
    ///
    /// # Errors
    /// [`NonFinite`](crate::Error::NonFinite) when 127 steps of a column are no `f32`: next to the largest number that there
    /// is.
    ///
    /// # Examples
    ///
    /// ```
    /// use factorized_embedding::{Embedding, FactorizedEmbedding, Shape};
    ///
    /// # fn main() -> factorized_embedding::Result<()> {
    /// let shape = Shape { vocab_size: 10_000, rank: 64, dim: 512 };
    /// let embedding = FactorizedEmbedding::random(shape, 0.02, &mut rand::rng())?;
    /// assert_eq!(embedding.size_in_bytes(), 4 * (10_000 * 64 + 64 * 512));
    /// assert_eq!(embedding.to_int8()?.size_in_bytes(), 10_000 * 64 + 4 * (64 + 64 * 512));
    /// # Ok(())
    /// # }
    /// ```
    pub fn to_int8(&self) -> Result<Self> {
        self.to_dtype(Dtype::Int8)
    }

    fn to_dtype(&self, dtype: Dtype) -> Result<Self> {
        Ok(Self::new(self.factors.to_dtype(dtype)?).with_settings_of(self))
    }

    /// The settings of another layer of the same vocabulary.
    pub(super) fn with_settings_of(self, other: &Self) -> Self {
        let mut layer = Self { padding_id: other.padding_id, isa: other.isa, repeated_ids: other.repeated_ids, ..self };
        layer.set_hot_rows(&other.hot_ids());
        layer
    }

    /// Makes anew what is derived from the factors, hot rows too, after a change of them or of how they are computed with.
    pub(super) fn renew(&mut self) {
        let hot = self.hot_ids();
        self.repack();
        self.set_hot_rows(&hot);
    }

    fn hot_ids(&self) -> Vec<TokenId> {
        self.hot_rows.as_ref().map(HotRows::ids).unwrap_or_default()
    }

    /// Keeps the rows of these ids, no two of which are equal, ready.
    fn set_hot_rows(&mut self, ids: &[TokenId]) {
        self.hot_rows = None;
        if ids.is_empty() {
            return;
        }
        let mut rows = vec![0.0; ids.len() * self.dim()];
        if let Ok(mut out) = ArrayViewMut2::from_shape((ids.len(), self.dim()), &mut rows) {
            self.make_rows(ids, &mut out);
        }
        self.hot_rows = Some(HotRows::new(ids, rows, self.vocab_size(), self.dim()));
    }
}

/// The first of the ids, each once, whose hot rows fit into so many bytes.
pub(super) fn ids_that_fit(most_used: &[TokenId], bytes: usize, (vocab_size, dim): (usize, usize)) -> Vec<TokenId> {
    let mut named = vec![false; vocab_size];
    let mut hot = Vec::new();
    for &id in most_used {
        if HotRows::size_in_bytes(hot.len() + 1, vocab_size, dim) > bytes {
            break;
        }
        if !std::mem::replace(&mut named[id as usize], true) {
            hot.push(id);
        }
    }
    hot
}
