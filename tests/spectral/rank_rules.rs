//! The rules for the rank that look at all singular values, on tables whose answer is known.

use factorized_embedding::{Decompose, Rank, RowWeights, Spectrum, TruncatedSvd};
use ndarray::{Array2, ArrayView2, Axis, concatenate};

use crate::support::random;

const RULES: [Rank; 4] = [Rank::Effective, Rank::HardThreshold, Rank::NoiseLevel(0.5), Rank::Knee];

/// The rank that is chosen for a table, and for it turned on its side.
#[track_caller]
fn chosen(table: ArrayView2<'_, f32>, rule: Rank) -> usize {
    let [upright, turned] = [table, table.t()].map(|table| {
        let decomposition = TruncatedSvd::new(rule).decompose(table).expect("a finite table");
        let rank = decomposition.factors.rank();
        assert_eq!(rule.select(&decomposition.spectrum).expect("all values"), rank, "{rule:?} of the spectrum");
        rank
    });
    assert_eq!(upright, turned, "{rule:?}: a table and its transpose have the same singular values");
    upright
}

/// A matrix of the rank, with singular values about `scale` · √(rows · columns), and noise of standard deviation 0.5.
fn with_noise((rows, columns): (usize, usize), rank: usize, scale: f32, seed: u64) -> Array2<f32> {
    let signal = random::normal((rows, rank), seed).dot(&random::normal((rank, columns), seed + 1));
    signal * scale + random::normal((rows, columns), seed + 2) * 0.5
}

#[test]
fn the_rank_below_white_noise_is_found() {
    for (seed, shape) in [(100, 100), (150, 50), (400, 60), (900, 30)].into_iter().enumerate() {
        for rank in [1, 2, 5] {
            // Of noise alone, the largest value is near 0.5·(√rows + √columns); those of the signal are far above it.
            let table = with_noise(shape, rank, 1.0, 10 * seed as u64);
            assert_eq!(chosen(table.view(), Rank::HardThreshold), rank, "noise of unknown level, {shape:?}");
            assert_eq!(chosen(table.view(), Rank::NoiseLevel(0.5)), rank, "noise of known level, {shape:?}");
        }
        let noise = with_noise(shape, 1, 0.0, 10 * seed as u64);
        assert_eq!(chosen(noise.view(), Rank::HardThreshold), 1, "noise alone: a direction at least");
        assert_eq!(chosen(noise.view(), Rank::NoiseLevel(0.5)), 1, "noise alone: a direction at least");
    }
}

#[test]
fn cutting_at_the_hard_threshold_is_nearest_to_the_table_without_noise() {
    // Values on both sides of the threshold: neither all of them nor the rank of the signal is the best cut.
    let scales = Array2::from_shape_fn((12, 1), |(i, _)| 0.5_f32.powf(i as f32 / 2.0));
    let signal = random::normal((300, 12), 50).dot(&(random::normal((12, 120), 51) * scales));
    let table = &signal + &(random::normal((300, 120), 52) * 0.5);
    let error = |rank: usize| {
        let factors = TruncatedSvd::new(Rank::Fixed(rank)).decompose(table.view()).expect("a finite table").factors;
        (factors.to_dense() - &signal).iter().map(|&difference| f64::from(difference).powi(2)).sum::<f64>()
    };
    let rank = chosen(table.view(), Rank::HardThreshold);
    assert!((2..12).contains(&rank), "some of the signal is below the noise, not {rank}");
    // The optimum is one of large tables: here it may miss by a direction, but not by two.
    assert!(error(rank) < error(rank - 2) && error(rank) < error(rank + 2), "{rank} is not near the least error");
    assert_eq!(chosen(table.view(), Rank::NoiseLevel(0.5)), rank);
}

#[test]
fn tables_of_one_kind_of_direction() {
    let one_column = Array2::from_shape_fn((9, 1), |(i, _)| i as f32);
    let rank_1 = one_column.dot(&Array2::from_elem((1, 5), 2.0));
    let identity = Array2::<f32>::eye(6);
    let wide = concatenate![Axis(1), identity, identity];
    for rule in RULES {
        assert_eq!(chosen(Array2::zeros((4, 3)).view(), rule), 1, "{rule:?}: zeros");
        assert_eq!(chosen(Array2::ones((1, 1)).view(), rule), 1, "{rule:?}: one number");
        assert_eq!(chosen(one_column.view(), rule), 1, "{rule:?}: one column");
        assert_eq!(chosen(rank_1.view(), rule), 1, "{rule:?}: rank 1");
    }
    for flat in [identity.view(), wide.view()] {
        assert_eq!(chosen(flat, Rank::Effective), 6, "all directions count the same");
        assert_eq!(chosen(flat, Rank::Knee), 6, "none is worth more than another");
        assert_eq!(chosen(flat, Rank::HardThreshold), 1, "values that are all the same look like noise");
        assert_eq!(chosen(flat, Rank::NoiseLevel(0.0)), 6, "without noise all count");
        assert_eq!(chosen(flat, Rank::NoiseLevel(10.0)), 1, "all are below the noise");
    }
}

#[test]
fn diagonal_tables_have_the_ranks_of_their_diagonal() {
    // ½, ¼, ⅛, …: exact in `f32`, and answers in closed form.
    let table = Array2::from_shape_fn((17, 11), |(i, j)| if i == j { 0.5_f32.powi(i as i32) } else { 0.0 });
    assert_eq!(chosen(table.view(), Rank::Effective), 4, "exp(2·ln 2), but for what follows the last value");
    // The slope of ½^rank is that of the chord, −1/11, at log₂(11·ln 2) = 2.93.
    assert_eq!(chosen(table.view(), Rank::Knee), 3);
    // The median is ½⁵ and 2 < ω(11/17) < 4: values from ½³ on are above ω·½⁵.
    assert_eq!(chosen(table.view(), Rank::HardThreshold), 4);
}

#[test]
fn weighted_tables_are_ranked_by_their_weighted_values() {
    // One row matters, and it alone is a direction.
    let table = Array2::<f32>::eye(5);
    let weights = RowWeights::new([1.0, 0.0, 0.0, 0.0, 0.0]).expect("positive");
    for rule in RULES {
        let svd = TruncatedSvd::new(rule).with_row_weights(weights.clone());
        assert_eq!(svd.decompose(table.view()).expect("a finite table").factors.rank(), 1, "{rule:?}");
    }
}

#[test]
fn one_decomposition_answers_for_all_rules() {
    let table = with_noise((80, 20), 3, 1.0, 90);
    let spectrum: Spectrum = TruncatedSvd::new(Rank::Fixed(1)).decompose(table.view()).expect("finite").spectrum;
    for rule in [Rank::Fixed(7), Rank::Energy(0.9), Rank::RelativeError(0.2), Rank::Bytes(5000)].iter().chain(&RULES) {
        let rank = TruncatedSvd::new(*rule).decompose(table.view()).expect("finite").factors.rank();
        assert_eq!(rule.select(&spectrum).expect("all values"), rank, "{rule:?}");
    }
}

#[test]
fn values_whose_squares_cannot_be_compared_are_refused() {
    use factorized_embedding::{Error, Spectrum};

    for values in [ndarray::array![1e200, 1.0], ndarray::array![1e-200, 1e-201]] {
        let result = Spectrum::new(values.clone(), 10, 2);
        assert!(matches!(result, Err(Error::InvalidSetting { .. })), "{values}: {result:?}");
    }
}
