//! The part of the factors that all rows share.

mod project;

use std::{cell::Cell, fmt};

use ndarray::{Array1, Array2, ArrayView1, ArrayView2, ArrayViewMut2, Axis, s};

pub use self::project::ProjectionErrors;
use super::{
    ColumnCovariance, Spectrum,
    parallel::map_in_order,
    passes::{check_finite, with_scaled_rows},
};
use crate::{
    Error, Result, Shape,
    embedding::check,
    kernel::scratch::{self, Scratch},
    linalg::{self, RightSvd},
};

/// Rows of U that are given on together.
const BLOCK_ROWS: usize = 512;
/// How many such blocks of each thread wait for each other.
const PER_THREAD: usize = 4;
/// Rows that are computed together, while they are in the cache.
const TOGETHER: usize = 128;

/// All factors of a table but U: V, D, the bias, and what makes a row of U from a row of the table.
///
/// The first half of a decomposition, the one that has to see all rows, ends in it. The second half takes the rows one block
/// at a time, in any order, and need not keep them.
///
/// # Examples
///
/// ```
/// use factorized_embedding::{ArrayRows, Rank, TruncatedSvd};
/// use ndarray::{array, s};
///
/// # fn main() -> factorized_embedding::Result<()> {
/// let table = array![[3.0, 0.0], [0.0, 1.0], [3.0, 0.0]];
/// let basis = TruncatedSvd::new(Rank::Fixed(1)).basis(&mut ArrayRows::new(table.view()))?;
/// let u = basis.left_rows(table.slice(s![1.., ..]))?; // of the last two rows
/// assert!((u[[1, 0]] * basis.diagonal()[0] - 3.0).abs() < 1e-6);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, PartialEq)]
pub struct Basis {
    /// What a row of the table is multiplied with to give one of U \[dim × rank\], and what is then taken off \[rank\].
    coordinates: Array2<f64>,
    offset: Array1<f64>,
    diagonal: Array1<f32>,
    v: Array2<f32>,
    bias: Option<Array1<f32>>,
    covariance: Option<ColumnCovariance>,
    spectrum: Spectrum,
}

/// What a basis is made of.
pub(super) struct Parts {
    pub(super) rank: usize,
    /// Of the (weighted) matrix that was decomposed: at least `rank` values and vectors.
    pub(super) svd: RightSvd,
    pub(super) mean: Option<Array1<f64>>,
    pub(super) covariance: Option<ColumnCovariance>,
    pub(super) spectrum: Spectrum,
}

thread_local! {
    static WIDE_U: Scratch<Vec<f64>> = const { Cell::new(Vec::new()) };
}

impl Basis {
    /// # Errors
    /// [`Overflow`](Error::Overflow).
    pub(super) fn new(parts: Parts) -> Result<Self> {
        let Parts { rank, svd, mean, covariance, spectrum } = parts;
        let right = svd.v.slice_move(s![..rank, ..]);
        let diagonal = spectrum.significant().singular_values().slice(s![..rank]).to_owned();
        let (mut v, mut coordinates) = (right.clone(), right.reversed_axes());
        if let Some(covariance) = &covariance {
            v = linalg::product(v.view(), covariance.inverse_root());
            coordinates = linalg::product(covariance.root(), coordinates.view());
        }
        for (mut row, mut column) in v.rows_mut().into_iter().zip(coordinates.columns_mut()) {
            if linalg::orient(row.view_mut()) {
                column.mapv_inplace(|x| -x);
            }
        }
        coordinates *= &diagonal.mapv(|value| if value > 0.0 { value.recip() } else { 0.0 });
        let narrow = |value: &f64| *value as f32;
        let bias: Option<Array1<f32>> = mean.map(|mean| mean.map(narrow));
        let offset = match &bias {
            Some(bias) => bias.mapv(f64::from).dot(&coordinates),
            None => Array1::zeros(rank),
        };
        let coordinates = coordinates.as_standard_layout().into_owned();
        let basis =
            Self { coordinates, offset, diagonal: diagonal.map(narrow), v: v.map(narrow), bias, covariance, spectrum };
        let finite = basis.diagonal.iter().chain(&basis.v).chain(basis.bias.iter().flatten()).all(|x| x.is_finite());
        if finite { Ok(basis) } else { Err(too_large()) }
    }

    /// The sizes of the factors.
    #[must_use]
    pub fn shape(&self) -> Shape {
        Shape { vocab_size: self.spectrum.shape()[0], rank: self.v.nrows(), dim: self.v.ncols() }
    }

    /// D \[rank\].
    #[must_use]
    pub fn diagonal(&self) -> ArrayView1<'_, f32> {
        self.diagonal.view()
    }

    /// V \[rank, dim\].
    #[must_use]
    pub fn v(&self) -> ArrayView2<'_, f32> {
        self.v.view()
    }

    /// The mean of the table \[dim\], where it is kept apart.
    #[must_use]
    pub fn bias(&self) -> Option<ArrayView1<'_, f32>> {
        self.bias.as_ref().map(|bias| bias.view())
    }

    /// The singular values, and what they say about other ranks.
    #[must_use]
    pub fn spectrum(&self) -> &Spectrum {
        &self.spectrum
    }

    /// The rows of U that stand for some rows of the table, or for new rows of the same kind.
    ///
    /// # Shapes
    /// `rows` \[n, dim\] → \[n, rank\]
    ///
    /// # Errors
    /// [`ShapeMismatch`](Error::ShapeMismatch), [`NonFinite`](Error::NonFinite), [`Overflow`](Error::Overflow).
    pub fn left_rows(&self, rows: ArrayView2<'_, f32>) -> Result<Array2<f32>> {
        check::columns("rows [n, dim]", rows, self.v.ncols())?;
        let mut u = Array2::zeros((rows.nrows(), self.v.nrows()));
        self.left_rows_into(rows, u.view_mut())?;
        Ok(u)
    }

    /// [`left_rows`](Self::left_rows) into an array of the caller's.
    ///
    /// # Shapes
    /// `rows` \[n, dim\], `u` \[n, rank\]
    ///
    /// # Errors
    /// [`ShapeMismatch`](Error::ShapeMismatch), [`NonFinite`](Error::NonFinite), [`Overflow`](Error::Overflow); `u` is then as
    /// it was.
    pub fn left_rows_into(&self, rows: ArrayView2<'_, f32>, mut u: ArrayViewMut2<'_, f32>) -> Result<()> {
        check::columns("rows [n, dim]", rows, self.v.ncols())?;
        check::shape("u [n, rank]", &u, (rows.nrows(), self.v.nrows()))?;
        check_finite(rows, 0)?;
        let mut computed = Vec::new();
        let compute = |range| self.compute(rows.slice(s![range, ..]));
        map_in_order(rows.nrows(), BLOCK_ROWS, PER_THREAD, compute, |u| {
            if u.iter().any(|value| !value.is_finite()) {
                return Err(too_large());
            }
            computed.push(u);
            Ok(())
        })?;
        for (mut u, computed) in u.axis_chunks_iter_mut(Axis(0), BLOCK_ROWS).zip(computed) {
            u.assign(&computed);
        }
        Ok(())
    }

    fn compute(&self, rows: ArrayView2<'_, f32>) -> Array2<f32> {
        let mut u = Array2::zeros((rows.nrows(), self.v.nrows()));
        for (rows, mut u) in rows.axis_chunks_iter(Axis(0), TOGETHER).zip(u.axis_chunks_iter_mut(Axis(0), TOGETHER)) {
            scratch::with(&WIDE_U, |wide| {
                wide.resize(u.len(), 0.0);
                let Ok(mut wide) = ArrayViewMut2::from_shape(u.raw_dim(), wide) else {
                    unreachable!("a number for each of U")
                };
                with_scaled_rows(rows, None, |rows| {
                    linalg::product_into(rows, self.coordinates.view(), wide.view_mut());
                });
                if self.bias.is_some() {
                    wide -= &self.offset;
                }
                u.zip_mut_with(&wide, |u, &wide| *u = wide as f32);
            });
        }
        u
    }
}

fn too_large() -> Error {
    // The table is finite: only what is computed from it can be too large for `f32`.
    Error::Overflow { what: "decomposition of the table" }
}

impl fmt::Debug for Basis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Shape { vocab_size, rank, dim } = self.shape();
        write!(f, "Basis(vocab_size {vocab_size}, diagonal [{rank}], v [{rank}, {dim}]")?;
        if self.bias.is_some() {
            write!(f, ", bias [{dim}]")?;
        }
        f.write_str(")")
    }
}
