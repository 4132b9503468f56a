//! Directions that coordinates can be measured in.

use ndarray::{Array1, Array2, Axis, s};

use super::{Level, RotationChoice, WaterFilling, directions::EXTRA_BITS, table::Moments};
use crate::{Error, Result, factors::Rotation, linalg};

/// Orthonormal directions.
pub(super) struct Directions {
    /// \[rank, dim\]
    pub(super) vectors: Array2<f64>,
    /// The seed of a Hadamard transform; `None` for directions that are stored.
    pub(super) seed: Option<u64>,
}

/// How much more error than singular directions a Hadamard transform may be expected to have, before groups of rows are known.
const WORTH_A_TRY: f64 = 1.1;
/// Bytes for each number of the table that this is looked at with: 1, 2 and 4 bits.
const TRIED: [f64; 3] = [0.125, 0.25, 0.5];
/// Bits of the numbers of directions meanwhile.
const DIRECTION_BITS: usize = 6;

/// The directions that are asked for; or singular directions, and a Hadamard transform where it may be better.
///
/// # Errors
/// [`NoConvergence`](Error::NoConvergence), [`InvalidSetting`](Error::InvalidSetting) for a Hadamard transform of too many columns.
pub(super) fn candidates(
    moments: &Moments,
    vocab_size: usize,
    choice: RotationChoice,
    seed: u64,
) -> Result<Vec<Directions>> {
    let dim = moments.gram.nrows();
    let hadamard = || {
        let vectors = Rotation::Hadamard { seed, dim }.to_matrix().mapv(f64::from);
        Directions { vectors, seed: Some(seed) }
    };
    if choice == RotationChoice::Hadamard {
        if dim > Rotation::MAX_HADAMARD {
            let expected = "at most 8192 for a Hadamard transform";
            return Err(Error::InvalidSetting { name: "columns", value: dim as f64, expected });
        }
        return Ok(vec![hadamard()]);
    }
    let eigen = linalg::symmetric_eigen(moments.gram.view())?;
    let mut vectors = eigen.vectors.slice_move(s![..vocab_size.min(dim), ..]);
    for vector in vectors.rows_mut() {
        linalg::orient(vector);
    }
    let mut candidates = vec![Directions { vectors, seed: None }];
    if choice == RotationChoice::Automatic && dim <= Rotation::MAX_HADAMARD {
        let hadamard = hadamard();
        let singular = eigen.values.mapv(|value| value.max(0.0));
        if may_be_better(&energies(moments, &hadamard.vectors), &singular, vocab_size) {
            candidates.push(hadamard);
        }
    }
    Ok(candidates)
}

/// Σ w·y² of the coordinates in each direction.
fn energies(moments: &Moments, vectors: &Array2<f64>) -> Array1<f64> {
    let mut gram = moments.gram.clone();
    linalg::mirror(&mut gram);
    (linalg::product(vectors.view(), gram.view()) * vectors).sum_axis(Axis(1)).mapv(|energy| energy.max(0.0))
}

fn may_be_better(hadamard: &Array1<f64>, singular: &Array1<f64>, vocab_size: usize) -> bool {
    let dim = hadamard.len();
    let water = |energies: &Array1<f64>| {
        WaterFilling::new(energies.view().insert_axis(Axis(0)), &[vocab_size], Level::Scalar).ok()
    };
    let (Some(hadamard), Some(singular)) = (water(hadamard), water(singular)) else { return false };
    let singular = singular.with_direction_bits(dim * DIRECTION_BITS + EXTRA_BITS);
    TRIED.iter().any(|bytes| {
        let bytes = (bytes * vocab_size as f64 * dim as f64) as usize;
        match (hadamard.allocate(bytes), singular.allocate(bytes)) {
            (Some(hadamard), Some(singular)) => hadamard.error <= WORTH_A_TRY * WORTH_A_TRY * singular.error,
            (Some(_), None) => true,
            (None, _) => false,
        }
    })
}
