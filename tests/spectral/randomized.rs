//! The randomized SVD: how near the optimum it is, and that it knows.

use factorized_embedding::{
    ArrayRows, Decompose, Decomposition, Error, MeanRemoval, Products, RandomizedSvd, Rank, RowWeights, TruncatedSvd,
};
use ndarray::{Array2, ArrayView2};

use super::{
    glove::{glove, weights},
    tables::tables,
};
use crate::support::{compare::widened, random};

fn error(decomposition: &Decomposition) -> f64 {
    decomposition.weighted_relative_error.unwrap_or(decomposition.relative_error)
}

#[test]
fn two_power_iterations_come_within_one_percent_of_the_optimum() {
    let table = glove();
    for given in [None, Some(weights())] {
        for rank in [1, 5, 12, 25, 40] {
            let (mut exact, mut random) = (TruncatedSvd::new(Rank::Fixed(rank)), RandomizedSvd::new(Rank::Fixed(rank)));
            if let Some(weights) = given.clone() {
                (exact, random) = (exact.with_row_weights(weights.clone()), random.with_row_weights(weights));
            }
            let exact = error(&exact.decompose(table.view()).expect("a finite table"));
            for seed in 0..5 {
                let random = random.clone().with_seed(seed).decompose(table.view()).expect("a finite table");
                let found = error(&random);
                assert!(found >= exact * (1.0 - 1e-6), "rank {rank}, seed {seed}: {found} is below {exact}");
                assert!(found <= exact * 1.01, "rank {rank}, seed {seed}: {found}, the optimum is {exact}");
            }
        }
    }
}

#[test]
fn more_iterations_and_directions_are_better() {
    let table = random::normal((300, 120), 71);
    let mean_error = |oversampling: usize, iterations: usize| -> f64 {
        let svd = RandomizedSvd::new(Rank::Fixed(10)).with_oversampling(oversampling).with_power_iterations(iterations);
        (0..5).map(|seed| error(&svd.clone().with_seed(seed).decompose(table.view()).expect("finite"))).sum()
    };
    assert!(mean_error(0, 1) < mean_error(0, 0));
    assert!(mean_error(0, 2) < mean_error(0, 1));
    assert!(mean_error(20, 0) < mean_error(0, 0));
}

#[test]
fn the_spectrum_promises_no_less_error_than_there_is() {
    for (name, table) in tables().into_iter().chain([("large", random::normal((200, 80), 72))]) {
        let side = table.nrows().min(table.ncols());
        for rank in [1, side.div_ceil(2), side] {
            let svd = RandomizedSvd::new(Rank::Fixed(rank)).with_power_iterations(1).with_oversampling(2);
            let found = svd.decompose(table.view()).expect("a finite table");
            let exact = TruncatedSvd::new(Rank::Fixed(rank)).decompose(table.view()).expect("a finite table");
            let bound = found.spectrum.error_at(rank);
            assert!(found.relative_error <= bound + 2e-6, "{name}, rank {rank}: {found:?} above {bound}");
            assert!(found.relative_error >= exact.relative_error - 2e-6, "{name}, rank {rank}: {found:?}");
            let (values, exact) = (found.spectrum.singular_values(), exact.spectrum.singular_values().to_owned());
            for (value, exact) in values.iter().zip(&exact) {
                assert!(*value <= exact + 1e-7 * exact.max(1e-7 * values[0]) + 1e-7 * values[0], "{name}: {value}");
            }
            check_orthonormal(name, found.factors.v());
        }
    }
}

fn check_orthonormal(name: &str, v: ArrayView2<'_, f32>) {
    let v = widened(v);
    for ((i, j), product) in v.dot(&v.t()).indexed_iter() {
        let expected = f64::from(u8::from(i == j));
        assert!((product - expected).abs() < 1e-5, "{name}: V·Vᵀ[{i}, {j}] is {product}");
    }
    for row in v.rows() {
        let (largest, smallest) = row.iter().fold((0.0_f64, 0.0_f64), |(a, b), &x| (a.max(x), b.min(x)));
        assert!(largest >= -smallest, "{name}: the entry of largest magnitude of a row is negative");
    }
}

#[test]
fn a_table_of_low_rank_is_found_whole() {
    let table = random::normal((400, 6), 73).dot(&random::normal((6, 90), 74));
    for products in [Products::F64, Products::F32] {
        let svd = RandomizedSvd::new(Rank::Fixed(6)).with_products(products);
        let found = svd.decompose(table.view()).expect("a finite table");
        assert!(found.relative_error < 1e-6, "{products:?}: {found:?}");
    }
    // The rank is found, too, and more than there is may be asked for.
    let found = RandomizedSvd::new(Rank::RelativeError(1e-4)).with_block(2).decompose(table.view()).expect("finite");
    assert_eq!(found.factors.rank(), 6);
    let found = RandomizedSvd::new(Rank::Fixed(90)).decompose(table.view()).expect("finite");
    assert!(found.relative_error < 1e-6, "{found:?}");
}

#[test]
fn the_rank_grows_until_the_error_is_reached() {
    let decay = Array2::from_shape_fn((1, 100), |(_, j)| 0.9_f32.powf(j as f32));
    let table = random::normal((300, 100), 75) * &decay;
    for target in [0.9, 0.5, 0.1, 0.01, 1e-3, 0.0] {
        for block in [1, 7, 64] {
            let svd = RandomizedSvd::new(Rank::RelativeError(target)).with_block(block);
            let found = svd.decompose(table.view()).expect("a finite table");
            assert!(found.relative_error <= target + 1e-6, "{target}, blocks of {block}: {found:?}");
            let exact = TruncatedSvd::new(Rank::RelativeError(target)).decompose(table.view()).expect("a finite table");
            let (rank, least) = (found.factors.rank(), exact.factors.rank());
            assert!(
                rank >= least && rank <= least + 2 + least / 10,
                "{target}, blocks of {block}: {rank}, not {least}"
            );
        }
    }
    for share in [0.5, 0.99, 1.0] {
        let found =
            RandomizedSvd::new(Rank::Energy(share)).with_block(9).decompose(table.view()).expect("a finite table");
        assert!(1.0 - found.relative_error.powi(2) >= share - 1e-6, "{share}: {found:?}");
    }
}

#[test]
fn products_in_f32_promise_no_more_than_they_keep() {
    let decay = Array2::from_shape_fn((1, 90), |(_, j)| 0.5_f32.powf(j as f32));
    let table = (random::normal((700, 90), 79) * &decay).dot(&random::normal((90, 90), 80)) + 3.0;
    for target in [1e-1, 1e-2, 3e-4, 1e-6] {
        for (block, iterations) in [(1, 0), (8, 0), (64, 2)] {
            for mean in [MeanRemoval::Never, MeanRemoval::Always] {
                let svd =
                    RandomizedSvd::new(Rank::RelativeError(target)).with_products(Products::F32).with_block(block);
                let svd = svd.with_power_iterations(iterations).with_mean_removal(mean);
                let found = svd.decompose(table.view()).expect("a finite table");
                let promised = found.spectrum.error_at(found.factors.rank());
                let error = found.relative_error;
                assert!(
                    error <= promised * (1.0 + 1e-6) + 2e-6,
                    "{target}, {block}, {mean:?}: {error}, not {promised}"
                );
            }
        }
    }
}

#[test]
fn products_are_as_wide_as_the_table_needs() {
    let (flat, low) = (
        random::normal((300, 60), 81),
        random::normal((300, 6), 82).dot(&random::normal((6, 60), 83)) + random::normal((300, 60), 84) * 1e-3,
    );
    let basis = |svd: &RandomizedSvd, table: &Array2<f32>| {
        svd.basis_with(&mut ArrayRows::new(table.view()), &mut random::rng(5)).expect("a finite table")
    };
    let svd = RandomizedSvd::new(Rank::Fixed(6)).with_power_iterations(1);
    let [narrow, wide] = [Products::F32, Products::F64].map(|products| svd.clone().with_products(products));
    assert_eq!(basis(&svd, &flat), basis(&narrow, &flat));
    assert_ne!(basis(&svd, &flat), basis(&wide, &flat));
    // In f64 with the random numbers that come after those of the first attempt.
    assert_ne!(basis(&svd, &low), basis(&narrow, &low));
    let error = |svd: &RandomizedSvd| svd.decompose(low.view()).expect("a finite table").relative_error;
    let exact = TruncatedSvd::new(Rank::Fixed(6)).decompose(low.view()).expect("a finite table").relative_error;
    assert!(error(&svd) < 1.001 * exact, "{}, exact {exact}", error(&svd));
}

#[test]
fn seeds_and_generators_make_it_repeatable() {
    let table = random::normal((100, 40), 76);
    let svd = RandomizedSvd::new(Rank::Fixed(5)).with_power_iterations(0);
    let decompose = |seed| svd.clone().with_seed(seed).decompose(table.view()).expect("a finite table");
    assert_eq!(decompose(1), decompose(1));
    assert_ne!(decompose(1), decompose(2));
    let given = svd.decompose_with(table.view(), &mut random::rng(1)).expect("a finite table");
    assert_eq!(given, decompose(1));
}

#[test]
fn blocks_of_the_source_change_nothing_but_rounding() {
    let table = random::normal((2000, 30), 77);
    let svd = RandomizedSvd::new(Rank::Fixed(5)).with_products(Products::F64);
    let basis = |block| {
        let mut rows = ArrayRows::new(table.view()).with_block_rows(block);
        svd.basis_with(&mut rows, &mut random::rng(3)).expect("a finite table")
    };
    let whole = basis(2000);
    for block in [1, 333, 1999] {
        approx::assert_abs_diff_eq!(basis(block).v(), whole.v(), epsilon = 1e-6);
    }
}

#[test]
fn bad_input_is_refused() {
    let decompose = |table: Array2<f32>, rank| RandomizedSvd::new(rank).decompose(table.view());
    assert!(matches!(decompose(Array2::zeros((0, 3)), Rank::Fixed(1)), Err(Error::Empty { .. })));
    assert!(matches!(decompose(Array2::zeros((5, 3)), Rank::Fixed(4)), Err(Error::RankOutOfRange { .. })));
    assert!(matches!(decompose(Array2::zeros((5, 3)), Rank::Energy(0.0)), Err(Error::InvalidSetting { .. })));
    assert!(matches!(decompose(Array2::zeros((5, 3)), Rank::Bytes(1)), Err(Error::BudgetTooSmall { .. })));
    let mut table = Array2::zeros((1000, 3));
    table[[700, 2]] = f32::INFINITY;
    match decompose(table, Rank::Fixed(1)) {
        Err(Error::NonFinite { index, .. }) => assert_eq!(index, [700, 2]),
        other => panic!("{other:?}"),
    }
    let weights = |weights: Vec<f64>| {
        RandomizedSvd::new(Rank::Fixed(1)).with_row_weights(RowWeights::new(weights).expect("weights"))
    };
    let table = random::normal((5, 3), 78);
    assert!(matches!(weights(vec![1.0; 4]).decompose(table.view()), Err(Error::ShapeMismatch { .. })));
    assert!(matches!(weights(vec![0.0; 5]).decompose(table.view()), Err(Error::AllWeightsZero { .. })));
}
