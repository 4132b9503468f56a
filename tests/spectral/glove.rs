//! A real table: the errors are the least that its eigenvalues allow, at a precision that shows any loss.

use factorized_embedding::{Decompose, Rank, RowWeights, TruncatedSvd, io::safetensors::load_table};
use ndarray::{Array1, Array2};

use super::checks::{relative_error, weighted_norm};
use crate::support::{
    compare::widened,
    eigenvalues::{eigenvalues, gram, optimal_errors},
};

const RANKS: [usize; 4] = [1, 12, 25, 40];

pub(crate) fn glove() -> Array2<f32> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/data/glove50-top10k-f16.safetensors");
    load_table(path, "weight").expect("a valid file").to_array().into_owned()
}

pub(crate) fn weights() -> RowWeights {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/data/glove50-top10k.freq.npy");
    let counts: Array1<u64> = ndarray_npy::read_npy(path).expect("a valid file");
    let counts = counts.mapv(|count| count as f64).to_vec();
    RowWeights::new(counts).and_then(|weights| weights.with_smoothing(1.0)).expect("counts that are not negative")
}

#[test]
fn plain_errors_are_the_least_possible() {
    let table = glove();
    let optimum = optimal_errors(&eigenvalues(gram(table.view(), None)));
    for rank in RANKS {
        let decomposition = TruncatedSvd::new(Rank::Fixed(rank)).decompose(table.view()).expect("a finite table");
        assert_eq!(decomposition.weighted_relative_error, None);
        approx::assert_relative_eq!(decomposition.relative_error, optimum[rank], max_relative = 1e-5);
        let measured = relative_error(table.view(), None, &decomposition.factors);
        approx::assert_relative_eq!(measured, optimum[rank], max_relative = 1e-5);
    }
}

#[test]
fn errors_weighted_by_frequency_are_the_least_possible() {
    let table = glove();
    let weights = weights();
    let vector = weights.to_vec();
    approx::assert_relative_eq!(vector.iter().sum::<f64>(), 10_000.0, max_relative = 1e-12);
    let gram = gram(table.view(), Some(&vector));
    approx::assert_relative_eq!(
        gram.diag().sum().sqrt(),
        weighted_norm(&widened(table.view()), Some(&vector)),
        max_relative = 1e-12
    );
    let optimum = optimal_errors(&eigenvalues(gram));
    for rank in RANKS {
        let svd = TruncatedSvd::new(Rank::Fixed(rank)).with_row_weights(weights.clone());
        let decomposition = svd.decompose(table.view()).expect("a finite table");
        let error = decomposition.weighted_relative_error.expect("there are weights");
        approx::assert_relative_eq!(error, optimum[rank], max_relative = 1e-5);
        let measured = relative_error(table.view(), Some(&vector), &decomposition.factors);
        approx::assert_relative_eq!(measured, optimum[rank], max_relative = 1e-5);
    }
}
