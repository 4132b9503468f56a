//! Factors with orthonormal directions again, and fewer of them.
//!
//! Training leaves V as it comes: its rows are neither orthonormal nor sorted by how much they matter. The table stays what it
//! is when U, D, V are made anew of its singular value decomposition, which takes the factors only: with D·V = L·Qᵀ and
//! U = O·R, where Q and O have orthonormal columns,
//!
//! ```text
//! U·D·V = O·(R·L)·Qᵀ = O·(P·Σ·Wᵀ)·Qᵀ      R·L = P·Σ·Wᵀ, a matrix [rank × rank]
//!       = (O·P)·Σ·(Q·W)ᵀ
//! ```
//!
//! O is never made: O·P·Σ = U·L·W, so that U needs one small product a row.

use std::ops::Range;

use ndarray::{Array1, Array2, ArrayView2, Axis, concatenate, s};

use super::{
    factors::{DIAGONAL, FactorOptimizer, U, V},
    part::Part,
};
use crate::{
    Embedding, Error, FactorizedEmbedding, Factors, Result, Shape, TokenId,
    decompose::parallel::map_in_order,
    kernel,
    linalg::{self, RightSvd},
};

/// Rows of U that are widened together, at least.
const BLOCK_ROWS: usize = 1024;
/// How many times as long as wide such a block is, at least.
const ASPECT: usize = 8;

/// The factors in their new directions, and how to get there.
struct Directions {
    /// \[rank\], never increasing; 0 where rounding to `f32` makes a direction of a zero.
    singular_values: Array1<f64>,
    /// D, or ones where the factors have none \[rank\].
    diagonal: Array1<f64>,
    /// Orthonormal rows \[rank, dim\].
    v: Array2<f64>,
    /// What U is multiplied with \[rank, rank\].
    to_u: Array2<f64>,
    /// What gradients of U are multiplied with \[rank, rank\].
    to_u_gradient: Array2<f64>,
    /// What multiplies gradients of V \[rank, rank\].
    to_v_gradient: Array2<f64>,
}

impl FactorOptimizer {
    /// Makes the factors anew, so that the rows of V are orthonormal, the largest entry of each positive, and D holds the
    /// singular values of U·D·V, which are returned. The table stays what it is, to rounding. A padding row, which is never read,
    /// counts for nothing.
    ///
    /// The columns of U are orthonormal then, too; its numbers are about 1/√`vocab_size`, which a rule like Adam, whose steps are
    /// as long as the learning rate, has to be told. Factors without a diagonal stay without one: U takes up the singular values.
    /// The bias stays. A singular value of at most ε·σ₁ is returned as 0; the column of U is zero there, and D holds the smallest
    /// of the other singular values, so that the direction can still be learned.
    ///
    /// What is remembered: momentum is that of the new factors, as far as it follows from the old one (gradients of U and V are
    /// linear maps of the old ones, those of D are not: its momentum begins with zero). Squares of gradients do not follow from
    /// their old squares, and first moments of Adam beside second ones that begin anew would make for steps out of all
    /// proportion: Adagrad, row-wise Adagrad, Adam and `AdamW` begin anew with U, D and V.
    ///
    /// Takes time for all rows of U, and memory for another U and its momentum. [Hot rows](FactorizedEmbedding::with_hot_rows) are
    /// forgotten.
    ///
    /// # Errors
    /// [`NotTrainable`](Error::NotTrainable) for a layer whose U is narrow, [`ShapeMismatch`](Error::ShapeMismatch) for what is
    /// remembered of another layer, [`NonFinite`](Error::NonFinite) where a singular value is no `f32`,
    /// [`NoConvergence`](Error::NoConvergence), [`Overflow`](Error::Overflow) of the momentum. Nothing is changed then.
    ///
    /// # Examples
    ///
    /// ```
    /// use factorized_embedding::{
    ///     Embedding, FactorizedEmbedding, Factors,
    ///     train::{FactorOptimizer, Optimizer},
    /// };
    /// use ndarray::array;
    ///
    /// # fn main() -> factorized_embedding::Result<()> {
    /// let factors = Factors::new(array![[1.0], [2.0], [2.0]], array![[3.0, 4.0]])?.with_diagonal(array![2.0])?;
    /// let mut embedding = FactorizedEmbedding::new(factors);
    /// let before = embedding.lookup(&[0, 1])?;
    /// let mut optimizer = FactorOptimizer::new(Optimizer::sgd())?;
    /// let singular_values = optimizer.orthonormalize(&mut embedding)?;
    /// assert!((singular_values[0] - 30.0).abs() < 1e-5);
    /// assert!((embedding.factors().v()[[0, 1]] - 0.8).abs() < 1e-6);
    /// assert!((embedding.lookup(&[0, 1])? - before).iter().all(|difference| difference.abs() < 1e-5));
    /// # Ok(())
    /// # }
    /// ```
    pub fn orthonormalize(&mut self, layer: &mut FactorizedEmbedding) -> Result<Array1<f64>> {
        self.rotate(layer, layer.rank())
    }

    /// [Makes the factors anew](Self::orthonormalize) and keeps the first `rank` directions, in which the table loses least
    /// (Eckart & Young 1936). Returns all singular values of before: the squares of those behind the first `rank` are what is
    /// lost.
    ///
    /// # Errors
    /// Those of [`orthonormalize`](Self::orthonormalize), and [`InvalidSetting`](Error::InvalidSetting) for a rank that is not in
    /// 1..=the rank of the layer.
    pub fn shrink_rank(&mut self, layer: &mut FactorizedEmbedding, rank: usize) -> Result<Array1<f64>> {
        if !(1..=layer.rank()).contains(&rank) {
            let expected = "a rank from 1 to that of the layer";
            return Err(Error::InvalidSetting { name: "rank", value: rank as f64, expected });
        }
        self.rotate(layer, rank)
    }

    fn rotate(&mut self, layer: &mut FactorizedEmbedding, rank: usize) -> Result<Array1<f64>> {
        self.check_shapes(layer)?;
        let factors = layer.factors();
        let directions = Directions::new(factors, layer.padding_id())?;
        let kept = s![.., ..rank];
        let u = product(factors.u().view(), directions.to_u.slice(kept));
        let v = directions.v.slice(s![..rank, ..]).mapv(narrow);
        let mut rotated = Factors::new(u, v)?;
        if factors.diagonal().is_some() {
            rotated = rotated.with_diagonal(directions.diagonal.slice(s![..rank]).mapv(narrow))?;
        }
        if let Some(bias) = factors.bias() {
            rotated = rotated.with_bias(bias.to_owned())?;
        }
        let of_u = self.momentum(&U).map(|momentum| product(momentum, directions.to_u_gradient.slice(kept)));
        let of_v = self.momentum(&V).map(|momentum| {
            let map = directions.to_v_gradient.slice(s![..rank, ..]);
            linalg::product(map, momentum.mapv(f64::from).view()).mapv(narrow)
        });
        if of_u.iter().chain(&of_v).flatten().any(|number| !number.is_finite()) {
            return Err(Error::Overflow { what: "momentum of the new factors" });
        }
        let state = self.state_mut();
        if state.has_squares() {
            [&U, &DIAGONAL, &V].into_iter().for_each(|part| state.forget(part));
        } else {
            state.set_momentum(&DIAGONAL, Array1::zeros(rank).into_dyn());
            of_u.into_iter().for_each(|momentum| state.set_momentum(&U, momentum.into_dyn()));
            of_v.into_iter().for_each(|momentum| state.set_momentum(&V, momentum.into_dyn()));
        }
        layer.replace_factors(rotated);
        Ok(directions.singular_values)
    }

    fn momentum(&self, part: &Part) -> Option<ArrayView2<'_, f32>> {
        self.state().momentum(part)?.into_dimensionality().ok()
    }

    /// Nothing is remembered of a layer of other sizes, and this one can be trained.
    pub(super) fn check_shapes(&self, layer: &mut FactorizedEmbedding) -> Result<()> {
        layer.check_trainable()?;
        let Shape { vocab_size, rank, dim } = layer.factors().shape();
        self.state().check_shape(&U, &[vocab_size, rank])?;
        self.state().check_shape(&DIAGONAL, &[rank])?;
        self.state().check_shape(&V, &[rank, dim])
    }
}

impl Directions {
    fn new(factors: &Factors, padding_id: Option<TokenId>) -> Result<Self> {
        let projection = factors.projection().mapv(f64::from);
        let q = linalg::orthonormal_columns(projection.t());
        let l = linalg::product(projection.view(), q.view());
        let r = triangular_factor(factors.u().view(), padding_id)?;
        let RightSvd { mut singular_values, v: mut rotation } =
            linalg::right_svd(linalg::product(r.view(), l.view()).view())?;
        let mut v = linalg::product(rotation.view(), q.t());
        for (mut direction, mut rotation) in v.rows_mut().into_iter().zip(rotation.rows_mut()) {
            if linalg::orient(direction.view_mut()) {
                rotation.mapv_inplace(|x| -x);
            }
        }
        let threshold = f64::from(f32::EPSILON) * singular_values[0];
        singular_values.mapv_inplace(|value| if value > threshold { value } else { 0.0 });

        // U·L·W is U with the singular values in it.
        let with_values = linalg::product(l.view(), rotation.t());
        let smallest = singular_values.iter().copied().filter(|&value| value > 0.0).fold(f64::INFINITY, f64::min);
        let smallest = if smallest.is_finite() { smallest } else { 1.0 };
        let diagonal = match factors.diagonal() {
            Some(_) => singular_values.mapv(|value| if value > 0.0 { value } else { smallest }),
            None => Array1::ones(singular_values.len()),
        };
        let kept = singular_values.mapv(|value| f64::from(value > 0.0));
        let to_u = &with_values * &(&kept / &diagonal);
        // Of ∂L/∂E = G, the gradients are G·Vᵀ·D and D·Uᵀ·G, of the old factors as of the new ones.
        let inverse = linalg::pseudo_inverse(projection.view(), f64::from(f32::EPSILON))?;
        let to_u_gradient = linalg::transposed_product(inverse.view(), v.t()) * &diagonal;
        let without_diagonal = match factors.diagonal() {
            Some(old) => {
                let inverses = old.mapv(|value| if value == 0.0 { 0.0 } else { f64::from(value).recip() });
                with_values * &inverses.insert_axis(Axis(1))
            }
            None => with_values,
        };
        let to_v_gradient = (without_diagonal * &kept).reversed_axes();
        Ok(Self { singular_values, diagonal, v, to_u, to_u_gradient, to_v_gradient })
    }
}

/// The triangular factor R \[columns × columns\] of a matrix of at least as many rows: of blocks of rows, and of their factors
/// in order. The padding row counts as zeros.
fn triangular_factor(matrix: ArrayView2<'_, f32>, padding_id: Option<TokenId>) -> Result<Array2<f64>> {
    let mut triangular = Array2::zeros((0, matrix.ncols()));
    let block = BLOCK_ROWS.max(ASPECT * matrix.ncols());
    let factor = |rows: Range<usize>| {
        let mut wide = matrix.slice(s![rows.clone(), ..]).mapv(f64::from);
        if let Some(id) = padding_id.map(|id| id as usize).filter(|id| rows.contains(id)) {
            wide.row_mut(id - rows.start).fill(0.0);
        }
        linalg::triangular_factor(wide.view())
    };
    map_in_order(matrix.nrows(), block, 1, factor, |factor: Array2<f64>| {
        triangular = linalg::triangular_factor(concatenate![Axis(0), triangular, factor].view());
        Ok(())
    })?;
    Ok(triangular)
}

/// A matrix times a small one, computed in f64.
fn product(matrix: ArrayView2<'_, f32>, map: ArrayView2<'_, f64>) -> Array2<f32> {
    let mut out = Array2::zeros((matrix.nrows(), map.ncols()));
    let nanoseconds = (matrix.nrows() * map.len()) as f64;
    let blocks = matrix.axis_chunks_iter(Axis(0), BLOCK_ROWS).zip(out.axis_chunks_iter_mut(Axis(0), BLOCK_ROWS));
    kernel::for_each_item(blocks, nanoseconds, |(rows, mut out)| {
        let product = linalg::product(rows.mapv(f64::from).view(), map);
        out.zip_mut_with(&product, |out, &number| *out = narrow(number));
    });
    out
}

pub(super) fn narrow(number: f64) -> f32 {
    number as f32
}
