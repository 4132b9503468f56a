//! The exact truncated SVD, plain or weighted by row.

use ndarray::{Array1, Array2, ArrayView2, Axis, s};

use super::{Decompose, Decomposition, Rank, Spectrum};
use crate::{
    Error, Factors, Result, RowWeights,
    embedding::check,
    linalg::{RightSvd, TriangularFactor},
    reconstruction::RelativeError,
};

/// Rows that are held in `f64` at a time.
const BLOCK_ROWS: usize = 1024;

/// The truncated singular value decomposition: of all factors of a rank, those with the smallest error (Eckart & Young
/// 1936).
///
/// Without weights it minimises ‖E − U·diag(D)·V‖. With weights wᵢ it minimises Σᵢ wᵢ·‖eᵢ − uᵢ·diag(D)·V‖²: the SVD of
/// diag(√w)·E gives V and D, and every row is then projected on V, rows of weight 0 too (Srebro & Jaakkola 2003,
/// "Weighted low-rank approximations", the case of row weights).
///
/// V has orthonormal rows, the entry of largest magnitude in each one positive; D holds the singular values of the
/// (weighted) table, never increasing; U·diag(D) = E·Vᵀ. Singular values up to ε·σ₁ (ε of `f32`) count as zero and give
/// zero columns of U.
///
/// The table is read in blocks of rows, which are all that is ever held in `f64`; the singular values come from a QR
/// decomposition and are accurate to a small multiple of the `f64` ε times σ₁. Time O(`vocab_size` · dim²).
///
/// # Examples
///
/// ```
/// use factorized_embedding::{Decompose, Rank, TruncatedSvd};
/// use ndarray::array;
///
/// # fn main() -> factorized_embedding::Result<()> {
/// let table = array![[3.0, 0.0], [0.0, 1.0], [3.0, 0.0]];
/// let decomposition = TruncatedSvd::new(Rank::Energy(0.9)).decompose(table.view())?;
/// assert_eq!(decomposition.factors.rank(), 1);
/// assert!((decomposition.relative_error - (1.0_f64 / 19.0).sqrt()).abs() < 1e-6);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct TruncatedSvd {
    rank: Rank,
    row_weights: Option<RowWeights>,
}

impl TruncatedSvd {
    /// With the rank chosen this way, all rows weighing the same.
    #[must_use]
    pub fn new(rank: Rank) -> Self {
        Self { rank, row_weights: None }
    }

    /// With a weight for each row.
    #[must_use]
    pub fn with_row_weights(self, row_weights: RowWeights) -> Self {
        Self { row_weights: Some(row_weights), ..self }
    }
}

impl Decompose for TruncatedSvd {
    fn decompose(&self, table: ArrayView2<'_, f32>) -> Result<Decomposition> {
        let (vocab_size, dim) = table.dim();
        check::table("table [vocab_size, dim]", [vocab_size, dim])?;
        self.rank.check(vocab_size, dim)?;
        check::finite("table [vocab_size, dim]", &table)?;
        let weights = match &self.row_weights {
            Some(weights) => Some(weights.for_rows(vocab_size)?),
            None => None,
        };

        let RightSvd { singular_values, v } = right_svd(table, weights.as_deref())?;
        let threshold = f64::from(f32::EPSILON) * singular_values[0];
        let significant = singular_values.mapv(|value| if value > threshold { value } else { 0.0 });
        let energy = singular_values.iter().rev().map(|value| value * value).sum();
        let shape = [vocab_size, dim];
        let rank = self.rank.select(&Spectrum::of_parts(significant.clone(), energy, energy, shape, false));

        let v = v.slice_move(s![..rank, ..]);
        let diagonal = significant.slice(s![..rank]).to_owned();
        let u = coordinates(table, v.view(), &diagonal);
        let narrow = |value: &f64| *value as f32;
        // The table is finite: only what is computed from it can be too large for `f32`.
        let factors = Factors::new(u, v.map(narrow))
            .and_then(|factors| factors.with_diagonal(diagonal.map(narrow)))
            .map_err(|_| Error::Overflow { what: "decomposition of the table" })?;
        let (relative_error, weighted_relative_error) = errors(table, &factors, weights.as_deref());
        let spectrum = Spectrum::of_parts(singular_values, energy, energy, shape, false);
        Ok(Decomposition { factors, spectrum, relative_error, weighted_relative_error, losses: Vec::new() })
    }
}

/// Of diag(√w) · E.
fn right_svd(table: ArrayView2<'_, f32>, weights: Option<&[f64]>) -> Result<RightSvd> {
    let mut factor = TriangularFactor::new(table.ncols());
    for (block, rows) in table.axis_chunks_iter(Axis(0), BLOCK_ROWS).enumerate() {
        let mut rows = rows.mapv(f64::from);
        if let Some(weights) = weights {
            for (mut row, weight) in rows.rows_mut().into_iter().zip(&weights[block * BLOCK_ROWS..]) {
                row *= weight.sqrt();
            }
        }
        factor.append(rows.view());
    }
    factor.svd()
}

/// U = E · Vᵀ · diag(1/D), with zero columns where D is zero.
fn coordinates(table: ArrayView2<'_, f32>, v: ArrayView2<'_, f64>, diagonal: &Array1<f64>) -> Array2<f32> {
    let inverse = diagonal.mapv(|value| if value > 0.0 { value.recip() } else { 0.0 });
    let mut u = Array2::zeros((table.nrows(), v.nrows()));
    for (rows, mut u) in table.axis_chunks_iter(Axis(0), BLOCK_ROWS).zip(u.axis_chunks_iter_mut(Axis(0), BLOCK_ROWS)) {
        let coordinates = rows.mapv(f64::from).dot(&v.t()) * &inverse;
        u.assign(&coordinates.mapv(|value| value as f32));
    }
    u
}

/// Plain and weighted relative error of the factors as they are stored.
fn errors(table: ArrayView2<'_, f32>, factors: &Factors, weights: Option<&[f64]>) -> (f64, Option<f64>) {
    let projection = factors.projection();
    let (mut plain, mut weighted) = (RelativeError::default(), RelativeError::default());
    let u = factors.u();
    let blocks = table.axis_chunks_iter(Axis(0), BLOCK_ROWS).zip(u.axis_chunks_iter(Axis(0), BLOCK_ROWS));
    for (block, (rows, u)) in blocks.enumerate() {
        let approximations = u.dot(&projection);
        for (i, (row, approximation)) in rows.rows().into_iter().zip(approximations.rows()).enumerate() {
            plain.add_row(row, approximation, 1.0);
            weighted.add_row(row, approximation, weights.map_or(1.0, |weights| weights[block * BLOCK_ROWS + i]));
        }
    }
    (plain.value(), weights.map(|_| weighted.value()))
}
