//! Rows of the most used ids, kept ready.

use std::sync::Arc;

use crate::TokenId;

/// Dense rows \[n, dim\] of some ids. Clones share them.
#[derive(Clone)]
pub(crate) struct HotRows {
    /// For each id of the vocabulary one more than the number of its row, 0 where it has none.
    index: Arc<[u32]>,
    /// \[n, dim\]
    rows: Arc<[f32]>,
    dim: usize,
}

impl HotRows {
    /// Bytes that the rows of `count` ids take, the index of the vocabulary included.
    pub(crate) fn size_in_bytes(count: usize, vocab_size: usize, dim: usize) -> usize {
        (count * dim + vocab_size) * size_of::<f32>()
    }

    /// `rows` \[n, dim\] are those of `ids` \[n\], no two of which are equal.
    pub(crate) fn new(ids: &[TokenId], rows: Vec<f32>, vocab_size: usize, dim: usize) -> Self {
        assert_eq!(rows.len(), ids.len() * dim);
        let mut index = vec![0; vocab_size];
        for (row, &id) in (1..).zip(ids) {
            index[id as usize] = row;
        }
        Self { index: index.into(), rows: rows.into(), dim }
    }

    /// The ids that have a row, in the order of their rows.
    pub(crate) fn ids(&self) -> Vec<TokenId> {
        let mut ids = vec![0; self.len()];
        for (id, &row) in (0..).zip(&*self.index) {
            if row > 0 {
                ids[row as usize - 1] = id;
            }
        }
        ids
    }

    /// How many ids have a row.
    pub(crate) fn len(&self) -> usize {
        self.rows.len() / self.dim
    }

    /// The number of the row of an id.
    #[inline(always)]
    pub(super) fn find(&self, id: TokenId) -> Option<u32> {
        self.index[id as usize].checked_sub(1)
    }

    #[inline(always)]
    pub(super) fn row(&self, row: u32) -> &[f32] {
        &self.rows[row as usize * self.dim..][..self.dim]
    }
}
