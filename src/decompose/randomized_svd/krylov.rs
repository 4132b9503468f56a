//! The span of random directions and of what a table makes of them.

use std::ops::Range;

use ndarray::{Array1, Array2, ArrayView2, Axis, concatenate, s};
use rand::Rng;
use rand_distr::{Distribution, StandardNormal};

use crate::{
    ColumnCovariance, Error, Products, Result, RowBlocks,
    decompose::{
        parallel::map_in_order,
        passes::{check_finite, for_each_block, with_narrow_rows, with_scaled_rows},
    },
    linalg::{self, Eigen, Number, RightSvd},
};

/// Rows that are multiplied together.
const BLOCK_ROWS: usize = 512;
/// A direction is orthogonal to the span if its part in it is below this.
const ORTHOGONAL: f64 = 1e-10;

/// Orthonormal directions Q \[dim × k\] that grow block by block, and their products Z = Aᵀ·A·Q with a table A: E without its
/// mean if it is `centred`, times √w and L.
pub(super) struct Krylov<'a> {
    rows: &'a mut dyn RowBlocks,
    weights: Option<&'a [f64]>,
    covariance: Option<&'a ColumnCovariance>,
    centred: bool,
    products: Products,
    q: Array2<f64>,
    z: Array2<f64>,
    /// Columns of the block of directions that came last.
    last: Range<usize>,
    totals: Totals,
}

/// Sums over all rows.
#[derive(Default)]
struct Totals {
    /// Σ w
    weight: f64,
    /// Σ w·e \[dim\]
    sum: Array1<f64>,
    /// Σ w·‖e·L‖²
    energy: f64,
}

impl<'a> Krylov<'a> {
    pub(super) fn new(
        rows: &'a mut dyn RowBlocks,
        weights: Option<&'a [f64]>,
        covariance: Option<&'a ColumnCovariance>,
        centred: bool,
        products: Products,
    ) -> Self {
        let none = Array2::zeros((rows.dim(), 0));
        let totals = Totals { sum: Array1::zeros(rows.dim()), ..Totals::default() };
        Self { rows, weights, covariance, centred, products, q: none.clone(), z: none, last: 0..0, totals }
    }

    /// Begins with so many random directions.
    pub(super) fn start(&mut self, block: usize, rng: &mut (impl Rng + ?Sized)) -> Result<()> {
        let dim = self.rows.dim();
        let random = Array2::from_shape_simple_fn((dim, block.min(dim)), || StandardNormal.sample(rng));
        self.append(linalg::orthonormal_columns(random.view()), true)
    }

    /// Adds what the table makes of the last block, as far as it is new; false if nothing is.
    pub(super) fn iterate(&mut self) -> Result<bool> {
        let images = self.z.slice(s![.., self.last.clone()]).to_owned();
        let largest = norms(images.view()).fold(0.0, f64::max);
        let room = self.rows.vocab_size().min(self.rows.dim()).saturating_sub(self.q.ncols());
        let new = self.without_span(self.without_span(images));
        if room == 0 || norms(new.view()).all(|norm| norm <= self.new_above() * largest) {
            return Ok(false);
        }
        // Columns that depended on others have become any directions, so once more; what then lies in the span goes.
        let directions = linalg::orthonormal_columns(new.view());
        let directions = linalg::orthonormal_columns(self.without_span(directions).view());
        let parts = linalg::transposed_product(self.q.view(), directions.view());
        let outside: Vec<usize> = norms(parts.view())
            .enumerate()
            .filter(|(_, norm)| *norm < ORTHOGONAL)
            .map(|(column, _)| column)
            .take(room)
            .collect();
        if outside.is_empty() {
            return Ok(false);
        }
        let directions = directions.select(Axis(1), &outside);
        self.append(directions, false)?;
        Ok(true)
    }

    /// The mean of the table.
    pub(super) fn mean(&self) -> Array1<f64> {
        &self.totals.sum / self.totals.weight
    }

    /// ‖√w·E·L‖².
    pub(super) fn total_energy(&self) -> f64 {
        self.totals.energy
    }

    /// ‖A‖².
    pub(super) fn energy(&self) -> f64 {
        let mean = self.scaled_mean();
        if self.centred { (self.totals.energy - mean.dot(&mean)).max(0.0) } else { self.totals.energy }
    }

    /// The unit of rounding of the products.
    fn epsilon(&self) -> f64 {
        match self.products {
            Products::F32 => f64::from(f32::EPSILON),
            Products::F64 => f64::EPSILON,
        }
    }

    /// What is left of a direction after its part in the span is taken off counts as new above this share of it.
    fn new_above(&self) -> f64 {
        match self.products {
            Products::F32 => 1e-6,
            Products::F64 => 1e-10,
        }
    }

    /// Energy that rounding of the products may hide.
    pub(super) fn noise(&self) -> f64 {
        self.q.ncols() as f64 * self.epsilon() * self.totals.energy
    }

    /// The energy of the table that the span holds.
    pub(super) fn held_energy(&self) -> Result<f64> {
        let nystrom = self.nystrom()?;
        Ok(nystrom.iter().map(|value| value * value).sum())
    }

    /// Singular values and right singular vectors of the projection of the table on the images of all directions.
    pub(super) fn right_svd(&self) -> Result<RightSvd> {
        linalg::right_svd(self.nystrom()?.view())
    }

    /// B \[k × dim\] with Bᵀ·B = Z·(Qᵀ·Z)⁺·Zᵀ, the Nyström approximation of Aᵀ·A.
    fn nystrom(&self) -> Result<Array2<f64>> {
        let core = linalg::transposed_product(self.q.view(), self.z.view());
        let Eigen { values, vectors } = linalg::symmetric_eigen(core.view())?;
        let threshold = values[0].max(0.0) * values.len() as f64 * self.epsilon();
        let mut b = linalg::product(vectors.view(), self.z.t());
        for (mut row, &value) in b.rows_mut().into_iter().zip(&values) {
            // A direction that the table has nothing in stays a row of zeros, so that there is a vector for each direction.
            row *= if value > threshold { value.sqrt().recip() } else { 0.0 };
        }
        Ok(b)
    }

    /// Columns without their part in the span of all directions.
    fn without_span(&self, columns: Array2<f64>) -> Array2<f64> {
        let parts = linalg::transposed_product(self.q.view(), columns.view());
        columns - linalg::product(self.q.view(), parts.view())
    }

    fn append(&mut self, directions: Array2<f64>, first: bool) -> Result<()> {
        let images = self.images(directions.view(), first)?;
        let join = |a: &Array2<f64>, b: &Array2<f64>| match concatenate(Axis(1), &[a.view(), b.view()]) {
            Ok(joined) => joined,
            Err(_) => unreachable!("all directions are of one width"),
        };
        self.last = self.q.ncols()..self.q.ncols() + directions.ncols();
        (self.q, self.z) = (join(&self.q, &directions), join(&self.z, &images));
        Ok(())
    }

    /// Aᵀ·A times directions, in one pass over the table; the first one makes the totals too.
    fn images(&mut self, directions: ArrayView2<'_, f64>, first_pass: bool) -> Result<Array2<f64>> {
        let root = self.covariance.map(ColumnCovariance::root);
        let rooted = match root {
            Some(root) => linalg::product(root, directions),
            None => directions.to_owned(),
        };
        let narrow = rooted.mapv(|value| value as f32);
        let mut images = Array2::zeros(rooted.raw_dim());
        let totals = &mut self.totals;
        for_each_block(self.rows, 0, self.weights, |first, block, weights| {
            let work = |range: Range<usize>| {
                let weights = weights.map(|weights| &weights[range.clone()]);
                let rows = block.slice(s![range, ..]);
                let totals = |rows: ArrayView2<'_, f64>| first_pass.then(|| Totals::of(rows, weights, root));
                match self.products {
                    Products::F32 => {
                        let twice = |rows: ArrayView2<'_, f32>, unit| twice(rows, narrow.view()) * (unit * unit);
                        let images = with_narrow_rows(rows, weights, twice);
                        // Nothing to widen, once the totals are known.
                        (images, if first_pass { with_scaled_rows(rows, weights, totals) } else { None })
                    }
                    Products::F64 => with_scaled_rows(rows, weights, |rows| (twice(rows, rooted.view()), totals(rows))),
                }
            };
            map_in_order(block.nrows(), BLOCK_ROWS, 4, work, |(more, sums)| {
                let energy = sums.as_ref().map_or(0.0, |sums| sums.energy);
                if !(energy.is_finite() && more.iter().all(|value| value.is_finite())) {
                    check_finite(block, first)?;
                    return Err(Error::Overflow { what: "Gram matrix of the table" });
                }
                images += &more;
                if let Some(sums) = sums {
                    totals.weight += sums.weight;
                    totals.sum += &sums.sum;
                    totals.energy += sums.energy;
                }
                Ok(())
            })
        })?;
        if let Some(root) = root {
            images = linalg::transposed_product(root, images.view());
        }
        if self.centred {
            let mean = self.scaled_mean();
            let parts = mean.dot(&directions);
            images -= &(mean.insert_axis(Axis(1)) * parts);
        }
        Ok(images)
    }

    /// √Σw · μ · L.
    fn scaled_mean(&self) -> Array1<f64> {
        let mean = self.mean() * self.totals.weight.sqrt();
        self.covariance.map_or_else(|| mean.clone(), |covariance| mean.dot(&covariance.root()))
    }
}

/// Aᵀ·(A·Q), in `f64` from there on.
fn twice<T: Number + Into<f64>>(rows: ArrayView2<'_, T>, directions: ArrayView2<'_, T>) -> Array2<f64> {
    linalg::transposed_product(rows, linalg::product(rows, directions).view()).mapv(Into::into)
}

/// Of each column.
fn norms(columns: ArrayView2<'_, f64>) -> impl Iterator<Item = f64> {
    columns.axis_iter(Axis(1)).map(|column| column.dot(&column).sqrt()).collect::<Vec<_>>().into_iter()
}

impl Totals {
    /// Of rows times √w.
    fn of(scaled: ArrayView2<'_, f64>, weights: Option<&[f64]>, root: Option<ArrayView2<'_, f64>>) -> Self {
        let squares = |rows: ArrayView2<'_, f64>| rows.rows().into_iter().map(|row| row.dot(&row)).sum();
        let energy = match root {
            Some(root) => squares(linalg::product(scaled, root).view()),
            None => squares(scaled),
        };
        let mut sum = Array1::zeros(scaled.ncols());
        for (i, row) in scaled.rows().into_iter().enumerate() {
            sum.scaled_add(weights.map_or(1.0, |weights| weights[i].sqrt()), &row);
        }
        Self { weight: weights.map_or(scaled.nrows() as f64, |weights| weights.iter().sum()), sum, energy }
    }
}
