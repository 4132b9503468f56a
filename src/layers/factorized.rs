//! The layer that the crate is about.

use std::{fmt, ops::Range, sync::OnceLock};

use ndarray::{Array2, ArrayView1, ArrayView2, ArrayViewMut2, s};
use rand::Rng;

use super::{
    DenseEmbedding, PaddingNote, mask_padding,
    norms::{inverse_norms, known_or_computed},
    rank_space::coordinates,
    search::{self, ScoreRows},
    unpadded_ranges,
    vectors::Vectors,
};
use crate::{
    Bags, Embedding, Factors, Isa, Pooling, RepeatedIds, Result, Shape, TokenId, TopK,
    embedding::check,
    kernel::{self, GatheredRows, HotRows, PackedProjection, PooledRows, TableRows},
    rows::Numbers,
};

/// A table kept as its [`Factors`] E = U · diag(D) · V + 1·bᵀ, and never made whole.
///
/// A lookup gathers rows of U and multiplies them by diag(D) · V, which is kept packed for the kernel: rank · dim numbers
/// beside the factors that [`size_in_bytes`](Embedding::size_in_bytes) does not count. Bags are pooled in rank space and
/// projected once; logits bring the hidden states into rank space first.
///
/// # Examples
///
/// ```
/// use factorized_embedding::{Embedding, FactorizedEmbedding, Shape};
///
/// # fn main() -> factorized_embedding::Result<()> {
/// # use rand::RngExt;
/// # let mut rng = rand::rng();
/// # let shape = Shape { vocab_size: 10_000, rank: 64, dim: 512 };
/// let embedding = FactorizedEmbedding::random(Shape { vocab_size: 10_000, rank: 64, dim: 512 }, 0.02, &mut rng)?;
/// let ids: Vec<u32> = (0..64).map(|_| rng.random_range(0..10_000)).collect();
/// let vectors = embedding.lookup(&ids)?; // [64, 512]
/// # assert_eq!((vectors.shape(), embedding.factors().shape()), (&[64, 512][..], shape));
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct FactorizedEmbedding {
    pub(super) factors: Factors,
    /// What stored rows of U are multiplied with: diag(D) · V, and the scales of U if it has them.
    pub(super) projection: PackedProjection,
    pub(super) isa: Isa,
    pub(super) repeated_ids: RepeatedIds,
    pub(super) padding_id: Option<TokenId>,
    pub(super) hot_rows: Option<HotRows>,
    pub(super) inverse_norms: OnceLock<Vec<f32>>,
    /// diag(D) · V for rows of U proper, where U is stored with scales.
    pub(super) unscaled_projection: OnceLock<PackedProjection>,
    /// (diag(D) · V)ᵀ for vectors to be brought into rank space, once a gradient has needed it.
    pub(super) transposed_projection: OnceLock<PackedProjection>,
}

impl FactorizedEmbedding {
    /// A layer over factors that exist already: decomposed, trained or loaded.
    #[must_use]
    pub fn new(factors: Factors) -> Self {
        let projection = PackedProjection::new(factors.scaled_projection().view(), factors.bias());
        Self {
            factors,
            projection,
            isa: Isa::best(),
            repeated_ids: RepeatedIds::default(),
            padding_id: None,
            hot_rows: None,
            inverse_norms: OnceLock::new(),
            unscaled_projection: OnceLock::new(),
            transposed_projection: OnceLock::new(),
        }
    }

    /// Random factors whose product has mean 0 and the given standard deviation: see [`Factors::random`].
    ///
    /// # Errors
    /// [`Empty`](crate::Error::Empty), [`VocabularyTooLarge`](crate::Error::VocabularyTooLarge),
    /// [`RankOutOfRange`](crate::Error::RankOutOfRange), [`InvalidSetting`](crate::Error::InvalidSetting).
    pub fn random<R: Rng + ?Sized>(shape: Shape, std: f32, rng: &mut R) -> Result<Self> {
        Ok(Self::new(Factors::random(shape, std, rng)?))
    }

    /// The factors that the layer reads.
    #[must_use]
    pub fn factors(&self) -> &Factors {
        &self.factors
    }

    /// The factors themselves, to store them or take them [apart](Factors::into_parts).
    #[must_use]
    pub fn into_factors(self) -> Factors {
        self.factors
    }

    /// The number of columns of U.
    #[must_use]
    pub fn rank(&self) -> usize {
        self.factors.rank()
    }

    /// The whole table as a dense layer with the same padding id. Its rows are those that lookups give, to the bit.
    ///
    /// # Errors
    /// [`NonFinite`](crate::Error::NonFinite) when a product of the factors overflows.
    pub fn to_dense(&self) -> Result<DenseEmbedding<'static>> {
        let mut table = Array2::zeros((self.vocab_size(), self.dim()));
        kernel::project(self.isa, self.factors.stored_u(), None, &self.projection, &mut table.view_mut());
        let dense = DenseEmbedding::new(table)?.with_isa(self.isa);
        match self.padding_id {
            Some(id) => dense.with_padding_id(id),
            None => Ok(dense),
        }
    }

    /// Folds a linear layer that follows into the factors: see [`Factors::then_linear`]. The padding id stays, and its row
    /// stays zero, without the linear layer's bias.
    ///
    /// # Shapes
    /// `weight` \[dim, out\], `bias` \[out\]
    ///
    /// # Errors
    /// [`ShapeMismatch`](crate::Error::ShapeMismatch), [`Empty`](crate::Error::Empty),
    /// [`NonFinite`](crate::Error::NonFinite).
    ///
    /// # Examples
    ///
    /// ```
    /// use factorized_embedding::{Embedding, FactorizedEmbedding, Factors};
    /// use ndarray::array;
    ///
    /// # fn main() -> factorized_embedding::Result<()> {
    /// let embedding = FactorizedEmbedding::new(Factors::new(array![[1.0], [2.0]], array![[3.0, 4.0]])?);
    /// let weight = array![[1.0, 0.0], [1.0, 2.0]];
    /// let folded = embedding.then_linear(weight.view(), None)?;
    /// assert_eq!(folded.lookup(&[1])?, embedding.lookup(&[1])?.dot(&weight));
    /// # Ok(())
    /// # }
    /// ```
    pub fn then_linear(&self, weight: ArrayView2<'_, f32>, bias: Option<ArrayView1<'_, f32>>) -> Result<Self> {
        Ok(Self::new(self.factors.then_linear(weight, bias)?).with_settings_of(self))
    }

    /// The instruction set that the layer computes with.
    pub(crate) fn isa(&self) -> Isa {
        self.isa
    }

    pub(super) fn make_rows(&self, ids: &[TokenId], out: &mut ArrayViewMut2<'_, f32>) {
        let rows = GatheredRows {
            rows: self.factors.stored_u().into(),
            ids,
            positions: None,
            repeated_ids: self.repeated_ids,
            hot_rows: self.hot_rows.as_ref(),
        };
        kernel::project_rows(self.isa, rows, &self.projection, out);
    }

    fn stored_rows(&self, range: Range<usize>) -> TableRows<'_> {
        TableRows { rows: self.factors.stored_u(), width: self.rank(), first: range.start, len: range.len() }
    }
}

impl Embedding for FactorizedEmbedding {
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
            let pooled = PooledRows { rows: self.factors.stored_u().into(), bags, padding_id: self.padding_id };
            kernel::pool_and_project(self.isa, pooled, &self.projection, &mut out);
        }
        Ok(())
    }

    fn soft_lookup_into(&self, weights: ArrayView2<'_, f32>, mut out: ArrayViewMut2<'_, f32>) -> Result<()> {
        check::columns("weights [n, vocab_size]", weights, self.vocab_size())?;
        check::shape("out [n, dim]", &out, (weights.nrows(), self.dim()))?;
        let weights = weights.as_standard_layout();
        let ranges = || unpadded_ranges(self.vocab_size(), self.padding_id, self.vocab_size());
        Vectors::with_kept(|pooled| {
            pooled.reset(weights.nrows(), self.rank());
            for range in ranges() {
                let rows = self.stored_rows(range.clone());
                kernel::add_weighted_rows(self.isa, weights.view(), range.start, rows, &mut pooled.vectors_mut());
            }
            if self.factors.bias().is_some() {
                let sum = |row: ArrayView1<'_, f32>| ranges().map(|range| row.slice(s![range]).sum()).sum();
                pooled.set_constants(weights.rows().into_iter().map(sum));
            }
            let rows = Numbers::F32(pooled.numbers());
            kernel::project(self.isa, rows, pooled.constants(), &self.projection, &mut out);
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

impl ScoreRows for FactorizedEmbedding {
    /// Vectors in rank space, and hidden · b.
    fn prepare(&self, queries: ArrayView2<'_, f32>, prepared: &mut Vectors) {
        prepared.reset(queries.nrows(), self.rank());
        coordinates(self.isa, &self.factors, queries, &mut prepared.vectors_mut());
        if let Some(bias) = self.factors.bias() {
            prepared.set_constants(queries.rows().into_iter().map(|query| query.dot(&bias)));
        }
    }

    fn score(&self, queries: &Vectors, rows: Range<usize>, out: &mut ArrayViewMut2<'_, f32>) {
        kernel::scores(self.isa, queries.vectors(), queries.constants(), self.stored_rows(rows), out);
    }

    fn inverse_norms(&self) -> &[f32] {
        known_or_computed(&self.inverse_norms, || {
            inverse_norms(self.vocab_size(), self.dim(), |ids, out| self.make_rows(ids, out))
        })
    }
}

impl fmt::Debug for FactorizedEmbedding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let padding = PaddingNote(self.padding_id);
        write!(f, "FactorizedEmbedding({:?}{padding})", self.factors)
    }
}
