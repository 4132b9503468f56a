//! How a quantized layer is read.

use std::sync::OnceLock;

use ndarray::ArrayViewMut2;

use super::QuantizedEmbedding;
use crate::{
    Embedding, Isa, RepeatedIds, Result, TokenId, embedding::check, kernel::HotRows, layers::settings::ids_that_fit,
};

impl QuantizedEmbedding {
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
        let hot = self.hot_rows.as_ref().map(HotRows::ids).unwrap_or_default();
        Self { isa, inverse_norms: OnceLock::new(), ..self }.with_rows_of(&hot)
    }

    /// Decides what lookups do with ids that occur more than once, instead of leaving it to the layer.
    #[must_use]
    pub fn with_repeated_ids(self, repeated_ids: RepeatedIds) -> Self {
        Self { repeated_ids, ..self }
    }

    /// Keeps the dense rows of the most used ids ready, so that lookups copy them instead of computing them: see
    /// [`FactorizedEmbedding::with_hot_rows`](crate::FactorizedEmbedding::with_hot_rows).
    ///
    /// # Errors
    /// [`IdOutOfRange`](crate::Error::IdOutOfRange).
    pub fn with_hot_rows(self, most_used: &[TokenId], bytes: usize) -> Result<Self> {
        check::ids(most_used, self.vocab_size())?;
        let hot = ids_that_fit(most_used, bytes, (self.vocab_size(), self.dim()));
        Ok(self.with_rows_of(&hot))
    }

    /// How many ids have [hot rows](Self::with_hot_rows).
    #[must_use]
    pub fn num_hot_rows(&self) -> usize {
        self.hot_rows.as_ref().map_or(0, HotRows::len)
    }

    /// Keeps the rows of these ids, no two of which are equal, ready.
    fn with_rows_of(mut self, ids: &[TokenId]) -> Self {
        self.hot_rows = None;
        if ids.is_empty() {
            return self;
        }
        let mut rows = vec![0.0; ids.len() * self.dim()];
        if let Ok(mut out) = ArrayViewMut2::from_shape((ids.len(), self.dim()), &mut rows) {
            self.make_rows(ids, &mut out);
        }
        self.hot_rows = Some(HotRows::new(ids, rows, self.vocab_size(), self.dim()));
        self
    }
}
