//! What every embedding layer can do.

mod analogy;
mod bags;
pub(crate) mod check;
mod ids;
mod top_k;

use std::fmt;

use ndarray::{Array, Array2, ArrayRef, ArrayView2, ArrayViewMut2, Dimension};

pub use bags::{Bags, Pooling};
pub use ids::{TokenId, token_ids};
pub use top_k::TopK;

use crate::Result;

/// A table E \[`vocab_size` × `dim`\] of one vector per token, however it is stored.
///
/// The trait is dyn-safe: a model can hold a `Box<dyn Embedding>` and not care whether the table is dense or factorized.
/// Lookups, bags, soft lookups and logits have an `_into` twin each that writes into an array of the caller's.
/// A call that fails has written nothing. Without an array of the caller's they fail with
/// [`TableTooLarge`](crate::Error::TableTooLarge) where no array can have so many numbers. Numbers that are given (hidden states, queries, weights) are not looked at: what is
/// computed with NaN or infinite ones is not specified.
///
/// # Padding
///
/// A layer may have a [`padding_id`](Embedding::padding_id). The stored row of that id stays as it is, but it is masked
/// wherever the table is read: a lookup gives a zero row, bags leave the id out (it does not count in a mean), soft lookups
/// ignore its weight, its logit is 0, and it never appears in a [`TopK`].
///
/// # Examples
///
/// ```
/// use factorized_embedding::{DenseEmbedding, Embedding};
/// use ndarray::array;
///
/// # fn main() -> factorized_embedding::Result<()> {
/// let embedding: Box<dyn Embedding> = Box::new(DenseEmbedding::new(array![[1.0, 2.0], [3.0, 4.0]])?);
/// assert_eq!(embedding.lookup(&[1, 0, 1])?, array![[3.0, 4.0], [1.0, 2.0], [3.0, 4.0]]);
/// # Ok(())
/// # }
/// ```
pub trait Embedding: fmt::Debug + Send + Sync {
    /// Rows of the table: how many ids there are.
    fn vocab_size(&self) -> usize;

    /// Columns of the table: the length of a looked-up vector.
    fn dim(&self) -> usize;

    /// How many numbers the layer is made of.
    fn num_parameters(&self) -> usize;

    /// Bytes of the parameters as they are stored. Copies that a layer derives from them to be fast (a packed projection,
    /// row norms) are not parameters and do not count.
    fn size_in_bytes(&self) -> usize;

    /// The id that stands for "no token", if the layer has one. See [Padding](Embedding#padding).
    fn padding_id(&self) -> Option<TokenId>;

    /// Writes the row of each id into the same row of `out`.
    ///
    /// # Shapes
    /// `ids` \[n\], `out` \[n, dim\]. Any strides; contiguous rows are fastest.
    ///
    /// # Errors
    /// [`IdOutOfRange`](crate::Error::IdOutOfRange), [`ShapeMismatch`](crate::Error::ShapeMismatch).
    fn lookup_into(&self, ids: &[TokenId], out: ArrayViewMut2<'_, f32>) -> Result<()>;

    /// The row of each id. No ids give an empty \[0, dim\] array.
    ///
    /// # Shapes
    /// `ids` \[n\] → \[n, dim\]
    ///
    /// # Errors
    /// [`IdOutOfRange`](crate::Error::IdOutOfRange).
    fn lookup(&self, ids: &[TokenId]) -> Result<Array2<f32>> {
        check::ids(ids, self.vocab_size())?;
        filled((ids.len(), self.dim()), |out| self.lookup_into(ids, out))
    }

    /// Writes the pooled rows of each bag into a row of `out`.
    ///
    /// # Shapes
    /// `bags` of b bags, `out` \[b, dim\].
    ///
    /// # Errors
    /// [`IdOutOfRange`](crate::Error::IdOutOfRange), [`ShapeMismatch`](crate::Error::ShapeMismatch).
    fn bag_into(&self, bags: &Bags<'_>, out: ArrayViewMut2<'_, f32>) -> Result<()>;

    /// The sum, mean or maximum of the rows of each bag of ids. An empty bag, and a bag of nothing but padding, is zero.
    ///
    /// # Shapes
    /// `bags` of b bags → \[b, dim\]
    ///
    /// # Errors
    /// [`IdOutOfRange`](crate::Error::IdOutOfRange).
    ///
    /// # Examples
    ///
    /// ```
    /// use factorized_embedding::{Bags, DenseEmbedding, Embedding, Pooling};
    /// use ndarray::array;
    ///
    /// # fn main() -> factorized_embedding::Result<()> {
    /// let embedding = DenseEmbedding::new(array![[1.0, 2.0], [3.0, 4.0], [5.0, 0.0]])?;
    /// let bags = Bags::new(&[0, 1, 2, 2], &[0, 3], Pooling::Mean)?; // {0, 1, 2} and {2}
    /// assert_eq!(embedding.bag(&bags)?, array![[3.0, 2.0], [5.0, 0.0]]);
    /// # Ok(())
    /// # }
    /// ```
    fn bag(&self, bags: &Bags<'_>) -> Result<Array2<f32>> {
        check::ids(bags.ids(), self.vocab_size())?;
        filled((bags.len(), self.dim()), |out| self.bag_into(bags, out))
    }

    /// Writes Σⱼ weights\[i, j\] · E\[j\] into row i of `out`: a lookup by distributions over the vocabulary instead of ids.
    ///
    /// # Shapes
    /// `weights` \[n, `vocab_size`\], `out` \[n, dim\].
    ///
    /// # Errors
    /// [`ShapeMismatch`](crate::Error::ShapeMismatch).
    fn soft_lookup_into(&self, weights: ArrayView2<'_, f32>, out: ArrayViewMut2<'_, f32>) -> Result<()>;

    /// `weights` · E: with one-hot rows the same as a lookup.
    ///
    /// # Shapes
    /// `weights` \[n, `vocab_size`\] → \[n, dim\]
    ///
    /// # Errors
    /// [`ShapeMismatch`](crate::Error::ShapeMismatch).
    fn soft_lookup(&self, weights: ArrayView2<'_, f32>) -> Result<Array2<f32>> {
        check::columns("weights [n, vocab_size]", weights, self.vocab_size())?;
        filled((weights.nrows(), self.dim()), |out| self.soft_lookup_into(weights, out))
    }

    /// Writes the logits of each hidden state into a row of `out`.
    ///
    /// # Shapes
    /// `hidden` \[n, dim\], `out` \[n, `vocab_size`\].
    ///
    /// # Errors
    /// [`ShapeMismatch`](crate::Error::ShapeMismatch).
    fn logits_into(&self, hidden: ArrayView2<'_, f32>, out: ArrayViewMut2<'_, f32>) -> Result<()>;

    /// `hidden` · Eᵀ, the output head that is tied to this table (Press & Wolf 2017).
    ///
    /// # Shapes
    /// `hidden` \[n, dim\] → \[n, `vocab_size`\]
    ///
    /// # Errors
    /// [`ShapeMismatch`](crate::Error::ShapeMismatch).
    fn logits(&self, hidden: ArrayView2<'_, f32>) -> Result<Array2<f32>> {
        check::columns("hidden [n, dim]", hidden, self.dim())?;
        filled((hidden.nrows(), self.vocab_size()), |out| self.logits_into(hidden, out))
    }

    /// The `k` ids with the largest logits for each hidden state, best first; equal logits: lower id first.
    ///
    /// Asking for more than there are gives all there are, padding left out. Never holds a \[n, `vocab_size`\] array.
    ///
    /// # Shapes
    /// `hidden` \[n, dim\] → ids and scores \[n, min(k, candidates)\]
    ///
    /// # Errors
    /// [`ShapeMismatch`](crate::Error::ShapeMismatch).
    fn top_k(&self, hidden: ArrayView2<'_, f32>, k: usize) -> Result<TopK>;

    /// The `k` ids whose rows have the largest cosine with each query, nearest first; equal cosines: lower id first.
    ///
    /// The cosine with a zero vector is 0. A query that is itself a row of the table finds that row too.
    ///
    /// # Shapes
    /// `queries` \[n, dim\] → ids and cosines \[n, min(k, candidates)\]
    ///
    /// # Errors
    /// [`ShapeMismatch`](crate::Error::ShapeMismatch).
    ///
    /// # Examples
    ///
    /// ```
    /// use factorized_embedding::{DenseEmbedding, Embedding};
    /// use ndarray::array;
    ///
    /// # fn main() -> factorized_embedding::Result<()> {
    /// let embedding = DenseEmbedding::new(array![[0.0, 2.0], [3.0, 0.0], [1.0, 1.0]])?;
    /// let nearest = embedding.nearest(array![[5.0, 1.0]].view(), 2)?;
    /// assert_eq!(nearest.ids, array![[1, 2]]);
    /// # Ok(())
    /// # }
    /// ```
    fn nearest(&self, queries: ArrayView2<'_, f32>, k: usize) -> Result<TopK>;

    /// The answers to analogy questions \[a, b, c\], a is to b as c is to which: the `k` ids whose rows have the largest cosine with
    /// b̂ − â + ĉ, where ê is e / ‖e‖, nearest first; equal cosines: lower id first (3CosAdd: Mikolov, Yih, Zweig 2013, "Linguistic
    /// Regularities in Continuous Space Word Representations"; named by Levy, Goldberg 2014, "Linguistic Regularities in Sparse and
    /// Explicit Word Representations", §3).
    ///
    /// The three ids of a question are no answers to it, nor is padding. The search is that of [`nearest`](Self::nearest), block
    /// by block, and as exact; a zero row is left as it is.
    ///
    /// # Shapes
    /// `questions` \[n\] → ids and cosines \[n, min(k, candidates)\], where candidates are those of the question that has the fewest
    ///
    /// # Errors
    /// [`IdOutOfRange`](crate::Error::IdOutOfRange), with the position among the ids of all questions.
    ///
    /// # Examples
    ///
    /// ```
    /// use factorized_embedding::{DenseEmbedding, Embedding};
    /// use ndarray::array;
    ///
    /// # fn main() -> factorized_embedding::Result<()> {
    /// // man, woman, king, queen, apple
    /// let table = array![[1.0, 0.0, 0.0], [1.0, 1.0, 0.0], [1.0, 0.0, 1.0], [1.0, 1.0, 1.0], [-1.0, 0.5, 0.0]];
    /// let answers = DenseEmbedding::new(table)?.analogy(&[[0, 1, 2]], 1)?; // man is to woman as king is to …
    /// assert_eq!(answers.ids, array![[3]]);
    /// # Ok(())
    /// # }
    /// ```
    fn analogy(&self, questions: &[[TokenId; 3]], k: usize) -> Result<TopK> {
        analogy::answers(self, questions, k)
    }

    /// The cosine of the rows of two ids; 0 when one of them is a zero vector.
    ///
    /// # Errors
    /// [`IdOutOfRange`](crate::Error::IdOutOfRange), with position 0 for `a` and 1 for `b`.
    fn similarity(&self, a: TokenId, b: TokenId) -> Result<f32> {
        let rows = self.lookup(&[a, b])?;
        Ok(cosine(rows.row(0).iter(), rows.row(1).iter()) as f32)
    }
}

/// Lookups of ids of any shape, for every [`Embedding`] (`dyn Embedding` too).
pub trait EmbeddingExt: Embedding {
    /// The row of each id, as one more dimension: `[batch, sequence]` ids give `[batch, sequence, dim]`.
    ///
    /// # Errors
    /// [`IdOutOfRange`](crate::Error::IdOutOfRange), with the position in row-major order.
    ///
    /// # Examples
    ///
    /// ```
    /// use factorized_embedding::{DenseEmbedding, EmbeddingExt};
    /// use ndarray::array;
    ///
    /// # fn main() -> factorized_embedding::Result<()> {
    /// let embedding = DenseEmbedding::new(array![[1.0, 2.0], [3.0, 4.0]])?;
    /// let vectors = embedding.lookup_array(&array![[0, 1, 1], [1, 0, 0]])?;
    /// assert_eq!(vectors.shape(), [2, 3, 2]);
    /// # Ok(())
    /// # }
    /// ```
    fn lookup_array<D: Dimension>(&self, ids: &ArrayRef<TokenId, D>) -> Result<Array<f32, D::Larger>> {
        let flat = ids.as_standard_layout();
        let flat = flat.as_slice().unwrap_or_default();
        let rows = self.lookup(flat)?;
        let mut shape = D::Larger::zeros(ids.ndim() + 1);
        shape.slice_mut()[..ids.ndim()].copy_from_slice(ids.shape());
        shape[ids.ndim()] = self.dim();
        let (values, _) = rows.into_raw_vec_and_offset();
        Array::from_shape_vec(shape, values).map_err(|_| crate::Error::ShapeMismatch {
            what: "looked-up vectors",
            expected: ids.shape().to_vec(),
            actual: vec![flat.len(), self.dim()],
        })
    }
}

impl<E: Embedding + ?Sized> EmbeddingExt for E {}

/// Σ a·b / (‖a‖·‖b‖) in f64, 0 when either is zero.
pub(crate) fn cosine<'a>(a: impl Iterator<Item = &'a f32>, b: impl Iterator<Item = &'a f32>) -> f64 {
    let (mut dot, mut a_squared, mut b_squared) = (0.0, 0.0, 0.0);
    for (&a, &b) in a.zip(b) {
        let (a, b) = (f64::from(a), f64::from(b));
        dot += a * b;
        a_squared += a * a;
        b_squared += b * b;
    }
    let norms = a_squared.sqrt() * b_squared.sqrt();
    if norms == 0.0 { 0.0 } else { (dot / norms).clamp(-1.0, 1.0) }
}

fn filled(shape: (usize, usize), fill: impl FnOnce(ArrayViewMut2<'_, f32>) -> Result<()>) -> Result<Array2<f32>> {
    check::addressable(shape.0, shape.1)?;
    let mut out = Array2::zeros(shape);
    fill(out.view_mut())?;
    Ok(out)
}
