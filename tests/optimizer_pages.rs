//! What an optimizer remembers takes physical memory near the rows that were touched, not for the whole vocabulary.
//!
//! The memory of the whole process is looked at: there is one test, and no other beside it.
#![cfg(target_os = "linux")]

#[path = "../benches/support/anonymous.rs"]
mod anonymous;

use anonymous::anonymous;
#[cfg(feature = "decompose")]
use factorized_embedding::train::GradientCovariance;
use factorized_embedding::{
    FactorizedEmbedding, Factors,
    train::{FactorGradients, FactorOptimizer, Optimizer, RowGradient},
};
use ndarray::Array2;

const VOCAB_SIZE: usize = 1_000_000;
const RANK: usize = 64;
/// Two pages of each moment and of U, and what else a step takes.
const FEW: u64 = 16 << 20;

#[test]
fn rows_that_are_never_touched_take_no_pages() {
    let factors = Factors::new(Array2::zeros((VOCAB_SIZE, RANK)), Array2::ones((RANK, RANK)));
    let mut layer = FactorizedEmbedding::new(factors.expect("shapes that multiply"));
    let mut optimizer = FactorOptimizer::new(Optimizer::adam()).expect("a valid rule");
    let mut gradients = FactorGradients::default();
    gradients.u = Some(RowGradient::of_rows(vec![7, 600_000], Array2::ones((2, RANK))).expect("ascending ids"));
    let now = || anonymous().expect("a Linux that tells");
    let before = now();
    optimizer.step(&mut layer, &gradients, 0.01).expect("shapes that fit");
    let grown = now().saturating_sub(before);
    let whole = (2 * size_of::<f32>() * VOCAB_SIZE * RANK) as u64;
    assert!(grown <= FEW && FEW < whole / 16, "{grown} bytes of {whole} for two rows");
    assert!(optimizer.state().size_in_bytes() as u64 >= whole);

    // Nor where they are turned.
    #[cfg(feature = "decompose")]
    {
        let mut covariance = GradientCovariance::new(RANK, 0.95).expect("a decay");
        covariance.add(gradients.u.as_ref().expect("a gradient of U")).expect("finite numbers");
        optimizer.rotate_to_eigenbasis(&mut layer, &mut covariance).expect("of the same rank");
        let grown = now().saturating_sub(before);
        assert!(grown <= 2 * FEW, "{grown} bytes of {whole} after a rotation");
    }
}
