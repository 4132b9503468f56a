//! Rows in groups, each with a rank of its own.

mod places;
mod scores;
mod sums;

use std::{fmt, sync::OnceLock};

use ndarray::{ArrayView2, ArrayViewMut2, Axis};

use self::places::{CHUNK, Grouped, Places};
use super::{PaddingNote, mask_padding, search};
use crate::{
    Bags, BlockFactors, Dtype, Embedding, Factors, Isa, Pooling, RepeatedIds, Result, TokenId, TopK,
    embedding::check,
    kernel::{self, GatheredRows, PackedProjection},
};

/// A table kept as its [`BlockFactors`]: rows in groups, each with factors and a rank of its own (`GroupReduce`: Chen, Si, Li,
/// Chelba, Hsieh 2018).
///
/// A lookup sorts the ids by group, and projects each group from its own rank space, straight to where the rows belong. A bag
/// is pooled in the rank space of each group that it has ids of; logits bring the hidden states into all of them. Beside the
/// factors, the layer keeps diag(D) · V of each group packed, and two ids for each row, to find it in its group and to find it
/// again: [`size_in_bytes`](Embedding::size_in_bytes) counts neither.
///
/// # Examples
///
/// ```
/// use factorized_embedding::{BlockFactors, BlockwiseEmbedding, Embedding, Factors};
/// use ndarray::array;
///
/// # fn main() -> factorized_embedding::Result<()> {
/// let used_often = Factors::new(array![[1.0, 0.0], [0.0, 1.0]], array![[3.0, 4.0], [5.0, 6.0]])?;
/// let used_seldom = Factors::new(array![[2.0]], array![[1.0, 1.0]])?;
/// let factors = BlockFactors::new(vec![0, 1, 0], vec![Some(used_often), Some(used_seldom)], 2)?;
/// let embedding = BlockwiseEmbedding::new(factors);
/// assert_eq!(embedding.lookup(&[2, 1, 0])?, array![[5.0, 6.0], [2.0, 2.0], [3.0, 4.0]]);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct BlockwiseEmbedding {
    factors: BlockFactors,
    /// What the stored rows of U of each group are multiplied with, for groups that have factors.
    projections: Vec<Option<PackedProjection>>,
    places: Places,
    isa: Isa,
    repeated_ids: RepeatedIds,
    padding_id: Option<TokenId>,
    inverse_norms: OnceLock<Vec<f32>>,
}

impl BlockwiseEmbedding {
    /// A layer over factors that exist already: decomposed or loaded.
    #[must_use]
    pub fn new(factors: BlockFactors) -> Self {
        let pack = |factors: &Factors| PackedProjection::new(factors.scaled_projection().view(), factors.bias());
        Self {
            projections: factors.blocks().iter().map(|block| block.as_ref().map(pack)).collect(),
            places: Places::new(factors.group_of(), factors.num_groups()),
            factors,
            isa: Isa::best(),
            repeated_ids: RepeatedIds::default(),
            padding_id: None,
            inverse_norms: OnceLock::new(),
        }
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
        Self { isa, inverse_norms: OnceLock::new(), ..self }
    }

    /// Decides what lookups do with ids that occur more than once, instead of leaving it to the layer.
    #[must_use]
    pub fn with_repeated_ids(self, repeated_ids: RepeatedIds) -> Self {
        Self { repeated_ids, ..self }
    }

    /// The same layer with the U of every group stored as `f16`: see [`Factors::to_dtype`].
    ///
    /// # Errors
    /// [`NonFinite`](crate::Error::NonFinite) when a number is too large for `f16`.
    pub fn to_f16(&self) -> Result<Self> {
        self.to_dtype(Dtype::F16)
    }

    /// The same layer with the U of every group stored as `bf16`: see [`Factors::to_dtype`].
    ///
    /// # Errors
    /// [`NonFinite`](crate::Error::NonFinite) when a number is too large for `bf16`.
    pub fn to_bf16(&self) -> Result<Self> {
        self.to_dtype(Dtype::Bf16)
    }

    /// The same layer with the U of every group stored as integers of 8 bits, with a scale for each column of a group: see
    /// [`Factors::to_dtype`].
    ///
    /// # Errors
    /// [`NonFinite`](crate::Error::NonFinite) when 127 steps of a column are no `f32`: next to the largest number that there
    /// is.
    pub fn to_int8(&self) -> Result<Self> {
        self.to_dtype(Dtype::Int8)
    }

    fn to_dtype(&self, dtype: Dtype) -> Result<Self> {
        let Self { padding_id, isa, repeated_ids, .. } = *self;
        Ok(Self { padding_id, isa, repeated_ids, ..Self::new(self.factors.to_dtype(dtype)?) })
    }

    /// The factors that the layer reads.
    #[must_use]
    pub fn factors(&self) -> &BlockFactors {
        &self.factors
    }

    /// The factors themselves, to store them or take them [apart](BlockFactors::into_parts).
    #[must_use]
    pub fn into_factors(self) -> BlockFactors {
        self.factors
    }

    /// The factors of a group, and what its stored rows are multiplied with; nothing for rank 0.
    fn block(&self, group: usize) -> Option<(&Factors, &PackedProjection)> {
        self.factors.blocks()[group].as_ref().zip(self.projections[group].as_ref())
    }

    /// All blocks that there are, each with the ids of its rows.
    fn blocks(&self) -> impl Iterator<Item = (&[TokenId], &Factors, &PackedProjection)> {
        (0..self.factors.num_groups()).filter_map(|group| {
            self.block(group).map(|(factors, projection)| (self.places.ids_of(group), factors, projection))
        })
    }

    fn make_rows(&self, ids: &[TokenId], out: &mut ArrayViewMut2<'_, f32>) {
        for (ids, mut out) in ids.chunks(CHUNK).zip(out.axis_chunks_iter_mut(Axis(0), CHUNK)) {
            Grouped::with_kept(|grouped| {
                grouped.sort(ids, self.factors.group_of(), &self.places, None);
                for (group, rows, positions) in grouped.groups() {
                    let Some((factors, projection)) = self.block(group) else {
                        positions.iter().for_each(|&position| out.row_mut(position as usize).fill(0.0));
                        continue;
                    };
                    let gathered = GatheredRows {
                        rows: factors.stored_u().into(),
                        ids: rows,
                        positions: Some(positions),
                        repeated_ids: self.repeated_ids,
                        hot_rows: None,
                    };
                    kernel::project_rows(self.isa, gathered, projection, &mut out);
                }
            });
        }
    }
}

impl Embedding for BlockwiseEmbedding {
    fn vocab_size(&self) -> usize {
        self.factors.vocab_size()
    }

    fn dim(&self) -> usize {
        self.factors.dim()
    }

    fn num_parameters(&self) -> usize {
        self.factors.num_parameters()
    }

    fn size_in_bytes(&self) -> usize {
        self.factors.size_in_bytes()
    }

    fn padding_id(&self) -> Option<TokenId> {
        self.padding_id
    }

    fn lookup_into(&self, ids: &[TokenId], mut out: ArrayViewMut2<'_, f32>) -> Result<()> {
        check::shape("out [n, dim]", &out, (ids.len(), self.dim()))?;
        check::ids(ids, self.vocab_size())?;
        self.make_rows(ids, &mut out);
        mask_padding(ids, self.padding_id, &mut out);
        Ok(())
    }

    fn bag_into(&self, bags: &Bags<'_>, mut out: ArrayViewMut2<'_, f32>) -> Result<()> {
        check::shape("out [b, dim]", &out, (bags.len(), self.dim()))?;
        check::ids(bags.ids(), self.vocab_size())?;
        if bags.pooling() == Pooling::Max {
            kernel::pool_tiles(bags, self.padding_id, |ids, tile| self.make_rows(ids, tile), &mut out);
        } else {
            self.pool(bags, &mut out);
        }
        Ok(())
    }

    fn soft_lookup_into(&self, weights: ArrayView2<'_, f32>, mut out: ArrayViewMut2<'_, f32>) -> Result<()> {
        check::columns("weights [n, vocab_size]", weights, self.vocab_size())?;
        check::shape("out [n, dim]", &out, (weights.nrows(), self.dim()))?;
        self.add_up(weights, &mut out);
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

impl fmt::Debug for BlockwiseEmbedding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let padding = PaddingNote(self.padding_id);
        write!(f, "BlockwiseEmbedding({:?}{padding})", self.factors)
    }
}
