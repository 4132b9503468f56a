//! Whatever the number of threads, the numbers are the same to the bit.

use factorized_embedding::{AlternatingLeastSquares, Decompose, Decomposition, Observations, RowWeights};

use super::checks::{mask, weights};
use crate::support::{compare::assert_same_bits, random::normal};

/// Rows for more than one block and more than one part.
const SHAPE: (usize, usize) = (9000, 12);

fn check(name: &str, decompose: impl Fn() -> Decomposition + Sync) {
    let pool = |threads| rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a thread pool");
    let alone = pool(1).install(&decompose);
    for threads in [2, 3] {
        let together = pool(threads).install(&decompose);
        assert_eq!(alone, together, "{name} on {threads} threads");
        assert_same_bits(name, alone.factors.u().view(), together.factors.u().view());
        assert_same_bits(name, alone.factors.v(), together.factors.v());
        let bits = |losses: &[f64]| losses.iter().map(|loss| loss.to_bits()).collect::<Vec<_>>();
        assert_eq!(bits(&alone.losses), bits(&together.losses), "{name} on {threads} threads");
    }
}

#[test]
fn threads_change_nothing() {
    let table = normal(SHAPE, 81);
    let weights = weights(&mask(SHAPE, 0.4, 82), 83);
    let known = Observations::from_entry_weights(table.view(), weights.view()).expect("a finite table");
    let rows = RowWeights::new((0..SHAPE.0).map(|i| (i % 7) as f64).collect::<Vec<_>>()).expect("not negative");
    for ridge in [0.0, 1.0] {
        let als = AlternatingLeastSquares::new(5).with_ridge(ridge).with_max_iterations(2);
        let als = als.with_row_weights(rows.clone());
        check("whole", || als.decompose(table.view()).expect("a finite table"));
        check("known", || als.fit(&known).expect("a finite table"));
    }
}
