//! The layer that the crate is about.

use std::{borrow::Cow, fmt, ops::Range, sync::OnceLock};

use ndarray::{Array1, Array2, ArrayView1, ArrayView2, ArrayViewMut2, Axis, s};
use rand::Rng;

use super::{
    DenseEmbedding, mask_padding,
    norms::inverse_norms,
    pooling::{pool_slices, pool_tiles},
    search::{self, ScoreRows, all_scores, best_scores},
    unpadded_ranges,
};
use crate::{
    Bags, Embedding, Factors, Isa, Pooling, RepeatedIds, Result, Shape, TokenId, TopK,
    embedding::check,
    kernel::{self, PackedProjection},
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
    projection: PackedProjection,
    isa: Isa,
    repeated_ids: RepeatedIds,
    padding_id: Option<TokenId>,
    pub(super) inverse_norms: OnceLock<Vec<f32>>,
}

impl FactorizedEmbedding {
    /// A layer over factors that exist already: decomposed, trained or loaded.
    #[must_use]
    pub fn new(factors: Factors) -> Self {
        let projection = PackedProjection::new(factors.projection().view(), factors.bias());
        Self {
            factors,
            projection,
            isa: Isa::best(),
            repeated_ids: RepeatedIds::default(),
            padding_id: None,
            inverse_norms: OnceLock::new(),
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

    /// Decides what lookups do with ids that occur more than once, instead of leaving it to the layer.
    #[must_use]
    pub fn with_repeated_ids(self, repeated_ids: RepeatedIds) -> Self {
        Self { repeated_ids, ..self }
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

    /// The whole table as a dense layer with the same padding id.
    ///
    /// # Errors
    /// [`NonFinite`](crate::Error::NonFinite) when a product of the factors overflows.
    pub fn to_dense(&self) -> Result<DenseEmbedding<'static>> {
        let dense = DenseEmbedding::new(self.factors.to_dense())?;
        match self.padding_id {
            Some(id) => dense.with_padding_id(id),
            None => Ok(dense),
        }
    }

    /// The rows of U of each id, neither scaled by D nor projected: the first half of a lookup.
    ///
    /// ALBERT puts position embeddings and a normalisation between the halves. A padding id gives a zero row of U, which the
    /// second half, knowing nothing of ids, turns into the bias if there is one.
    ///
    /// # Shapes
    /// `ids` \[n\] → \[n, rank\]
    ///
    /// # Errors
    /// [`IdOutOfRange`](crate::Error::IdOutOfRange).
    ///
    /// # Examples
    ///
    /// ```
    /// use factorized_embedding::{Embedding, FactorizedEmbedding, Factors};
    /// use ndarray::array;
    ///
    /// # fn main() -> factorized_embedding::Result<()> {
    /// let factors = Factors::new(array![[1.0], [2.0]], array![[3.0, 4.0]])?.with_bias(array![0.5, 0.0])?;
    /// let embedding = FactorizedEmbedding::new(factors);
    /// let rank_rows = embedding.lookup_rank(&[1, 0])?;
    /// assert_eq!(embedding.project(rank_rows.view())?, embedding.lookup(&[1, 0])?);
    /// # Ok(())
    /// # }
    /// ```
    pub fn lookup_rank(&self, ids: &[TokenId]) -> Result<Array2<f32>> {
        check::ids(ids, self.vocab_size())?;
        let mut out = Array2::zeros((ids.len(), self.rank()));
        self.lookup_rank_into(ids, out.view_mut())?;
        Ok(out)
    }

    /// [`lookup_rank`](Self::lookup_rank) into an array of the caller's.
    ///
    /// # Shapes
    /// `ids` \[n\], `out` \[n, rank\]
    ///
    /// # Errors
    /// [`IdOutOfRange`](crate::Error::IdOutOfRange), [`ShapeMismatch`](crate::Error::ShapeMismatch).
    pub fn lookup_rank_into(&self, ids: &[TokenId], mut out: ArrayViewMut2<'_, f32>) -> Result<()> {
        check::shape("out [n, rank]", &out, (ids.len(), self.rank()))?;
        check::ids(ids, self.vocab_size())?;
        for (&id, mut out) in ids.iter().zip(out.rows_mut()) {
            out.assign(&self.factors.u().row(id as usize));
        }
        mask_padding(ids, self.padding_id, &mut out);
        Ok(())
    }

    /// Rows · diag(D) · V + b: the second half of a lookup.
    ///
    /// # Shapes
    /// `rank_rows` \[n, rank\] → \[n, dim\]
    ///
    /// # Errors
    /// [`ShapeMismatch`](crate::Error::ShapeMismatch).
    pub fn project(&self, rank_rows: ArrayView2<'_, f32>) -> Result<Array2<f32>> {
        check::columns("rank_rows [n, rank]", rank_rows, self.rank())?;
        let mut out = Array2::zeros((rank_rows.nrows(), self.dim()));
        self.project_into(rank_rows, out.view_mut())?;
        Ok(out)
    }

    /// [`project`](Self::project) into an array of the caller's.
    ///
    /// # Shapes
    /// `rank_rows` \[n, rank\], `out` \[n, dim\]
    ///
    /// # Errors
    /// [`ShapeMismatch`](crate::Error::ShapeMismatch).
    pub fn project_into(&self, rank_rows: ArrayView2<'_, f32>, mut out: ArrayViewMut2<'_, f32>) -> Result<()> {
        check::columns("rank_rows [n, rank]", rank_rows, self.rank())?;
        check::shape("out [n, dim]", &out, (rank_rows.nrows(), self.dim()))?;
        let rank_rows = rank_rows.as_standard_layout();
        kernel::project(self.isa, rank_rows.as_slice().unwrap_or_default(), None, &self.projection, &mut out);
        Ok(())
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
        Ok(Self {
            padding_id: self.padding_id,
            isa: self.isa,
            repeated_ids: self.repeated_ids,
            ..Self::new(self.factors.then_linear(weight, bias)?)
        })
    }

    fn u(&self) -> &[f32] {
        // `Factors` keeps U row-major.
        self.factors.u().to_slice().unwrap_or_default()
    }

    fn make_rows(&self, ids: &[TokenId], out: &mut ArrayViewMut2<'_, f32>) {
        kernel::project_rows(self.isa, self.u(), ids, self.repeated_ids, &self.projection, out);
    }

    fn inverse_norms(&self) -> &[f32] {
        self.inverse_norms
            .get_or_init(|| inverse_norms(self.vocab_size(), self.dim(), |ids, out| self.make_rows(ids, out)))
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
            pool_tiles(bags, self.padding_id, |ids, tile| self.make_rows(ids, tile), &mut out);
        } else {
            let mut pooled = vec![0.0; bags.len() * self.rank()];
            let bias_weights = pool_slices(self.u(), self.rank(), bags, self.padding_id, &mut pooled);
            kernel::project(self.isa, &pooled, Some(&bias_weights), &self.projection, &mut out);
        }
        Ok(())
    }

    fn soft_lookup_into(&self, weights: ArrayView2<'_, f32>, mut out: ArrayViewMut2<'_, f32>) -> Result<()> {
        check::columns("weights [n, vocab_size]", weights, self.vocab_size())?;
        check::shape("out [n, dim]", &out, (weights.nrows(), self.dim()))?;
        let mut pooled = Array2::zeros((weights.nrows(), self.rank()));
        let mut bias_weights = Array1::zeros(weights.nrows());
        for rows in unpadded_ranges(self.vocab_size(), self.padding_id, search::BLOCK_ROWS) {
            let weights = weights.slice_move(s![.., rows.clone()]);
            kernel::add_product(weights, self.factors.u().slice_move(s![rows, ..]), &mut pooled.view_mut());
            bias_weights += &weights.sum_axis(Axis(1));
        }
        let pooled = pooled.as_slice().unwrap_or_default();
        kernel::project(self.isa, pooled, bias_weights.as_slice(), &self.projection, &mut out);
        Ok(())
    }

    fn logits_into(&self, hidden: ArrayView2<'_, f32>, out: ArrayViewMut2<'_, f32>) -> Result<()> {
        check::columns("hidden [n, dim]", hidden, self.dim())?;
        check::shape("out [n, vocab_size]", &out, (hidden.nrows(), self.vocab_size()))?;
        all_scores(self, hidden, self.padding_id, out);
        Ok(())
    }

    fn top_k(&self, hidden: ArrayView2<'_, f32>, k: usize) -> Result<TopK> {
        check::columns("hidden [n, dim]", hidden, self.dim())?;
        Ok(best_scores(self, hidden, k, self.vocab_size(), self.padding_id, None))
    }

    fn nearest(&self, queries: ArrayView2<'_, f32>, k: usize) -> Result<TopK> {
        check::columns("queries [n, dim]", queries, self.dim())?;
        search::nearest(self, queries, k, self.inverse_norms())
    }
}

/// Queries in rank space.
pub(super) struct RankQueries {
    /// hidden · Vᵀ · diag(D) \[n, rank\]
    coordinates: Array2<f32>,
    /// hidden · b \[n\]
    bias: Option<Array1<f32>>,
}

impl ScoreRows for FactorizedEmbedding {
    type Queries = RankQueries;

    fn prepare(&self, queries: ArrayView2<'_, f32>) -> RankQueries {
        let mut coordinates = Array2::zeros((queries.nrows(), self.rank()));
        kernel::scores(queries, self.factors.v(), &mut coordinates.view_mut());
        if let Some(diagonal) = self.factors.diagonal() {
            coordinates *= &diagonal;
        }
        RankQueries { coordinates, bias: self.factors.bias().map(|bias| queries.dot(&bias)) }
    }

    fn score(&self, queries: &RankQueries, rows: Range<usize>, out: &mut ArrayViewMut2<'_, f32>) {
        kernel::scores(queries.coordinates.view(), self.factors.u().slice_move(s![rows, ..]), out);
        if let Some(bias) = &queries.bias {
            *out += &bias.view().insert_axis(Axis(1));
        }
    }
}

impl fmt::Debug for FactorizedEmbedding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let padding = self.padding_id.map_or(Cow::Borrowed(""), |id| format!(", padding id {id}").into());
        write!(f, "FactorizedEmbedding({:?}{padding})", self.factors)
    }
}
