//! New rows for a vocabulary that grew.

use ndarray::{Array2, ArrayView2, Axis, s};
use rand::Rng;
use rand_distr::{Distribution, StandardNormal};

use super::{FactorizedEmbedding, unpadded_ranges};
use crate::{
    Embedding, Result, TokenId,
    embedding::check,
    linalg,
    reconstruction::{RelativeError, RowError},
};

impl FactorizedEmbedding {
    /// Adds a row for each given dense row e: the u that minimises ‖e − (u · diag(D) · V + b)‖, by least squares.
    ///
    /// Returns the relative Frobenius error of the new rows, 0 when the directions of V hold them wholly. Rows that point
    /// elsewhere lose what V has no direction for; rows that are all zero, and are missed because of a bias, have an infinite
    /// relative error.
    ///
    /// # Shapes
    /// `rows` \[n, dim\]; afterwards U has n more rows.
    ///
    /// # Errors
    /// [`ShapeMismatch`](crate::Error::ShapeMismatch), [`NonFinite`](crate::Error::NonFinite),
    /// [`VocabularyTooLarge`](crate::Error::VocabularyTooLarge), [`NoConvergence`](crate::Error::NoConvergence).
    ///
    /// # Examples
    ///
    /// ```
    /// use factorized_embedding::{Embedding, FactorizedEmbedding, Factors};
    /// use ndarray::array;
    ///
    /// # fn main() -> factorized_embedding::Result<()> {
    /// let mut embedding = FactorizedEmbedding::new(Factors::new(array![[1.0], [2.0]], array![[3.0, 4.0]])?);
    /// let relative_error = embedding.append_rows(array![[30.0, 40.0]].view())?;
    /// assert_eq!(embedding.vocab_size(), 3);
    /// assert!(relative_error < 1e-6);
    /// # Ok(())
    /// # }
    /// ```
    pub fn append_rows(&mut self, rows: ArrayView2<'_, f32>) -> Result<f64> {
        check::columns("rows [n, dim]", rows, self.factors.dim())?;
        check::finite("rows [n, dim]", &rows)?;
        let projection = self.factors.projection();
        let mut centred = rows.mapv(f64::from);
        if let Some(bias) = self.factors.bias() {
            centred -= &bias.mapv(f64::from);
        }
        let inverse = linalg::pseudo_inverse(projection.mapv(f64::from).view(), f64::from(f32::EPSILON))?;
        let coordinates = centred.dot(&inverse).mapv(|value| value as f32);
        let old = self.vocab_size() as TokenId;
        self.append_coordinates(coordinates.view())?;
        let fitted = self.lookup(&(old..self.vocab_size() as TokenId).collect::<Vec<_>>())?;

        let mut error = RelativeError::default();
        for (row, fitted) in rows.rows().into_iter().zip(fitted.rows()) {
            error.add_row(RowError::new(row, fitted), 1.0);
        }
        Ok(error.value())
    }

    /// Adds `count` rows drawn from the normal distribution with the mean and covariance of the table's own rows (without
    /// padding), so that
    /// new tokens begin where the known ones are (Hewitt 2021, "Initializing new word embeddings for pretrained language
    /// models"). It is drawn in rank space, where mean and covariance are those of U.
    ///
    /// # Errors
    /// [`VocabularyTooLarge`](crate::Error::VocabularyTooLarge), [`NoConvergence`](crate::Error::NoConvergence).
    pub fn append_random_rows<R: Rng + ?Sized>(&mut self, count: usize, rng: &mut R) -> Result<()> {
        let grown = self.vocab_size().saturating_add(count);
        check::table("grown table [vocab_size, dim]", [grown, self.dim()])?;
        let (mean, covariance) = moments(self.factors.u().view(), self.padding_id());
        let root = linalg::square_root(covariance.view())?;
        let noise = Array2::from_shape_simple_fn((count, self.rank()), || {
            let number: f64 = StandardNormal.sample(rng);
            number
        });
        let coordinates = noise.dot(&root.t()) + &mean;
        self.append_coordinates(coordinates.mapv(|value| value as f32).view())
    }

    fn append_coordinates(&mut self, coordinates: ArrayView2<'_, f32>) -> Result<()> {
        self.factors.append_u(coordinates)?;
        self.renew();
        Ok(())
    }
}

/// Mean \[1, rank\] and covariance \[rank, rank\] of the rows that are not padding; zeros when there are none.
fn moments(u: ArrayView2<'_, f32>, padding_id: Option<TokenId>) -> (Array2<f64>, Array2<f64>) {
    let n = (u.nrows() - usize::from(padding_id.is_some())).max(1) as f64;
    let blocks = || unpadded_ranges(u.nrows(), padding_id, 1024).map(|rows| u.slice(s![rows, ..]).mapv(f64::from));
    let mut mean = Array2::zeros((1, u.ncols()));
    for block in blocks() {
        mean += &block.sum_axis(Axis(0));
    }
    mean /= n;
    let mut covariance = Array2::zeros((u.ncols(), u.ncols()));
    for block in blocks() {
        let centred = block - &mean;
        covariance += &centred.t().dot(&centred);
    }
    (mean, covariance / n)
}
