//! Scores of queries with coded rows.

use std::ops::Range;

use ndarray::{Array2, ArrayView2, ArrayViewMut2, s};

use super::{BLOCK_ROWS, QuantizedEmbedding};
use crate::{
    Embedding,
    kernel::{self, TableRows},
    layers::{
        norms::{inverse_norms, known_or_computed},
        search::ScoreRows,
        vectors::Vectors,
    },
    rows::Numbers,
};

impl ScoreRows for QuantizedEmbedding {
    /// Vectors in rank space, and hidden · μ.
    fn prepare(&self, queries: ArrayView2<'_, f32>, prepared: &mut Vectors) {
        let directions = self.factors.directions();
        prepared.reset(queries.nrows(), self.rank());
        let rows = Numbers::F32(directions.as_slice().unwrap_or_default());
        let directions = TableRows { rows, width: self.dim(), first: 0, len: self.rank() };
        kernel::scores(self.isa, queries, None, directions, &mut prepared.vectors_mut());
        if let Some(bias) = self.factors.bias() {
            prepared.set_constants(queries.rows().into_iter().map(|query| query.dot(&bias)));
        }
    }

    fn score(&self, queries: &Vectors, rows: Range<usize>, out: &mut ArrayViewMut2<'_, f32>) {
        let mut decoded = Array2::zeros((BLOCK_ROWS, self.rank()));
        for first in rows.clone().step_by(BLOCK_ROWS) {
            let block = first..rows.end.min(first + BLOCK_ROWS);
            for (id, row) in block.clone().zip(decoded.rows_mut()) {
                self.factors.decode(id, row);
            }
            let numbers = Numbers::F32(decoded.as_slice().unwrap_or_default());
            let table = TableRows { rows: numbers, width: self.rank(), first: 0, len: block.len() };
            let mut out = out.slice_mut(s![.., first - rows.start..block.end - rows.start]);
            kernel::scores(self.isa, queries.vectors(), queries.constants(), table, &mut out);
        }
    }

    fn inverse_norms(&self) -> &[f32] {
        known_or_computed(&self.inverse_norms, || {
            inverse_norms(self.vocab_size(), self.dim(), |ids, out| self.make_rows(ids, out))
        })
    }
}
