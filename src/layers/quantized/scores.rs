//! Scores of queries with coded rows.

use std::ops::Range;

use ndarray::{ArrayView2, ArrayViewMut2};

use super::QuantizedEmbedding;
use crate::{
    Embedding,
    kernel::{self, Queries, TableRows},
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
        let rank = self.layout.rank();
        prepared.reset(queries.nrows(), rank);
        let directions = self.directions.get_or_init(|| self.layout.select(&self.factors.directions()));
        let rows = Numbers::F32(directions.as_slice().unwrap_or_default());
        let directions = TableRows { rows, width: self.dim(), first: 0, len: rank };
        kernel::scores(self.isa, queries, None, directions, &mut prepared.vectors_mut());
        prepared.code_queries(self.coded_rows());
        if let Some(bias) = &self.bias {
            prepared.set_constants(queries.rows().into_iter().map(|query| query.dot(bias)));
        }
    }

    fn score(&self, queries: &Vectors, rows: Range<usize>, out: &mut ArrayViewMut2<'_, f32>) {
        let (vectors, constants) = (queries.vectors(), queries.constants());
        let queries = Queries { vectors, coded: queries.coded(), constants };
        kernel::score_codes(self.isa, self.coded_rows(), queries, rows, out);
    }

    fn inverse_norms(&self) -> &[f32] {
        known_or_computed(&self.inverse_norms, || {
            inverse_norms(self.vocab_size(), self.dim(), |ids, out| self.make_rows(ids, out))
        })
    }
}
