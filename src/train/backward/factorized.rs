//! Gradients of factors.

use ndarray::{Array1, Array2, ArrayView1, ArrayView2, ArrayViewMut2, Axis, s};

use super::{
    Backward,
    bags::{check_weighted, weight_gradients},
    table::{TableGradient, divide_rows},
};
use crate::{
    Bags, Embedding, FactorizedEmbedding, Result, TokenId,
    kernel::{self, PackedProjection, TableRows},
    rows::Numbers,
    train::{FactorGradients, RowGradient, Trainable, transpose::transpose_into},
};

impl Backward<'_, FactorizedEmbedding> {
    /// Of some of the parameters; the others are frozen.
    #[must_use]
    pub fn with_trainable(self, trainable: Trainable) -> Self {
        Self { trainable, ..self }
    }

    /// The gradients of a lookup.
    ///
    /// # Shapes
    /// `ids` \[n\], `grad_out` \[n, dim\] → k rows of U for the k different ids but padding; D, V and b whole
    ///
    /// # Errors
    /// [`IdOutOfRange`](crate::Error::IdOutOfRange), [`ShapeMismatch`](crate::Error::ShapeMismatch),
    /// [`NonFinite`](crate::Error::NonFinite), [`Overflow`](crate::Error::Overflow).
    pub fn lookup(&self, ids: &[TokenId], grad_out: ArrayView2<'_, f32>) -> Result<FactorGradients> {
        self.chain(TableGradient::of_lookup(self.layer, self.layer.isa(), ids, grad_out)?)
    }

    /// The gradients of bags. That of a maximum goes to the row that holds it, column by column, to the first in the bag if
    /// there are several.
    ///
    /// # Shapes
    /// `bags` of b bags, `grad_out` \[b, dim\] → k rows of U for the k different ids but padding; D, V and b whole
    ///
    /// # Errors
    /// Those of [`lookup`](Self::lookup).
    ///
    /// # Examples
    ///
    /// ```
    /// use factorized_embedding::{Bags, FactorizedEmbedding, Factors, Pooling, train::Backward};
    /// use ndarray::array;
    ///
    /// # fn main() -> factorized_embedding::Result<()> {
    /// let embedding = FactorizedEmbedding::new(Factors::new(array![[1.0], [2.0], [5.0]], array![[3.0, 4.0]])?);
    /// let bags = Bags::new(&[2, 0, 2], &[0, 2], Pooling::Mean)?; // {2, 0} and {2}
    /// let gradients = Backward::new(&embedding).bag(&bags, array![[1.0, 0.0], [0.0, 1.0]].view())?;
    /// let u = gradients.u.expect("U is not frozen");
    /// assert_eq!((u.ids(), u.values()), (Some(&[0, 2][..]), array![[1.5], [1.5 + 4.0]].view()));
    /// # Ok(())
    /// # }
    /// ```
    pub fn bag(&self, bags: &Bags<'_>, grad_out: ArrayView2<'_, f32>) -> Result<FactorGradients> {
        self.chain(TableGradient::of_bag(self.layer, self.layer.isa(), bags, grad_out)?)
    }

    /// The gradient of the weights of bags: for each id ∂L/∂out of its bag times its row, 0 for padding. Both meet in rank
    /// space.
    ///
    /// # Shapes
    /// `bags` of b bags and n ids, `grad_out` \[b, dim\] → \[n\]
    ///
    /// # Errors
    /// [`WeightsNeedSum`](crate::Error::WeightsNeedSum), and those of [`lookup`](Self::lookup).
    pub fn bag_weights_gradient(&self, bags: &Bags<'_>, grad_out: ArrayView2<'_, f32>) -> Result<Array1<f32>> {
        check_weighted(self.layer, bags, grad_out)?;
        let vectors = self.to_rank_space(grad_out);
        let bias = self.layer.factors().bias();
        let constants = bias.map(|bias| grad_out.rows().into_iter().map(|row| row.dot(&bias)).collect::<Vec<f32>>());
        let fill = |ids: &[TokenId], out: ArrayViewMut2<'_, f32>| self.layer.lookup_rank_into(ids, out);
        weight_gradients(bags, self.layer.padding_id(), fill, vectors.view(), constants.as_deref())
    }

    /// The chain rule, from the rows of the table to the factors.
    fn chain(&self, table: TableGradient) -> Result<FactorGradients> {
        let TableGradient { ids, counts, rows } = table;
        let mut u = self.trainable.u.then(|| self.to_rank_space(rows.view()));
        if let Some(u) = u.as_mut().filter(|_| self.scale_grad_by_freq) {
            divide_rows(u, &counts);
        }
        let shared = self.shared(rows.view(), || self.layer.lookup_rank(&ids), || vec![1.0; ids.len()])?;
        let u = u.map(|u| RowGradient::of_rows(ids, u)).transpose()?;
        Ok(FactorGradients { u, ..shared })
    }

    /// `vectors` \[n, dim\] · (diag(D) · V)ᵀ → \[n, rank\]
    fn to_rank_space(&self, vectors: ArrayView2<'_, f32>) -> Array2<f32> {
        let projection = || self.layer.factors().projection();
        let transposed = self.transposed.get_or_init(|| PackedProjection::new(projection().t(), None));
        let vectors = vectors.as_standard_layout();
        let numbers = Numbers::F32(vectors.as_slice().unwrap_or_default());
        let mut out = Array2::zeros((vectors.nrows(), self.layer.rank()));
        kernel::project(self.layer.isa(), numbers, None, transposed, &mut out.view_mut());
        out
    }

    /// The gradients of D, V and b where out = rows · diag(D)·V + weights · bᵀ, or what has the same gradients: of
    /// `rank_rows` \[n, rank\] and `bias_weights` \[n\], which are asked for only if they are needed, and `vectors` \[n, dim\].
    fn shared(
        &self,
        vectors: ArrayView2<'_, f32>,
        rank_rows: impl FnOnce() -> Result<Array2<f32>>,
        bias_weights: impl FnOnce() -> Vec<f32>,
    ) -> Result<FactorGradients> {
        let (factors, wanted) = (self.layer.factors(), self.trainable);
        let old_diagonal = factors.diagonal().filter(|_| wanted.diagonal);
        let has_bias = wanted.bias && factors.bias().is_some();
        let rank = if wanted.v || old_diagonal.is_some() { self.layer.rank() } else { 0 };
        let (n, dim) = vectors.dim();
        let mut left = Array2::zeros((rank + usize::from(has_bias), n));
        if rank > 0 {
            transpose_into(rank_rows()?.view(), left.slice_mut(s![..rank, ..]));
        }
        if has_bias {
            left.row_mut(rank).iter_mut().zip(bias_weights()).for_each(|(left, weight)| *left = weight);
        }
        let vectors = vectors.as_standard_layout();
        let numbers = Numbers::F32(vectors.as_slice().unwrap_or_default());
        let vectors = TableRows { rows: numbers, width: dim, first: 0, len: n };
        let mut products = Array2::zeros((left.nrows(), dim));
        kernel::add_weighted_rows(self.layer.isa(), left.view(), 0, vectors, &mut products.view_mut());

        let bias = has_bias.then(|| products.row(rank).to_owned());
        let mut v = products.slice_move(s![..rank, ..]);
        let of_row = |(v, product): (ArrayView1<'_, f32>, ArrayView1<'_, f32>)| v.dot(&product);
        let diagonal = old_diagonal.map(|_| factors.v().rows().into_iter().zip(v.rows()).map(of_row).collect());
        if let Some(scales) = factors.diagonal().filter(|_| wanted.v) {
            v *= &scales.insert_axis(Axis(1));
        }
        Ok(FactorGradients { u: None, diagonal, v: wanted.v.then_some(v), bias })
    }
}
