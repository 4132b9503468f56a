//! Entries of tables that are known in part.

use factorized_embedding::{Error, Observations};
use ndarray::{Array2, array};

use crate::assert_refused;

#[test]
fn column_out_of_range() {
    let kind = |error: &Error| matches!(error, Error::ColumnOutOfRange { column: 2, position: 1, dim: 2 });
    let message = "column 2 at position 1 is out of range for a dim of 2 (columns 0..=1)";
    assert_refused(Observations::from_triplets(3, 2, [(0, 1, 1.0), (2, 2, 1.0)]), kind, message);
}

#[test]
fn duplicate_entry() {
    let kind = |error: &Error| matches!(error, Error::DuplicateEntry { row: 2, column: 1 });
    let message = "the entry in row 2 and column 1 is given twice";
    let entries = [(2, 1, 1.0), (0, 0, 1.0), (2, 1, 5.0)];
    assert_refused(Observations::from_triplets(3, 2, entries), kind, message);
}

#[test]
fn invalid_entry_weight() {
    let kind = |error: &Error| matches!(error, Error::InvalidEntryWeight { row: 1, column: 0, .. });
    let message = "the weight of the entry in row 1 and column 0 is -0.5: weights are finite and not negative";
    let weights = array![[1.0, 1.0], [-0.5, 1.0]];
    assert_refused(Observations::from_entry_weights(Array2::ones((2, 2)).view(), weights.view()), kind, message);
}

#[test]
fn no_known_entries() {
    let kind = |error: &Error| matches!(error, Error::NoKnownEntries { vocab_size: 3, dim: 2 });
    let message = "of a table of 3 × 2, no entry is known that has any weight";
    assert_refused(Observations::from_triplets(3, 2, []), kind, message);
}
