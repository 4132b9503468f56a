//! The error of the logits instead of that of the table.

use factorized_embedding::{
    ColumnCovariance, Decompose, Error, GramAccumulator, MeanRemoval, RandomizedSvd, Rank, RowWeights, SvdRoute,
    TruncatedSvd,
};
use ndarray::{Array2, Axis, array};

use crate::support::{
    compare::widened,
    eigenvalues::{eigenvalues, gram, optimal_errors},
    random,
};

/// Hidden states that have some directions much more than others.
fn hidden(dim: usize) -> Array2<f32> {
    random::normal((50, dim), 41) * &Array2::from_shape_fn((1, dim), |(_, j)| 0.6_f32.powf(j as f32))
}

#[test]
fn the_error_of_the_logits_is_the_least_possible() {
    let (table, hidden) = (random::normal((200, 9), 42), hidden(9));
    let weights: Vec<f64> = (0..200).map(|i| f64::from(i % 7)).collect();
    let covariance = ColumnCovariance::of(hidden.view()).expect("finite");
    // Of any factors of the table, the logits are a matrix of the same rank.
    let logits = widened(table.view()).dot(&widened(hidden.view()).t());
    for weighted in [false, true] {
        let row_weights = RowWeights::new(if weighted { weights.clone() } else { vec![1.0; 200] }).expect("weights");
        let vector = row_weights.to_vec();
        let optimum = optimal_errors(&eigenvalues(gram(logits.mapv(|x| x as f32).view(), Some(&vector))));
        for (rank, &optimum) in optimum.iter().enumerate().take(10).skip(1) {
            for route in [SvdRoute::Qr, SvdRoute::Gram] {
                let svd = TruncatedSvd::new(Rank::Fixed(rank))
                    .with_route(route)
                    .with_row_weights(row_weights.clone())
                    .with_column_covariance(covariance.clone());
                let decomposition = svd.decompose(table.view()).expect("finite");
                let approximation = widened(decomposition.factors.to_dense().view()).dot(&widened(hidden.view()).t());
                let energy = |logits: &Array2<f64>| -> f64 {
                    logits.rows().into_iter().zip(&vector).map(|(row, weight)| weight * row.dot(&row)).sum()
                };
                let error = (energy(&(&logits - &approximation)) / energy(&logits)).sqrt();
                // The logits of the optimum are rounded to f32, the factors too.
                assert!((error - optimum).abs() < 1e-5, "rank {rank}, {route:?}: {error}, not {optimum}");
                let reported = decomposition.weighted_relative_error.expect("a covariance");
                assert!((reported - error).abs() < 1e-6, "rank {rank}, {route:?}: reported {reported}, not {error}");
                assert!((decomposition.spectrum.error_at(rank) - error).abs() < 1e-6);
            }
        }
    }
}

/// With the mean of the rows in the bias, what is left of the logits are those of the centred table.
#[test]
fn the_error_of_the_logits_beside_their_mean_is_the_least_possible() {
    let (table, hidden) = (random::normal((200, 9), 42) + 3.0, hidden(9));
    let covariance = ColumnCovariance::of(hidden.view()).expect("finite");
    let logits = widened(table.view()).dot(&widened(hidden.view()).t());
    let centred = &logits - &logits.mean_axis(Axis(0)).expect("some rows");
    let energy = |logits: &Array2<f64>| logits.iter().map(|x| x * x).sum::<f64>();
    let share = (energy(&centred) / energy(&logits)).sqrt();
    let optimum = optimal_errors(&eigenvalues(gram(centred.mapv(|x| x as f32).view(), None)));
    let mut gram = GramAccumulator::new(9).expect("nine columns");
    gram.update(table.view(), None).expect("finite");
    for rank in [1, 3, 8] {
        let (svd, random) = (TruncatedSvd::new(Rank::Fixed(rank)), RandomizedSvd::new(Rank::Fixed(rank)));
        let svd = svd.with_mean_removal(MeanRemoval::Always).with_column_covariance(covariance.clone());
        let random = random.with_mean_removal(MeanRemoval::Always).with_column_covariance(covariance.clone());
        let of = |method: &dyn Decompose| {
            let decomposition = method.decompose(table.view()).expect("finite");
            assert!(decomposition.factors.bias().is_some());
            decomposition.weighted_relative_error.expect("a covariance")
        };
        let basis = gram.solve_with(Rank::Fixed(rank), MeanRemoval::Always, Some(&covariance)).expect("enough rows");
        let errors = [
            ("qr", of(&svd.clone().with_route(SvdRoute::Qr))),
            ("gram", of(&svd.with_route(SvdRoute::Gram))),
            ("randomized", of(&random)),
            ("solved", basis.spectrum().error_at(rank)),
        ];
        for (name, error) in errors {
            let expected = optimum[rank] * share;
            assert!((error - expected).abs() < 1e-5, "{name}, rank {rank}: {error}, not {expected}");
        }
    }
}

#[test]
fn the_identity_and_multiples_of_it_change_nothing() {
    let table = random::normal((60, 6), 43);
    for route in [SvdRoute::Qr, SvdRoute::Gram] {
        let plain = TruncatedSvd::new(Rank::Fixed(3)).with_route(route);
        let expected = plain.decompose(table.view()).expect("finite").factors.to_dense();
        for scale in [1e-20, 1.0, 1e20] {
            let covariance = ColumnCovariance::new(Array2::from_diag_elem(6, scale)).expect("positive");
            let found = plain.clone().with_column_covariance(covariance).decompose(table.view()).expect("finite");
            approx::assert_abs_diff_eq!(found.factors.to_dense(), expected, epsilon = 1e-5);
        }
    }
}

#[test]
fn directions_that_nobody_has_are_given_up_unless_there_is_a_ridge() {
    let table = random::normal((60, 4), 44);
    let mut hidden = hidden(4);
    hidden.column_mut(2).fill(0.0);
    let covariance = ColumnCovariance::of(hidden.view()).expect("finite");
    let decompose = |covariance: ColumnCovariance| {
        let svd = TruncatedSvd::new(Rank::Fixed(4)).with_column_covariance(covariance);
        svd.decompose(table.view()).expect("finite")
    };
    let without = decompose(covariance.clone());
    assert!(without.factors.to_dense().column(2).iter().all(|value| value.abs() < 1e-5));
    assert!(without.weighted_relative_error.expect("a covariance") < 1e-6);
    let with = decompose(covariance.with_ridge(1e-3).expect("a ridge"));
    assert!(with.relative_error < 1e-5, "all directions are kept: {with:?}");
}

#[test]
fn sums_of_hidden_states_are_their_second_moment() {
    let hidden = hidden(7);
    let mut sums = GramAccumulator::new(7).expect("seven columns");
    for block in hidden.axis_chunks_iter(Axis(0), 11) {
        sums.update(block, None).expect("finite");
    }
    let (streamed, whole) =
        (sums.column_covariance().expect("sums"), ColumnCovariance::of(hidden.view()).expect("finite"));
    approx::assert_relative_eq!(streamed.matrix(), whole.matrix(), max_relative = 1e-12);
    let entry = hidden.column(1).iter().zip(hidden.column(2)).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum::<f64>();
    approx::assert_relative_eq!(whole.matrix()[[1, 2]], entry / 50.0, max_relative = 1e-12);
}

#[test]
fn a_randomized_svd_minimises_the_same() {
    let (table, covariance) = (random::normal((200, 30), 45), ColumnCovariance::of(hidden(30).view()).expect("finite"));
    let exact = TruncatedSvd::new(Rank::Fixed(5)).with_column_covariance(covariance.clone());
    let random = RandomizedSvd::new(Rank::Fixed(5)).with_column_covariance(covariance);
    let error = |method: &dyn Decompose| method.decompose(table.view()).expect("finite").weighted_relative_error;
    let (exact, random) = (error(&exact).expect("a covariance"), error(&random).expect("a covariance"));
    assert!(random >= exact - 1e-7 && random < 1.01 * exact, "{random}, exact {exact}");
}

#[test]
fn what_is_no_covariance_is_refused() {
    let refused = |matrix: Array2<f64>| ColumnCovariance::new(matrix).expect_err("no covariance");
    assert!(matches!(refused(Array2::zeros((0, 0))), Error::Empty { .. }));
    assert!(matches!(refused(Array2::zeros((2, 3))), Error::ShapeMismatch { .. }));
    assert!(matches!(refused(Array2::zeros((2, 2))), Error::InvalidSetting { .. }));
    assert!(matches!(refused(array![[1.0, 0.5], [0.4, 1.0]]), Error::InvalidSetting { .. }));
    assert!(matches!(refused(array![[1.0, 2.0], [2.0, 1.0]]), Error::InvalidSetting { .. }));
    assert!(matches!(refused(array![[f64::NAN]]), Error::NonFinite { .. }));
    assert!(matches!(ColumnCovariance::of(Array2::zeros((0, 3)).view()), Err(Error::Empty { .. })));
    assert!(matches!(ColumnCovariance::of(array![[1.0, f32::INFINITY]].view()), Err(Error::NonFinite { .. })));
    let identity = ColumnCovariance::new(Array2::eye(3)).expect("positive");
    for share in [-1.0, f64::NAN, f64::INFINITY] {
        assert!(matches!(identity.clone().with_ridge(share), Err(Error::InvalidSetting { .. })));
    }
    let table = random::normal((10, 4), 46);
    let methods: [Box<dyn Decompose>; 2] = [
        Box::new(TruncatedSvd::new(Rank::Fixed(1)).with_column_covariance(identity.clone())),
        Box::new(RandomizedSvd::new(Rank::Fixed(1)).with_column_covariance(identity)),
    ];
    for method in methods {
        assert!(matches!(method.decompose(table.view()), Err(Error::ShapeMismatch { .. })), "{method:?}");
    }
}
