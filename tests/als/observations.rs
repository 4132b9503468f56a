//! Observations as values.

use factorized_embedding::Observations;
use ndarray::array;

#[test]
fn they_say_how_much_is_known() {
    let table = array![[1.0, f32::NAN, 3.0], [f32::INFINITY, 5.0, 6.0]];
    let known = Observations::from_mask(table.view(), table.mapv(f32::is_finite).view()).expect("finite entries");
    assert_eq!((known.vocab_size(), known.dim(), known.len()), (2, 3, 4));
    assert!(!known.is_empty() && !known.has_weights());
    let weights = array![[1.0, 0.0, 3.0], [0.0, 1.0, 0.0]];
    let weighted = Observations::from_entry_weights(table.view(), weights.view()).expect("finite entries");
    assert_eq!((weighted.len(), weighted.has_weights()), (3, true));
    assert_ne!(known, weighted);
}

#[test]
fn an_entry_of_zero_is_not_a_missing_one() {
    let zeros = Observations::from_triplets(2, 2, [(0, 0, 0.0), (1, 1, 0.0)]).expect("known entries");
    assert_eq!(zeros.len(), 2);
}

#[test]
fn the_order_of_triplets_does_not_matter() {
    let triplets = [(0, 0, 1.0), (0, 2, 2.0), (1, 1, 3.0), (2, 0, 4.0)];
    let expected = Observations::from_triplets(3, 3, triplets).expect("known entries");
    let reversed = Observations::from_triplets(3, 3, triplets.into_iter().rev()).expect("known entries");
    assert_eq!(reversed, expected);
}
