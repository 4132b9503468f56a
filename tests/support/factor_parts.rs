//! Factors as plain arrays, for the reference and for the crate alike.

use factorized_embedding::{Factors, Shape};
use ndarray::{Array1, Array2, Axis};

use super::random;

/// The four arrays of a factored table.
#[derive(Clone, Debug)]
pub(crate) struct FactorParts {
    pub(crate) u: Array2<f32>,
    pub(crate) diagonal: Option<Array1<f32>>,
    pub(crate) v: Array2<f32>,
    pub(crate) bias: Option<Array1<f32>>,
}

impl FactorParts {
    /// All four parts, each drawn by `draw(shape, seed)`.
    pub(crate) fn draw(shape: Shape, seed: u64, draw: fn((usize, usize), u64) -> Array2<f32>) -> Self {
        let Shape { vocab_size, rank, dim } = shape;
        let vector = |len, seed| draw((1, len), seed).remove_axis(Axis(0));
        Self {
            u: draw((vocab_size, rank), 4 * seed),
            diagonal: Some(vector(rank, 4 * seed + 1)),
            v: draw((rank, dim), 4 * seed + 2),
            bias: Some(vector(dim, 4 * seed + 3)),
        }
    }

    pub(crate) fn normal(shape: Shape, seed: u64) -> Self {
        Self::draw(shape, seed, random::normal)
    }

    /// With and without a diagonal, with and without a bias.
    pub(crate) fn variants(&self) -> [Self; 4] {
        let Self { u, diagonal, v, bias } = self;
        [(true, true), (true, false), (false, true), (false, false)].map(|(with_diagonal, with_bias)| Self {
            u: u.clone(),
            diagonal: diagonal.clone().filter(|_| with_diagonal),
            v: v.clone(),
            bias: bias.clone().filter(|_| with_bias),
        })
    }

    pub(crate) fn factors(&self) -> Factors {
        let mut factors = Factors::new(self.u.clone(), self.v.clone()).expect("shapes that multiply");
        if let Some(diagonal) = &self.diagonal {
            factors = factors.with_diagonal(diagonal.clone()).expect("a diagonal of the rank");
        }
        if let Some(bias) = &self.bias {
            factors = factors.with_bias(bias.clone()).expect("a bias of the dim");
        }
        factors
    }

    /// The same with the magnitude of every number.
    pub(crate) fn abs(&self) -> Self {
        Self {
            u: self.u.abs(),
            diagonal: self.diagonal.as_ref().map(|diagonal| diagonal.abs()),
            v: self.v.abs(),
            bias: self.bias.as_ref().map(|bias| bias.abs()),
        }
    }

    /// How many terms add up to an entry of the table.
    pub(crate) fn terms(&self) -> usize {
        self.u.ncols() + usize::from(self.bias.is_some())
    }

    pub(crate) fn num_parameters(&self) -> usize {
        let len = |vector: &Option<Array1<f32>>| vector.as_ref().map_or(0, Array1::len);
        self.u.len() + len(&self.diagonal) + self.v.len() + len(&self.bias)
    }
}
