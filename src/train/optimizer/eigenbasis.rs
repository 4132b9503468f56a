//! Directions that suit rules which look at each number by itself.
//!
//! U·V is (U·Q)·(Qᵀ·V) for every rotation Q \[rank × rank\]: which directions the columns of U stand for is free. The table is the
//! same with all of them, Adam is not: it divides each number of a gradient by its own root mean square. Where one
//! direction has most of the gradients, as that of the mean hidden state has in a tied head, all columns have a share of it
//! and are divided by it, and the other directions hardly move. In the eigenbasis of the gradients each direction has a
//! column of its own.
//!
//! Means of squares do not follow from those of before, which say nothing about products of two columns. They become
//!
//! ```text
//! s'ᵢₖ = Σⱼ qⱼₖ² · sᵢⱼ
//! ```
//!
//! what they would be of uncorrelated columns, and come right as new gradients come. Tried instead, with less gain: to multiply
//! the terms by how the squares of the gradients of column j became those of column k, which is right where all rows have the
//! same covariance but for a factor (directions with few gradients, mostly noise, move at full length at once); and
//! eigenvectors of the momentum, which need no covariance.

use ndarray::{Array1, Array2, ArrayD, ArrayView2, ArrayViewD, Ix2};

use super::{
    FactorOptimizer,
    factors::{DIAGONAL, U, V},
    orthonormal::narrow,
    part::{Part, row_width},
};
use crate::{
    Error, FactorizedEmbedding, Factors, Isa, RepeatedIds, Result, TokenId,
    embedding::check,
    kernel::{self, GatheredRows, PackedProjection},
    linalg::{self, Eigen},
    memory,
    rows::Numbers,
    train::GradientCovariance,
};

impl FactorOptimizer {
    /// Turns the factors to the eigenvectors of the covariance of the gradients of U, that of the largest eigenvalue first,
    /// and the covariance with them: gradients of different columns are uncorrelated then. Returns the eigenvalues
    /// \[rank\], none of them below zero. The table stays what it is, to rounding: each time numbers of a vector are off by a few ε
    /// times the length of its row of U and that of a column of D·V.
    ///
    /// For Adam, which learns faster when each direction of the gradients has a column of its own: to be called every 10 to
    /// 50 steps, between a step and the next gradients. Adam in an eigenbasis of gradients is SOAP (Vyas et al. 2025, "SOAP:
    /// Improving and Stabilizing Shampoo using Adam"), here of one side of U: SOAP turns both sides of a matrix, the gradients in
    /// every step, and the step back. The directions of factors are free: they stay where they are turned to, and the steps
    /// between take as long as before. V goes along; its own gradients may stay correlated. Without a diagonal, stochastic gradient
    /// descent goes the same way in all directions, and gains nothing; nor does U with row-wise Adagrad.
    ///
    /// What is remembered: momentum and first moments of U and V are turned, too, a number a row of U is kept, and steps are counted
    /// on. Squares of gradients do not follow from their old squares; they become what they would be if the old columns were
    /// uncorrelated. Adam's come right with new gradients; sums of Adagrad do not forget: turn factors early then, or
    /// never. The bias stays.
    ///
    /// A diagonal, which stands between U and V in their old directions, becomes ones, and V takes it up. What is remembered
    /// of D and V begins anew then, each time: factors that are to be turned often are better without one
    /// ([`Factors::balanced`]).
    ///
    /// Takes time for all rows of U, and memory for another U and what is remembered of it.
    /// [Hot rows](FactorizedEmbedding::with_hot_rows) are forgotten.
    ///
    /// # Shapes
    /// `covariance` \[rank, rank\] → \[rank\]
    ///
    /// # Errors
    /// [`NotTrainable`](Error::NotTrainable) for a layer whose U is narrow, [`ShapeMismatch`](Error::ShapeMismatch) for a
    /// covariance of another rank and what is remembered of another layer, [`NoConvergence`](Error::NoConvergence),
    /// [`NonFinite`](Error::NonFinite) for factors beyond the range of `f32`, [`Overflow`](Error::Overflow) for what is remembered
    /// of them. Nothing is changed then.
    ///
    /// # Examples
    ///
    /// ```
    /// use factorized_embedding::{
    ///     Embedding, FactorizedEmbedding, Factors,
    ///     train::{FactorGradients, FactorOptimizer, GradientCovariance, Optimizer, RowGradient},
    /// };
    /// use ndarray::array;
    ///
    /// # fn main() -> factorized_embedding::Result<()> {
    /// let factors = Factors::new(array![[1.0, 2.0], [3.0, 4.0]], array![[1.0, 0.0], [0.0, 1.0]])?;
    /// let mut embedding = FactorizedEmbedding::new(factors);
    /// let mut optimizer = FactorOptimizer::new(Optimizer::adam())?;
    /// let mut covariance = GradientCovariance::new(2, 0.95)?;
    ///
    /// // In every step; here all rows have the same direction, of which both columns have a share.
    /// let gradient = RowGradient::of_all_rows(array![[0.3, 0.4], [0.6, 0.8]]);
    /// covariance.add(&gradient)?;
    /// let mut gradients = FactorGradients::default();
    /// gradients.u = Some(gradient);
    /// optimizer.step(&mut embedding, &gradients, 0.01)?;
    ///
    /// // Every 10 to 50 of them; now the first column has it alone.
    /// let before = embedding.lookup(&[0, 1])?;
    /// let eigenvalues = optimizer.rotate_to_eigenbasis(&mut embedding, &mut covariance)?;
    /// assert!(eigenvalues[0] > 0.01 && eigenvalues[1] < 1e-10);
    /// assert!((embedding.lookup(&[0, 1])? - before).iter().all(|difference| difference.abs() < 1e-5));
    /// # Ok(())
    /// # }
    /// ```
    pub fn rotate_to_eigenbasis(
        &mut self,
        layer: &mut FactorizedEmbedding,
        covariance: &mut GradientCovariance,
    ) -> Result<Array1<f64>> {
        self.check_shapes(layer)?;
        covariance.check_rank(layer.rank())?;
        let Eigen { values, vectors } = linalg::symmetric_eigen(covariance.matrix())?;
        let (eigenvalues, rotation) = (values.mapv(|value| value.max(0.0)), vectors.reversed_axes());

        let (factors, isa) = (layer.factors(), layer.isa());
        let maps = [&rotation, &rotation.mapv(|entry| entry * entry)];
        let of_u = self.turned(&U, |array, squares| turn_columns(isa, array, maps[usize::from(squares)].view()))?;
        let of_v = match factors.diagonal() {
            Some(_) => None,
            None => Some(self.turned(&V, |array, squares| turn_rows(array, maps[usize::from(squares)].view()))?),
        };
        let rotated = rotate(isa, factors, rotation.view())?;
        let state = self.state_mut();
        state.replace(&U, of_u);
        match of_v {
            Some(of_v) => state.replace(&V, of_v),
            None => [&DIAGONAL, &V].into_iter().for_each(|part| state.forget(part)),
        }
        layer.replace_factors(rotated);
        covariance.set_eigenvalues(&eigenvalues);
        Ok(eigenvalues)
    }

    /// What is remembered of a part; `turn` is told what is of squares.
    fn turned(&self, part: &Part, turn: impl Fn(ArrayViewD<'_, f32>, bool) -> ArrayD<f32>) -> Result<Vec<ArrayD<f32>>> {
        let turned = self.state().remembered(part).map(|(squares, array)| {
            let array = turn(array, squares);
            check::finite(part.state, &array).map_err(|_| Error::Overflow { what: part.state })?;
            Ok(array)
        });
        turned.collect()
    }
}

/// What is remembered of U, \[`vocab_size`, rank\]; a number a row, \[`vocab_size`\], is the same in all directions.
fn turn_columns(isa: Isa, array: ArrayViewD<'_, f32>, map: ArrayView2<'_, f64>) -> ArrayD<f32> {
    match array.view().into_dimensionality::<Ix2>() {
        Ok(matrix) => product_of_rows(isa, matrix, map).into_dyn(),
        Err(_) => array.to_owned(),
    }
}

/// What is remembered of V, \[rank, dim\] or \[rank\].
fn turn_rows(array: ArrayViewD<'_, f32>, map: ArrayView2<'_, f64>) -> ArrayD<f32> {
    let shape = array.shape().to_vec();
    let width = row_width(&shape);
    let rows = array.iter().map(|&number| f64::from(number)).collect();
    // As many numbers as there are.
    let Ok(rows) = Array2::from_shape_vec((map.nrows(), width), rows) else { return array.to_owned() };
    let turned = linalg::product(map.t(), rows.view()).mapv(narrow);
    turned.into_shape_with_order(shape).unwrap_or_else(|_| array.to_owned())
}

/// A matrix \[n, rank\] times a small one, as `f32`. Rows of zeros, which no step has touched, are looked at only, and stay untouched
/// memory.
fn product_of_rows(isa: Isa, matrix: ArrayView2<'_, f32>, map: ArrayView2<'_, f64>) -> Array2<f32> {
    let matrix = matrix.as_standard_layout();
    let touched = |id: &TokenId| matrix.row(*id as usize).iter().any(|&number| number != 0.0);
    let ids: Vec<TokenId> = (0..matrix.nrows()).map(|id| id as TokenId).filter(touched).collect();
    let gathered = GatheredRows {
        rows: Numbers::F32(matrix.as_slice().unwrap_or_default()).into(),
        ids: &ids,
        positions: Some(&ids),
        repeated_ids: RepeatedIds::Compute,
        hot_rows: None,
    };
    let mut out = Array2::zeros(matrix.dim());
    memory::prefer_huge_pages(out.as_slice().unwrap_or_default());
    let map = PackedProjection::new(map.mapv(narrow).view(), None);
    kernel::project_rows(isa, gathered, &map, &mut out.view_mut());
    out
}

fn rotate(isa: Isa, factors: &Factors, rotation: ArrayView2<'_, f64>) -> Result<Factors> {
    let v = linalg::product(rotation.t(), factors.projection().mapv(f64::from).view()).mapv(narrow);
    let mut rotated = Factors::new(product_of_rows(isa, factors.u().view(), rotation), v)?;
    if factors.diagonal().is_some() {
        rotated = rotated.with_diagonal(Array1::ones(factors.rank()))?;
    }
    match factors.bias() {
        Some(bias) => rotated.with_bias(bias.to_owned()),
        None => Ok(rotated),
    }
}
