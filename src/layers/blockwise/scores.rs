//! Scores of queries with the rows of all groups.

use std::ops::Range;

use ndarray::{ArrayView2, ArrayViewMut2};

use super::BlockwiseEmbedding;
use crate::{
    Embedding, TokenId,
    kernel::{self, TableRows},
    layers::{
        norms::{inverse_norms, known_or_computed},
        rank_space::coordinates,
        search::ScoreRows,
        vectors::Vectors,
    },
};

/// Queries have a part for each block, in its rank space. The ids of a range are consecutive rows in every block.
impl ScoreRows for BlockwiseEmbedding {
    fn prepare(&self, queries: ArrayView2<'_, f32>, prepared: &mut Vectors) {
        prepared.reset(queries.nrows(), self.blocks().map(|(_, factors, _)| factors.rank()).sum());
        let mut start = 0;
        for (_, factors, _) in self.blocks() {
            coordinates(self.isa, factors, queries, &mut prepared.part_mut(start, factors.rank()));
            start += factors.rank();
        }
        if self.blocks().any(|(_, factors, _)| factors.bias().is_some()) {
            prepared.set_constants(self.blocks().flat_map(|(_, factors, _)| {
                queries.rows().into_iter().map(|query| factors.bias().map_or(0.0, |bias| query.dot(&bias)))
            }));
        }
    }

    fn score(&self, queries: &Vectors, range: Range<usize>, out: &mut ArrayViewMut2<'_, f32>) {
        let rows_of = |ids: &[TokenId]| {
            let row = |id: usize| ids.partition_point(|&other| (other as usize) < id);
            row(range.start)..row(range.end)
        };
        let (mut part, mut start) = (0, 0);
        for group in 0..self.factors.num_groups() {
            let ids = self.places.ids_of(group);
            let rows = rows_of(ids);
            let ids = &ids[rows.clone()];
            let Some((factors, _)) = self.block(group) else {
                ids.iter().for_each(|&id| out.column_mut(id as usize - range.start).fill(0.0));
                continue;
            };
            let (vectors, constants) = (queries.part(start, factors.rank()), queries.part_constants(part));
            let rows =
                TableRows { rows: factors.stored_u(), width: factors.rank(), first: rows.start, len: rows.len() };
            kernel::scatter_scores(self.isa, vectors, constants, rows, (ids, range.start), out);
            (part, start) = (part + 1, start + factors.rank());
        }
    }

    fn inverse_norms(&self) -> &[f32] {
        known_or_computed(&self.inverse_norms, || {
            inverse_norms(self.vocab_size(), self.dim(), |ids, out| self.make_rows(ids, out))
        })
    }
}
