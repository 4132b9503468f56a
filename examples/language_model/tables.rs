//! The tables that are compared.

use std::fmt;

use factorized_embedding::{
    DenseEmbedding, FactorizedEmbedding, Factors,
    train::{FactorOptimizer, Optimizer, TableOptimizer},
};
use ndarray::Array2;
use rand_distr::{Distribution, Normal};

use crate::{
    learner::{Learn, Learner},
    plan::{DIM, FACTOR_RATES, STD, WEIGHT_DECAY},
    random::{Purpose, rng},
    support::Result,
    text::VOCAB_SIZE,
};

/// Of all tables.
pub(crate) const RULE: Optimizer = Optimizer::adam_w(WEIGHT_DECAY);

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
    pub(crate) fn learner(self, seed: u64) -> Result<Box<dyn Learn>> {
        let mut rng = rng(seed, Purpose::Table);
        let mut normal = |std: f64, shape: (usize, usize)| -> Result<Array2<f32>> {
            let entries = Normal::new(0.0, std as f32)?;
            Ok(Array2::from_shape_simple_fn(shape, || entries.sample(&mut rng)))
        };
        Ok(match self {
            Self::Dense => {
                let layer = DenseEmbedding::new(normal(STD, (VOCAB_SIZE, DIM))?)?;
                Box::new(Learner::new(layer, TableOptimizer::new(RULE)?, seed)?)
            }
            Self::Factorized(rank) => {
                // A V that keeps norms: changes of U move vectors as far as those of a dense table.
                let v = orthonormal(normal(1.0, (rank, DIM))?)? * (DIM as f32 / rank as f32).sqrt();
                let layer = FactorizedEmbedding::new(Factors::new(normal(STD, (VOCAB_SIZE, rank))?, v)?);
                let optimizer = FactorOptimizer::new(RULE)?.with_part_rates(FACTOR_RATES)?;
                Box::new(Learner::new(layer, optimizer, seed)?)
            }
        })
    }
}

/// Orthonormal rows that span the same space.
fn orthonormal(rows: Array2<f32>) -> Result<Array2<f32>> {
    let mut layer = FactorizedEmbedding::new(Factors::new(Array2::eye(rows.nrows()), rows)?);
    FactorOptimizer::new(RULE)?.orthonormalize(&mut layer)?;
    Ok(layer.into_factors().into_parts().v)
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dense => f.pad("dense"),
            Self::Factorized(rank) => f.pad(&format!("factorized, rank {rank}")),
        }
    }
}
