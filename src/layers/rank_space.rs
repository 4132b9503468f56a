//! Rank space, where rows of U live: the two halves of a lookup, each by itself, and the way back.

use ndarray::{Array2, ArrayView2, ArrayViewMut2};

use super::{FactorizedEmbedding, mask_padding};
use crate::{
    Embedding, Factors, Isa, Result, TokenId,
    embedding::check,
    kernel::{self, PackedProjection, TableRows},
    rows::Numbers,
};

impl FactorizedEmbedding {
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
        kernel::copy_stored_rows(self.isa, self.factors.stored_u(), ids, &mut out);
        if let Some(scales) = self.factors.u_scales() {
            out *= &scales;
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
        let projection = match self.factors.u_scales() {
            None => &self.projection,
            Some(_) => self
                .unscaled_projection
                .get_or_init(|| PackedProjection::new(self.factors.projection().view(), self.factors.bias())),
        };
        let rank_rows = rank_rows.as_standard_layout();
        let rows = Numbers::F32(rank_rows.as_slice().unwrap_or_default());
        kernel::project(self.isa, rows, None, projection, &mut out);
        Ok(())
    }
}

impl FactorizedEmbedding {
    /// `vectors` \[n, dim\] · (diag(D) · V)ᵀ into `out` \[n, rank\]: what the gradients of rows of U are. The transpose is packed
    /// once, until the factors change.
    pub(crate) fn to_rank_space_into(&self, vectors: ArrayView2<'_, f32>, out: &mut ArrayViewMut2<'_, f32>) {
        let pack = || PackedProjection::new(self.factors.projection().t(), None);
        let transposed = self.transposed_projection.get_or_init(pack);
        let vectors = vectors.as_standard_layout();
        let numbers = Numbers::F32(vectors.as_slice().unwrap_or_default());
        kernel::project(self.isa, numbers, None, transposed, out);
    }
}

/// Vectors as the stored rows of U see them: vectors · Vᵀ · diag(D), times the scales of U if it has them, into `out`
/// \[n, rank\].
pub(super) fn coordinates(isa: Isa, factors: &Factors, vectors: ArrayView2<'_, f32>, out: &mut ArrayViewMut2<'_, f32>) {
    let v = factors.v();
    let rows = Numbers::F32(v.as_slice().unwrap_or_default());
    let v = TableRows { rows, width: factors.dim(), first: 0, len: factors.rank() };
    kernel::scores(isa, vectors, None, v, out);
    for scales in [factors.diagonal(), factors.u_scales()].into_iter().flatten() {
        *out *= &scales;
    }
}
