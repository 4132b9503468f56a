//! The iteration: V for U, U for V, until the loss hardly decreases.

use std::ops::Range;

use ndarray::{Array1, Array2, ArrayView2, Axis, s};
use rand::Rng;
use rand_distr::{Distribution, StandardNormal};

use super::{
    super::{parallel::map_in_order, triangular::combine},
    blocks::map_blocks,
    problem::{Axes, BLOCK_ROWS, PART_ROWS, Problem, rows_of, slice_of},
};
use crate::{
    Error, Factors, Result,
    linalg::{RightSvd, orient, product, right_svd, triangular_factor},
};

/// Triangular factors that are stacked before they are factorized again.
const STACKED: usize = 8;

/// When to stop, and what is minimised.
#[derive(Clone, Copy)]
pub(super) struct Iteration {
    pub(super) ridge: f64,
    pub(super) max_iterations: usize,
    pub(super) tolerance: f64,
}

/// U · diag(scales) · directions, and how the loss went down to it.
pub(super) struct Fit {
    /// \[`vocab_size`, rank\]
    pub(super) u: Array2<f64>,
    pub(super) axes: Axes,
    pub(super) losses: Vec<f64>,
}

impl Iteration {
    /// # Errors
    /// [`NoConvergence`](Error::NoConvergence), [`Overflow`](Error::Overflow).
    pub(super) fn run(self, problem: &impl Problem, mut axes: Axes) -> Result<Fit> {
        let mut u = Array2::zeros((problem.shape()[0], axes.scales.len()));
        let mut losses = Vec::new();
        let mut previous = self.solve_rows(problem, &axes, &mut u)?;
        for _ in 0..self.max_iterations {
            self.balance(&mut u, &axes)?;
            let next = self.axes(&problem.solve_columns(&u, self.ridge)?)?;
            let loss = self.solve_rows(problem, &next, &mut u)?;
            if loss > previous {
                // By rounding, in very ill-conditioned problems by more: what was there before is better.
                losses.push(self.solve_rows(problem, &axes, &mut u)?);
                break;
            }
            axes = next;
            losses.push(loss);
            if previous - loss <= self.tolerance * previous {
                break;
            }
            previous = loss;
        }
        Ok(Fit { u, axes, losses })
    }

    /// The loss with the best U.
    fn solve_rows(self, problem: &impl Problem, axes: &Axes, u: &mut Array2<f64>) -> Result<f64> {
        let residual = problem.solve_rows(axes, self.ridge, u)?;
        let squares = |values: &[f64]| values.iter().map(|value| value * value).sum::<f64>();
        let loss = match self.ridge {
            0.0 => residual,
            ridge => residual + ridge * (squares(slice_of(u)) + axes.scales.dot(&axes.scales)),
        };
        if loss.is_finite() { Ok(loss) } else { Err(Error::Overflow { what: "loss" }) }
    }

    /// Of all U and V with this product, those with the least ‖U‖² + ‖V‖²: with the singular vectors P, Q and values S
    /// of the product they are P·√S and √S·Q (Srebro, Rennie & Jaakkola 2005, "Maximum-margin matrix factorization",
    /// lemma 1), so the loss does not increase. Without a ridge term U is P, which is as well-conditioned as can be. V
    /// is about to be solved for, and left as it is.
    fn balance(self, u: &mut Array2<f64>, axes: &Axes) -> Result<()> {
        let RightSvd { singular_values, v } = svd_of_rows(u, &axes.scales, None)?;
        let negligible = f64::EPSILON * singular_values[0];
        let inverses = singular_values.mapv(|value| match value {
            value if value <= negligible => 0.0,
            value if self.ridge == 0.0 => value.recip(),
            value => value.sqrt().recip(),
        });
        multiply_rows(u, (scaled_rows(&v.t(), &axes.scales) * &inverses).view())
    }

    fn axes(self, v: &Array2<f64>) -> Result<Axes> {
        let RightSvd { singular_values, v } = right_svd(v.view())?;
        let scales = if self.ridge == 0.0 { Array1::ones(singular_values.len()) } else { singular_values };
        Ok(Axes { scales, directions: v })
    }

    /// Where to begin: on the larger directions of a warm start, and for the rest of the rank on random ones.
    pub(super) fn start<R: Rng + ?Sized>(
        self,
        problem: &impl Problem,
        rank: usize,
        warm: Option<&Factors>,
        rng: &mut R,
    ) -> Result<Axes> {
        let [_, dim] = problem.shape();
        let (singular_values, directions) = match warm {
            Some(factors) => known_directions(factors)?,
            None => (Array1::zeros(0), Array2::zeros((0, dim))),
        };
        let random = self.random_directions(rank - directions.nrows(), directions.view(), rng)?;
        let scale = match (self.ridge, singular_values.last()) {
            (0.0, _) => 1.0,
            (_, Some(smallest)) => smallest.sqrt(),
            // As if all directions had the same share of the energy.
            (_, None) => (problem.energy() / rank as f64).powf(0.25),
        };
        let known = singular_values.mapv(|value| if self.ridge == 0.0 { 1.0 } else { value.sqrt() });
        let fill = Array1::from_elem(random.nrows(), scale);
        let Ok(scales) = ndarray::concatenate(Axis(0), &[known.view(), fill.view()]) else {
            unreachable!("two vectors")
        };
        let Ok(directions) = ndarray::concatenate(Axis(0), &[directions.view(), random.view()]) else {
            unreachable!("both have dim columns")
        };
        Ok(Axes { scales, directions })
    }

    /// Random orthonormal directions, at right angles to these.
    fn random_directions<R: Rng + ?Sized>(
        self,
        len: usize,
        others: ArrayView2<'_, f64>,
        rng: &mut R,
    ) -> Result<Array2<f64>> {
        if len == 0 {
            return Ok(Array2::zeros((0, others.ncols())));
        }
        let mut random = Array2::from_shape_simple_fn((len, others.ncols()), || StandardNormal.sample(rng));
        // Twice, since what is left of the first time may be small.
        for _ in 0..2 {
            let shadow = random.dot(&others.t()).dot(&others);
            random -= &shadow;
        }
        Ok(self.axes(&random)?.directions)
    }
}

impl Fit {
    /// U, the singular values, and V as the rest of the crate has them.
    ///
    /// # Errors
    /// [`NoConvergence`](Error::NoConvergence), [`Overflow`](Error::Overflow).
    pub(super) fn into_factors(self, row_weights: Option<&[f64]>) -> Result<(Factors, Array1<f64>)> {
        let Self { mut u, axes, .. } = self;
        let RightSvd { singular_values, v: rotation } = svd_of_rows(&u, &axes.scales, row_weights)?;
        let mut v = rotation.dot(&axes.directions);
        let threshold = f64::from(f32::EPSILON) * singular_values[0];
        let diagonal = singular_values.mapv(|value| if value > threshold { value } else { 0.0 });
        let mut inverses = diagonal.mapv(|value| if value > 0.0 { value.recip() } else { 0.0 });
        for (mut row, inverse) in v.rows_mut().into_iter().zip(&mut inverses) {
            if orient(row.view_mut()) {
                *inverse = -*inverse;
            }
        }
        multiply_rows(&mut u, (scaled_rows(&rotation.t(), &axes.scales) * &inverses).view())?;
        let narrow = |value: &f64| *value as f32;
        let factors = Factors::new(u.map(narrow), v.map(narrow))
            .and_then(|factors| factors.with_diagonal(diagonal.map(narrow)))
            .map_err(|_| Error::Overflow { what: "decomposition of the table" })?;
        Ok((factors, singular_values))
    }
}

/// The singular values and directions of factors, but for those that are zero to rounding.
fn known_directions(factors: &Factors) -> Result<(Array1<f64>, Array2<f64>)> {
    let projection = factors.projection().mapv(f64::from);
    let RightSvd { v: directions, .. } = right_svd(projection.view())?;
    // In two products, since they are in orthonormal axes now: U·(projection · directionsᵀ).
    let mut u = factors.u().mapv(f64::from);
    multiply_rows(&mut u, projection.dot(&directions.t()).view())?;
    let ones = Array1::ones(u.ncols());
    let RightSvd { singular_values, v: rotation } = svd_of_rows(&u, &ones, None)?;
    let threshold = f64::from(f32::EPSILON) * singular_values[0];
    let known = singular_values.iter().take_while(|&&value| value > threshold).count();
    let directions = rotation.dot(&directions);
    Ok((singular_values.slice_move(s![..known]), directions.slice_move(s![..known, ..])))
}

/// The right SVD of diag(√`row_weights`)·U·diag(`scales`).
fn svd_of_rows(u: &Array2<f64>, scales: &Array1<f64>, row_weights: Option<&[f64]>) -> Result<RightSvd> {
    let part = |rows: Range<usize>| {
        let mut scaled = &u.slice(s![rows.clone(), ..]) * scales;
        if let Some(weights) = row_weights {
            for (mut u, weight) in scaled.rows_mut().into_iter().zip(&weights[rows]) {
                u *= weight.sqrt();
            }
        }
        triangular_factor(scaled.view())
    };
    let mut factors = Vec::new();
    map_in_order(u.nrows(), PART_ROWS, 1, part, |factor| {
        factors.push(factor);
        if factors.len() > STACKED {
            factors = vec![combine(&factors)];
        }
        Ok(())
    })?;
    right_svd(combine(&factors).view())
}

/// diag(`scales`) · M.
fn scaled_rows(m: &ArrayView2<'_, f64>, scales: &Array1<f64>) -> Array2<f64> {
    m * &scales.view().insert_axis(Axis(1))
}

/// U ← U · M, for a square M.
fn multiply_rows(u: &mut Array2<f64>, m: ArrayView2<'_, f64>) -> Result<()> {
    let rank = u.ncols();
    map_blocks(
        slice_of(u),
        BLOCK_ROWS * rank,
        || (),
        |(), _, u| {
            let mut u = rows_of(u, rank);
            let rotated = product(u.view(), m);
            u.assign(&rotated);
            Ok(())
        },
    )?;
    Ok(())
}
