//! Where it begins and when it stops.

use factorized_embedding::{AlternatingLeastSquares, Decompose, Decomposition, Factors, Rank, TruncatedSvd};
use ndarray::{Array2, array};

use super::checks::{known, mask};
use crate::support::{compare::assert_same_bits, random, random::normal};

const SHAPE: (usize, usize) = (60, 16);

fn problem() -> factorized_embedding::Observations {
    known(normal(SHAPE, 71).view(), &mask(SHAPE, 0.7, 72))
}

fn last(decomposition: &Decomposition) -> f64 {
    decomposition.losses[decomposition.losses.len() - 1]
}

#[test]
fn from_the_optimum_it_stops_at_once_and_keeps_the_loss() {
    for ridge in [0.0, 0.5] {
        let als = AlternatingLeastSquares::new(4).with_ridge(ridge).with_tolerance(1e-15).with_max_iterations(20_000);
        let optimum = als.fit(&problem()).expect("known entries");
        assert!(optimum.losses.len() > 10, "it has to do something: {:?}", optimum.losses.len());
        let again = als.with_tolerance(1e-6).with_warm_start(optimum.factors.clone());
        let again = again.fit(&problem()).expect("known entries");
        assert_eq!(again.losses.len(), 1, "ridge {ridge}");
        // The factors were rounded to f32, which changes the loss to the second order.
        approx::assert_relative_eq!(last(&again), last(&optimum), max_relative = 1e-9);
    }
}

#[test]
fn from_the_truncated_svd_of_a_whole_table_it_stops_at_once() {
    let table = normal(SHAPE, 73);
    let svd = TruncatedSvd::new(Rank::Fixed(5)).decompose(table.view()).expect("a finite table");
    let als = AlternatingLeastSquares::new(5).with_warm_start(svd.factors);
    let decomposition = als.decompose(table.view()).expect("a finite table");
    assert_eq!(decomposition.losses.len(), 1);
    approx::assert_relative_eq!(decomposition.relative_error, svd.relative_error, max_relative = 1e-6);
}

#[test]
fn the_form_of_the_warm_start_does_not_matter() {
    let optimum = AlternatingLeastSquares::new(3).with_ridge(0.1).fit(&problem()).expect("known entries").factors;
    let u = optimum.u().to_owned() * 100.0;
    let v = optimum.projection() * 0.01;
    // A basis of rank space that is not orthogonal.
    let (mix, back) = (
        array![[1.0, 5.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]],
        array![[1.0, -5.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]],
    );
    let other = Factors::new(u.dot(&mix), back.dot(&v)).expect("the same shapes");
    let fit = |factors| {
        let als = AlternatingLeastSquares::new(3).with_ridge(0.1).with_max_iterations(1).with_warm_start(factors);
        als.fit(&problem()).expect("known entries").losses[0]
    };
    approx::assert_relative_eq!(fit(optimum), fit(other), max_relative = 1e-5);
}

#[test]
fn a_warm_start_of_a_smaller_rank_is_filled_up() {
    let small = AlternatingLeastSquares::new(2).with_ridge(0.1).fit(&problem()).expect("known entries");
    let als = AlternatingLeastSquares::new(5).with_ridge(0.1).with_warm_start(small.factors.clone());
    let large = als.fit(&problem()).expect("known entries");
    assert_eq!(large.factors.rank(), 5);
    assert!(large.spectrum.singular_values()[4] > 0.1, "{:?}", large.spectrum.singular_values());
    assert!(last(&large) < 0.8 * last(&small));
    // Zero directions are filled up, too.
    let zeros = Factors::new(Array2::zeros((SHAPE.0, 3)), Array2::ones((3, SHAPE.1))).expect("shapes that fit");
    let from_zeros = AlternatingLeastSquares::new(5).with_ridge(0.1).with_warm_start(zeros);
    let from_zeros = from_zeros.fit(&problem()).expect("known entries");
    assert!(from_zeros.spectrum.singular_values()[4] > 0.1, "{:?}", from_zeros.spectrum.singular_values());
}

#[test]
fn more_iterations_go_on_where_fewer_stopped() {
    let als = AlternatingLeastSquares::new(3).with_ridge(0.1).with_tolerance(0.0).with_max_iterations(6);
    let short = als.fit(&problem()).expect("known entries");
    let long = als.with_max_iterations(12).fit(&problem()).expect("known entries");
    assert_eq!((short.losses.len(), long.losses.len()), (6, 12));
    assert_eq!(short.losses, long.losses[..6]);
}

#[test]
fn it_stops_early_where_the_loss_hardly_decreases() {
    let als = AlternatingLeastSquares::new(3).with_max_iterations(1000);
    let mut lengths = Vec::new();
    for tolerance in [1e-1, 1e-3, 1e-6] {
        let losses = als.clone().with_tolerance(tolerance).fit(&problem()).expect("known entries").losses;
        let decreases: Vec<f64> = losses.windows(2).map(|pair| (pair[0] - pair[1]) / pair[0]).collect();
        let (last, others) = decreases.split_last().expect("several iterations");
        assert!(*last <= tolerance, "tolerance {tolerance}: {decreases:?}");
        assert!(others.iter().all(|decrease| *decrease > tolerance), "tolerance {tolerance}: {decreases:?}");
        lengths.push(losses.len());
    }
    assert!(lengths.is_sorted_by(|a, b| a < b) && lengths[2] < 1000, "{lengths:?}");
}

#[test]
fn a_seed_gives_the_same_bits_and_another_one_others() {
    let als = AlternatingLeastSquares::new(3).with_max_iterations(2);
    let fit = |als: &AlternatingLeastSquares| als.fit(&problem()).expect("known entries");
    assert_same_bits("U", fit(&als).factors.u().view(), fit(&als).factors.u().view());
    assert_ne!(fit(&als), fit(&als.clone().with_seed(1)));
    // A generator of the caller's, of the kind and state of the seed's.
    let own = als.clone().with_seed(5).fit_with(&problem(), &mut random::rng(6)).expect("known entries");
    assert_eq!(own, fit(&als.clone().with_seed(6)));
    let table = normal(SHAPE, 74);
    let own = als.decompose_with(table.view(), &mut random::rng(7)).expect("a finite table");
    assert_eq!(own, als.with_seed(7).decompose(table.view()).expect("a finite table"));
}
