//! One group is the truncated SVD.

use factorized_embedding::{Decompose, Rank, RowGroups, TruncatedSvd};

use super::checks::{Weighted, direction_bytes, interleaved, weights};
use crate::support::random;

#[test]
fn one_group_is_the_weighted_truncated_svd() {
    let table = random::normal((60, 7), 71);
    for rank in 1..=7 {
        let svd = TruncatedSvd::new(Rank::Fixed(rank)).with_row_weights(weights(60));
        let expected = svd.decompose(table.view()).expect("a finite table");
        let bytes = 60 + rank * direction_bytes(60, 7);
        let actual = Weighted::by_counts(&table).decompose(&interleaved(60, 1), bytes);
        let factors = actual.factors.blocks()[0].as_ref().expect("a rank");
        assert_eq!(factors.rank(), rank);
        // The directions of a Gram matrix are accurate to ε over the gaps between the squared singular values.
        approx::assert_abs_diff_eq!(factors.v(), expected.factors.v(), epsilon = 1e-6);
        approx::assert_abs_diff_eq!(factors.to_dense(), expected.factors.to_dense(), epsilon = 1e-5);
        approx::assert_relative_eq!(
            actual.spectrum.singular_values(),
            expected.spectrum.singular_values(),
            max_relative = 1e-12
        );
        let error = |error: Option<f64>| error.expect("weights");
        let (actual, expected) = (error(actual.weighted_relative_error), error(expected.weighted_relative_error));
        approx::assert_abs_diff_eq!(actual, expected, epsilon = 1e-6);
    }
}

#[test]
fn groups_do_not_know_each_other() {
    let table = random::normal((20, 5), 72);
    let groups = RowGroups::from_group_of([vec![0; 12], vec![1; 8]].concat()).expect("rows");
    let together = Weighted::plain(&table).decompose(&groups, usize::MAX).factors;
    let mut changed = table.clone();
    changed.row_mut(15).fill(0.5);
    let other = Weighted::plain(&changed).decompose(&groups, usize::MAX).factors;
    assert_eq!(together.blocks()[0], other.blocks()[0]);
    assert_ne!(together.blocks()[1], other.blocks()[1]);
}
