//! The exact truncated SVD, plain or weighted.

#[cfg(feature = "serde")]
mod stored;

use ndarray::ArrayView2;

use super::{
    Basis, Decompose, Decomposition, Rank,
    gram::{Products, accumulate},
    objective::{Objective, objective_settings},
    triangular::factorize,
};
use crate::{ArrayRows, Result, RowBlocks, embedding::check};

/// The truncated singular value decomposition: of all factors of a rank, those with the smallest error (Eckart & Young
/// 1936).
///
/// Without weights it minimises ‖E − U·diag(D)·V‖. With weights wᵢ it minimises Σᵢ wᵢ·‖eᵢ − uᵢ·diag(D)·V‖²: the SVD of
/// diag(√w)·E gives V and D, and every row is then projected on V, rows of weight 0 too (Srebro & Jaakkola 2003,
/// "Weighted low-rank approximations", the case of row weights).
///
/// V has orthonormal rows (without a column covariance), the entry of largest magnitude in each one positive; D holds the
/// singular values of the (weighted) table, never increasing; U·diag(D) = E·Vᵀ. Singular values up to ε·σ₁ (ε of `f32`)
/// count as zero and give zero columns of U.
///
/// There are two [routes](SvdRoute), through the Gram matrix and through QR, which differ in speed and in the accuracy of small
/// singular values only. Either reads the table in blocks of rows, which are all that is ever held in `f64` (with QR, at least
/// 8 · dim rows for each thread); time O(`vocab_size` · dim²), on all threads.
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
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(try_from = "stored::TruncatedSvd"))]
pub struct TruncatedSvd {
    rank: Rank,
    route: SvdRoute,
    #[cfg_attr(feature = "serde", serde(flatten))]
    objective: Objective,
}

objective_settings!(TruncatedSvd);

/// How an exact SVD finds the singular values and V.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case", deny_unknown_fields))]
#[non_exhaustive]
pub enum SvdRoute {
    /// [`Gram`](Self::Gram) for tables of at least twice as many rows as columns, unless the rank is chosen by an error or a
    /// missing share of energy so small (1e-6, 1e-12) that it needs the accuracy of [`Qr`](Self::Qr); `Qr` otherwise.
    #[default]
    Automatic,
    /// Through a QR decomposition of the table: |Δσ| is a small multiple of ε·σ₁, with the ε of `f64`.
    Qr,
    /// Through the eigenvalues of the Gram matrix Eᵀ·E \[dim × dim\], summed in `f64`: several times faster for tall tables, as
    /// good for everything that factors in `f32` can hold, but singular values below about 1e-8·σ₁ are noise.
    Gram,
    /// The same with products in `f32` inside blocks of rows: faster once more, singular values below about 3e-4·σ₁ are
    /// noise.
    GramF32,
}

impl TruncatedSvd {
    /// With the rank chosen this way, all rows weighing the same.
    #[must_use]
    pub fn new(rank: Rank) -> Self {
        Self { rank, route: SvdRoute::default(), objective: Objective::default() }
    }

    /// By another route.
    #[must_use]
    pub fn with_route(self, route: SvdRoute) -> Self {
        Self { route, ..self }
    }

    /// The first half of the decomposition, of a table of any size: reads all rows once.
    ///
    /// # Errors
    /// Those of [`decompose`](Decompose::decompose) and of the source.
    pub fn basis(&self, rows: &mut dyn RowBlocks) -> Result<Basis> {
        let (vocab_size, dim) = (rows.vocab_size(), rows.dim());
        check::table("table [vocab_size, dim]", [vocab_size, dim])?;
        self.rank.check(vocab_size, dim)?;
        let weights = self.objective.weights(vocab_size, dim)?;
        let weights = weights.as_deref();
        let moments = match self.route(vocab_size, dim) {
            SvdRoute::Qr => factorize(rows, weights)?,
            SvdRoute::GramF32 => accumulate(rows, weights, Products::F32)?.moments(),
            SvdRoute::Gram | SvdRoute::Automatic => accumulate(rows, weights, Products::F64)?.moments(),
        };
        self.objective.basis(self.rank, &moments, vocab_size)
    }

    fn route(&self, vocab_size: usize, dim: usize) -> SvdRoute {
        let needs_accuracy = match self.rank {
            Rank::RelativeError(error) => error < 1e-6,
            Rank::Energy(share) => 1.0 - share < 1e-12,
            _ => false,
        };
        match self.route {
            SvdRoute::Automatic if vocab_size < 2 * dim || needs_accuracy => SvdRoute::Qr,
            SvdRoute::Automatic => SvdRoute::Gram,
            route => route,
        }
    }
}

impl Decompose for TruncatedSvd {
    fn decompose(&self, table: ArrayView2<'_, f32>) -> Result<Decomposition> {
        let mut rows = ArrayRows::new(table);
        self.basis(&mut rows)?.decompose(&mut rows, self.objective.row_weights.as_ref())
    }
}
