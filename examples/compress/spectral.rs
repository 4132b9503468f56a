//! The methods that end in a basis: the factors go into their file while the rows are read once more.

use std::path::Path;

use factorized_embedding::{
    Basis, GramAccumulator, Products, RandomizedSvd, Rank, RowBlocks, RowWeights, SvdRoute, TruncatedSvd,
    io::safetensors::save_decomposed,
};
use indicatif::ProgressBar;
use rand::{SeedableRng, rngs::ChaCha8Rng};

use crate::{
    decomposed::{Decomposed, Kept},
    method::Method,
    settings::Settings,
    sums::State,
    support::{Result, progress::WatchedRows},
};

/// What a spectral decomposition is told.
#[derive(Debug)]
pub(crate) struct Spectral<'a> {
    pub(crate) method: Method,
    pub(crate) rank: Rank,
    pub(crate) weights: Option<&'a RowWeights>,
    pub(crate) settings: &'a Settings,
    /// The file of the sums, and the name of the tensor that they are of.
    pub(crate) state: Option<(&'a Path, &'a str)>,
}

impl Spectral<'_> {
    /// Decomposes the table of a source, and saves its factors.
    pub(crate) fn save(&self, rows: impl RowBlocks, bar: &ProgressBar, out: &Path) -> Result<Decomposed> {
        let mut rows = WatchedRows::new(rows, bar.clone());
        bar.set_message("finding the directions");
        let (basis, resumed_rows) = match self.state {
            Some((path, tensor)) => {
                let state = State::new(path, self.method, tensor, &rows, self.weights);
                let (basis, before) = self.basis_of_sums(&state, &mut rows)?;
                (basis, Some(before).filter(|&rows| rows > 0))
            }
            None => (self.basis(&mut rows)?, None),
        };
        bar.set_message("writing the factors");
        let errors = save_decomposed(out, &basis, &mut rows, self.weights, |_| Ok(()))?;
        let shape = basis.shape();
        let bias_bytes = basis.bias().map_or(0, |bias| size_of::<f32>() * bias.len());
        Ok(Decomposed {
            kept: Kept::Factors(basis.spectrum().clone()),
            ranks: vec![shape.rank],
            group_sizes: None,
            bytes: Rank::bytes(shape) + bias_bytes,
            relative_error: errors.relative_error,
            weighted_relative_error: errors.weighted_relative_error,
            iterations: None,
            resumed_rows,
        })
    }

    fn basis(&self, rows: &mut dyn RowBlocks) -> Result<Basis> {
        let Settings { power_iterations, oversampling, seed, .. } = *self.settings;
        let mean = self.settings.mean_removal();
        if self.method == Method::Randomized {
            let mut method = RandomizedSvd::new(self.rank).with_mean_removal(mean);
            if let Some(power_iterations) = power_iterations {
                method = method.with_power_iterations(power_iterations);
            }
            if let Some(oversampling) = oversampling {
                method = method.with_oversampling(oversampling);
            }
            if let Some(weights) = self.weights {
                method = method.with_row_weights(weights.clone());
            }
            let mut rng = ChaCha8Rng::seed_from_u64(seed.unwrap_or_default());
            return Ok(method.basis_with(rows, &mut rng)?);
        }
        let route = match self.method {
            Method::Qr => SvdRoute::Qr,
            Method::Gram => SvdRoute::Gram,
            Method::GramF32 => SvdRoute::GramF32,
            _ => SvdRoute::Automatic,
        };
        let mut method = TruncatedSvd::new(self.rank).with_route(route).with_mean_removal(mean);
        if let Some(weights) = self.weights {
            method = method.with_row_weights(weights.clone());
        }
        Ok(method.basis(rows)?)
    }

    /// The basis, and the number of rows whose sums were there already.
    fn basis_of_sums(&self, state: &State<'_>, rows: &mut dyn RowBlocks) -> Result<(Basis, u64)> {
        let products = if self.method == Method::GramF32 { Products::F32 } else { Products::F64 };
        let mut sums = state.load(GramAccumulator::new(rows.dim())?.with_products(products))?;
        let before = sums.num_rows();
        state.update(&mut sums, rows, self.weights)?;
        Ok((sums.solve_with(self.rank, self.settings.mean_removal(), None)?, before))
    }
}
