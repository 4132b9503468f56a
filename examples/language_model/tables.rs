//! The tables that are compared.

use std::fmt;

use factorized_embedding::{DenseEmbedding, FactorizedEmbedding, Factors};
use ndarray::Array2;
use rand_distr::{Distribution, Normal};

use crate::{
    learner::{Learn, Learner},
    plan::{DIM, Plan, STD},
    random::{Purpose, rng},
    support::Result,
    text::VOCAB_SIZE,
};

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Kind {
    Dense,
    /// Of this rank.
    Factorized(usize),
}

impl Kind {
    /// The dense table first.
    pub(crate) const ALL: [Self; 4] =
        [Self::Dense, Self::Factorized(DIM / 8), Self::Factorized(DIM / 4), Self::Factorized(DIM / 2)];

    /// A model around a table of random numbers, of the same standard deviation whatever its kind.
    pub(crate) fn learner(self, plan: &Plan, seed: u64) -> Result<Box<dyn Learn>> {
        let mut rng = rng(seed, Purpose::Table);
        Ok(match self {
            Self::Dense => {
                let entries = Normal::new(0.0, STD as f32)?;
                let table = Array2::from_shape_simple_fn((VOCAB_SIZE, DIM), || entries.sample(&mut rng));
                Box::new(Learner::new(DenseEmbedding::new(table)?, plan, seed)?)
            }
            Self::Factorized(rank) => {
                // U as a dense table, and a V that keeps norms: Adam's steps then move vectors as far as those of a dense table.
                let mut normal = |std: f64, shape: (usize, usize)| -> Result<Array2<f32>> {
                    let entries = Normal::new(0.0, std as f32)?;
                    Ok(Array2::from_shape_simple_fn(shape, || entries.sample(&mut rng)))
                };
                let u = normal(STD, (VOCAB_SIZE, rank))?;
                let factors = Factors::new(u, normal((rank as f64).powf(-0.5), (rank, DIM))?)?;
                Box::new(Learner::new(FactorizedEmbedding::new(factors), plan, seed)?)
            }
        })
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dense => f.pad("dense"),
            Self::Factorized(rank) => f.pad(&format!("factorized, rank {rank}")),
        }
    }
}
