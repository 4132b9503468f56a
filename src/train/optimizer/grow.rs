//! More directions, while training goes on.

use ndarray::{Array1, Array2, Axis, concatenate, s};
use rand::Rng;
use rand_distr::{Distribution, StandardNormal};

use super::factors::{DIAGONAL, FactorOptimizer, U, V};
use crate::{Error, FactorizedEmbedding, Factors, Result, Shape, linalg};

impl FactorOptimizer {
    /// Gives the factors more directions, and leaves the table what it is: the new columns of U are zero. The new rows of V are
    /// random, orthogonal to each other and to the old ones, and as long as those on average (the root of the mean square); so
    /// are the new entries of D as large. What is remembered of the new numbers is what a first step begins with; the rest stays, but for
    /// Adam and `AdamW`: beside moments of many steps, those of new numbers would make for steps out of all proportion, and they begin
    /// anew with U, D and V. The rank that there is already changes nothing.
    ///
    /// Takes time for all rows of U, and memory for another U and what is remembered of it.
    /// [Hot rows](FactorizedEmbedding::with_hot_rows) are forgotten.
    ///
    /// # Errors
    /// [`NotTrainable`](Error::NotTrainable) for a layer whose U is narrow, [`ShapeMismatch`](Error::ShapeMismatch) for what is
    /// remembered of another layer, [`RankOutOfRange`](Error::RankOutOfRange), [`InvalidSetting`](Error::InvalidSetting) for a
    /// rank below that of the layer. Nothing is changed then.
    ///
    /// # Examples
    ///
    /// ```
    /// use factorized_embedding::{
    ///     Embedding, FactorizedEmbedding, Shape,
    ///     train::{FactorOptimizer, Optimizer},
    /// };
    ///
    /// # fn main() -> factorized_embedding::Result<()> {
    /// # let mut rng = rand::rng();
    /// let shape = Shape { vocab_size: 1000, rank: 8, dim: 64 };
    /// let mut embedding = FactorizedEmbedding::random(shape, 0.02, &mut rng)?;
    /// let before = embedding.lookup(&[17, 4])?;
    /// FactorOptimizer::new(Optimizer::adam())?.grow_rank(&mut embedding, 12, &mut rng)?;
    /// assert_eq!(embedding.rank(), 12);
    /// assert_eq!(embedding.lookup(&[17, 4])?, before);
    /// # Ok(())
    /// # }
    /// ```
    pub fn grow_rank<R: Rng + ?Sized>(
        &mut self,
        layer: &mut FactorizedEmbedding,
        rank: usize,
        rng: &mut R,
    ) -> Result<()> {
        self.check_shapes(layer)?;
        let factors = layer.factors();
        let old = factors.shape();
        if rank < old.rank {
            let expected = "a rank that is not below that of the layer";
            return Err(Error::InvalidSetting { name: "rank", value: rank as f64, expected });
        }
        Shape { rank, ..old }.check()?;
        let added = rank - old.rank;
        if added == 0 {
            return Ok(());
        }
        let mut u = Array2::zeros((old.vocab_size, rank));
        u.slice_mut(s![.., ..old.rank]).assign(&factors.u());
        let new_rows = new_directions(factors, added, rng);
        let mut grown = Factors::new(u, concatenate![Axis(0), factors.v(), new_rows])?;
        if let Some(diagonal) = factors.diagonal() {
            let entries = Array1::from_elem(added, root_mean_square(diagonal.iter()) as f32);
            grown = grown.with_diagonal(concatenate![Axis(0), diagonal, entries])?;
        }
        if let Some(bias) = factors.bias() {
            grown = grown.with_bias(bias.to_owned())?;
        }
        let Shape { vocab_size, rank, dim } = grown.shape();
        let state = self.state_mut();
        if state.corrects_bias() {
            [&U, &DIAGONAL, &V].into_iter().for_each(|part| state.forget(part));
        } else {
            state.resize(&U, &[vocab_size, rank]);
            state.resize(&DIAGONAL, &[rank]);
            state.resize(&V, &[rank, dim]);
        }
        layer.replace_factors(grown);
        Ok(())
    }
}

/// Rows \[added, dim\] that are orthogonal to each other and to those of V.
fn new_directions<R: Rng + ?Sized>(factors: &Factors, added: usize, rng: &mut R) -> Array2<f32> {
    let v = factors.v();
    let random = Array2::from_shape_simple_fn((factors.dim(), added), || {
        let number: f64 = StandardNormal.sample(rng);
        number
    });
    let columns = concatenate![Axis(1), v.t().mapv(f64::from), random];
    let orthonormal = linalg::orthonormal_columns(columns.view());
    let length = root_mean_square(v.iter()) * (factors.dim() as f64).sqrt();
    orthonormal.slice(s![.., factors.rank()..]).t().mapv(|number| (number * length) as f32)
}

/// 1 where all numbers are zero, so that what is made of it is not.
fn root_mean_square<'a>(numbers: impl ExactSizeIterator<Item = &'a f32>) -> f64 {
    let len = numbers.len() as f64;
    let squares: f64 = numbers.map(|&number| f64::from(number) * f64::from(number)).sum();
    if squares == 0.0 { 1.0 } else { (squares / len).sqrt() }
}
