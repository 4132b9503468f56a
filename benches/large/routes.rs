//! The ways from a file of a table to a file of its factors.

use std::path::Path;

use factorized_embedding::{
    Basis, GramAccumulator, RandomizedSvd, Rank, RowBlocks, SvdRoute, TruncatedSvd,
    io::safetensors::{SafetensorsRows, save_decomposed},
};
use rand::{SeedableRng, rngs::ChaCha8Rng};

use super::table::NAME;

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Route {
    Gram,
    Qr,
    Randomized,
}

impl Route {
    pub(crate) const ALL: [Self; 3] = [Self::Gram, Self::Qr, Self::Randomized];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Gram => "Gram",
            Self::Qr => "QR",
            Self::Randomized => "randomized",
        }
    }

    pub(crate) fn first_pass(self) -> &'static str {
        match self {
            Self::Gram => "sums, basis",
            Self::Qr => "triangle, basis",
            Self::Randomized => "directions (3 ×), basis",
        }
    }

    /// How often the basis takes all rows.
    pub(crate) fn passes(self) -> usize {
        match self {
            Self::Gram | Self::Qr => 1,
            // Once, and once more for each power iteration.
            Self::Randomized => 3,
        }
    }

    /// The error that the method may have, as a multiple of the smallest one.
    pub(crate) fn error_over_optimum(self) -> f64 {
        match self {
            Self::Gram | Self::Qr => 1.0,
            Self::Randomized => 1.01,
        }
    }

    /// The first half of a decomposition.
    pub(crate) fn basis(self, file: &Path, rank: usize) -> Basis {
        let mut rows = open(file);
        let rank = Rank::Fixed(rank);
        let basis = match self {
            Self::Gram => GramAccumulator::new(rows.dim()).and_then(|mut gram| {
                gram.update_from(&mut rows, None, |_| Ok(()))?;
                gram.solve(rank)
            }),
            Self::Qr => TruncatedSvd::new(rank).with_route(SvdRoute::Qr).basis(&mut rows),
            Self::Randomized => RandomizedSvd::new(rank).basis_with(&mut rows, &mut ChaCha8Rng::seed_from_u64(3)),
        };
        basis.expect("a finite table")
    }
}

/// The second half: the factors in a file, and their relative error.
pub(crate) fn save(from: &Path, to: &Path, basis: &Basis) -> f64 {
    let errors = save_decomposed(to, basis, &mut open(from), None, |_| Ok(()));
    errors.expect("a finite table, and room for a file").relative_error
}

fn open(file: &Path) -> SafetensorsRows {
    SafetensorsRows::open(file, NAME).expect("the file that was written")
}
