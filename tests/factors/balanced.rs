//! Factors whose numbers are of one size.

use factorized_embedding::{Dtype, Error, Factors, Shape};
use ndarray::{Array2, ArrayView1, array};

use crate::support::{
    compare::{Expected, assert_close, widened},
    factor_parts::FactorParts,
    random,
};

const SHAPE: Shape = Shape { vocab_size: 40, rank: 3, dim: 7 };

fn size(numbers: ArrayView1<'_, f32>) -> f64 {
    (numbers.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>() / numbers.len() as f64).sqrt()
}

#[test]
fn the_table_stays_and_both_sides_are_of_one_size() {
    for parts in FactorParts::normal(SHAPE, 1).variants() {
        let FactorParts { u, v, .. } = &parts;
        // Sizes that are far apart, as those of a decomposition.
        let parts = FactorParts { u: u * 1e-3, v: v * &array![[1e2], [1.0], [1e-4]], ..parts };
        let factors = parts.factors();
        let balanced = factors.balanced().expect("finite numbers");
        assert!(balanced.diagonal().is_none());
        assert_eq!(balanced.bias(), factors.bias());
        for direction in 0..SHAPE.rank {
            let [u, v] = [size(balanced.u().column(direction)), size(balanced.v().row(direction))];
            assert!((u - v).abs() <= 1e-6 * u, "direction {direction}: {u} and {v}");
        }
        let magnitudes = widened(factors.u().mapv(f32::abs).view())
            .dot(&widened(factors.projection().mapv(f32::abs).view()))
            + widened(factors.to_dense().view()).mapv(f64::abs);
        let expected = Expected::new(widened(factors.to_dense().view()), 2 * SHAPE.rank + 4, &magnitudes);
        assert_close("table", balanced.to_dense().view(), &expected);
    }
}

#[test]
fn what_is_random_is_balanced_nearly() {
    let shape = Shape { vocab_size: 2000, rank: 4, dim: 500 };
    let factors = Factors::random(shape, 0.02, &mut random::rng(1)).expect("a valid shape");
    let balanced = factors.balanced().expect("finite numbers");
    let ratio = &balanced.u().into_owned() / &factors.u();
    assert!(ratio.iter().all(|ratio| (ratio - 1.0).abs() < 0.1));
}

/// U of such a direction has a gradient as long as V stays.
#[test]
fn directions_without_anything_can_still_be_learnt() {
    let (u, v) = (random::normal((4, 2), 1), random::normal((2, 3), 2));
    let check = |factors: Factors| {
        let balanced = factors.balanced().expect("finite numbers");
        assert_eq!(balanced.u().column(1), array![0.0, 0.0, 0.0, 0.0]);
        assert_eq!(balanced.v().row(1), v.row(1));
        assert_eq!(balanced.to_dense().dim(), (4, 3));
    };
    let mut empty = u.clone();
    empty.column_mut(1).fill(0.0);
    check(Factors::new(empty, v.clone()).expect("shapes that multiply"));
    let factors = Factors::new(u, v.clone()).expect("shapes that multiply");
    check(factors.with_diagonal(array![1.0, 0.0]).expect("a diagonal"));
}

#[test]
fn a_narrow_u_is_widened() {
    let factors = FactorParts::normal(SHAPE, 1).factors();
    let narrow = factors.to_dtype(Dtype::Int8).expect("numbers of a common size");
    let balanced = narrow.balanced().expect("finite numbers");
    assert_eq!(balanced.dtype(), Dtype::F32);
    assert_eq!(balanced, narrow.to_dtype(Dtype::F32).and_then(|wide| wide.balanced()).expect("finite numbers"));
}

#[test]
fn numbers_beyond_f32_are_refused() {
    let mut u = Array2::zeros((10_000, 1));
    u[[0, 0]] = 3e38;
    let factors = Factors::new(u, array![[3e38]]).expect("finite numbers");
    assert!(matches!(factors.balanced(), Err(Error::NonFinite { .. })));
}
