//! Norms, clipping, and sums of the gradients of micro-batches.

use factorized_embedding::{
    Error, Shape, TokenId,
    train::{Backward, FactorGradients, Gradients, RowGradient, clip_global_norm},
};
use ndarray::{Array2, array};

use crate::{
    check::layer,
    reference,
    support::{compare::assert_same_bits, factor_parts::FactorParts, random},
};

const SHAPE: Shape = Shape { vocab_size: 40, rank: 5, dim: 12 };

fn of_lookup(ids: &[TokenId], grad_out: &Array2<f32>) -> FactorGradients {
    let layer = layer(&FactorParts::draw(SHAPE, 1, random::integers), Some(4));
    Backward::new(&layer).lookup(ids, grad_out.view()).expect("shapes that fit")
}

/// Of small integers, whose sums are exact.
#[test]
fn micro_batches_add_up_to_the_batch() {
    let ids = random::ids(60, SHAPE.vocab_size, 1);
    let grad_out = random::integers((60, SHAPE.dim), 2);
    let whole = of_lookup(&ids, &grad_out);
    for parts in [vec![0..0, 0..60], vec![0..13, 13..14, 14..60], vec![0..30, 30..60, 60..60]] {
        let of_part = |range: &std::ops::Range<usize>| {
            of_lookup(&ids[range.clone()], &grad_out.slice(ndarray::s![range.clone(), ..]).to_owned())
        };
        let mut sum = of_part(&parts[0]);
        for part in &parts[1..] {
            sum.add(&of_part(part)).expect("gradients of the same layer");
        }
        assert_eq!(sum, whole, "{parts:?}");
    }
}

#[test]
fn rows_are_merged_in_order() {
    let sparse = |ids: &[TokenId], seed| {
        RowGradient::of_rows(ids.to_vec(), random::integers((ids.len(), 3), seed)).expect("ascending ids")
    };
    let gradients = [
        sparse(&[1, 4, 6], 1),
        sparse(&[0, 4, 5, 9], 2),
        sparse(&[], 3),
        sparse(&[1, 4, 6], 4),
        RowGradient::of_all_rows(random::integers((10, 3), 5)),
        RowGradient::of_all_rows(random::integers((10, 3), 6)),
    ];
    for a in &gradients {
        for b in &gradients {
            let mut sum = a.clone();
            sum.add(b).expect("gradients of the same matrix");
            let expected = reference::whole(a, 10) + reference::whole(b, 10);
            assert_same_bits(&format!("{a:?} + {b:?}"), reference::whole(&sum, 10).view(), expected.view());
            let rows: Option<Vec<_>> =
                a.ids().zip(b.ids()).map(|(a, b)| (0..10).filter(|id| a.contains(id) || b.contains(id)).collect());
            assert_eq!(sum.ids(), rows.as_deref(), "{a:?} + {b:?}");
        }
    }
}

#[test]
fn gradients_of_other_parameters_are_refused_and_change_nothing() {
    let rows = |ids: &[TokenId], width| RowGradient::of_rows(ids.to_vec(), Array2::ones((ids.len(), width)));
    let rows = |ids, width| rows(ids, width).expect("ascending ids");
    let all = |rows, width| RowGradient::of_all_rows(Array2::ones((rows, width)));
    let refused = |a: &RowGradient, b: &RowGradient, message: &str| {
        let mut sum = a.clone();
        assert_eq!(sum.add(b).expect_err("another matrix").to_string(), message);
        assert_eq!(sum, *a);
    };
    refused(&rows(&[1], 3), &rows(&[1, 2], 4), "added gradient [k, width] has shape [2, 4], expected [2, 3]");
    refused(&all(5, 3), &all(6, 3), "added gradient has shape [6, 3], expected [5, 3]");
    let message = "id 5 at position 1 is out of range for a vocabulary of 5 (ids 0..=4)";
    refused(&all(5, 3), &rows(&[2, 5], 3), message);
    refused(&rows(&[2, 5], 3), &all(5, 3), message);
}

#[test]
fn the_global_norm_is_that_of_all_numbers() {
    let ids = random::ids(60, SHAPE.vocab_size, 1);
    let gradients = of_lookup(&ids, &random::integers((60, SHAPE.dim), 2));
    let parts = reference::gradients(&gradients, SHAPE.vocab_size);
    let squares = parts.iter().flatten().flatten().map(|&number| f64::from(number) * f64::from(number));
    // Squares of integers, and sums of them, are exact.
    assert_eq!(gradients.squared_norm(), squares.sum::<f64>());
    assert_eq!(gradients.global_norm(), gradients.squared_norm().sqrt());
}

/// Three rows of U with their ids, D, V and b.
#[test]
fn sizes_are_those_of_numbers_and_ids() {
    let gradients = of_lookup(&[3, 1, 3, 7], &Array2::ones((4, SHAPE.dim)));
    let numbers = 3 * SHAPE.rank + SHAPE.rank + SHAPE.rank * SHAPE.dim + SHAPE.dim;
    assert_eq!(gradients.size_in_bytes(), 4 * (numbers + 3));
    assert_eq!(RowGradient::of_all_rows(Array2::ones((5, 3))).size_in_bytes(), 4 * 15);
}

#[test]
fn clipping_scales_all_to_the_norm() {
    let ids = random::ids(60, SHAPE.vocab_size, 1);
    let plain = of_lookup(&ids, &random::integers((60, SHAPE.dim), 2));
    let norm = plain.global_norm();
    let mut clipped = plain.clone();
    assert_eq!(clipped.clip_global_norm(2.0 * norm).expect("finite numbers"), norm);
    assert_eq!(clipped, plain, "the norm is small enough");
    assert_eq!(clipped.clip_global_norm(0.5).expect("finite numbers"), norm);
    let factor = (0.5 / (norm + 1e-6)) as f32;
    let mut scaled = plain.clone();
    scaled.scale(factor);
    assert_eq!(clipped, scaled);
    // Each number is rounded once.
    assert!((clipped.global_norm() / 0.5 - 1.0).abs() < f64::from(f32::EPSILON) + 1e-6 / norm);

    let mut weight = array![[3.0, -4.0]];
    let mut all = plain.clone();
    let norm = clip_global_norm(&mut [&mut all, &mut weight], 1.0).expect("finite numbers");
    assert_eq!(norm, (plain.squared_norm() + 25.0).sqrt());
    assert!((all.squared_norm() + weight.squared_norm() - 1.0).abs() < 1e-5);
}

#[test]
fn what_cannot_be_clipped_is_refused_and_changes_nothing() {
    let mut weight = array![[3.0, -4.0]];
    for max_norm in [0.0, -1.0, f64::NAN] {
        let error = weight.clip_global_norm(max_norm).expect_err("no norm");
        assert!(matches!(error, Error::InvalidSetting { name: "max_norm", .. }));
    }
    let mut other = array![1.0, f32::INFINITY];
    let error = clip_global_norm(&mut [&mut weight, &mut other], 1.0).expect_err("an infinite number");
    assert_eq!(error.to_string(), "gradient holds inf at [1]: only finite numbers can be used");
    assert_eq!(weight, array![[3.0, -4.0]]);
    // Squares beyond f32 are not beyond f64.
    let mut large = array![f32::MAX, f32::MAX];
    assert!(large.clip_global_norm(1.0).expect("finite numbers").is_finite());
    assert!((large.global_norm() - 1.0).abs() < 1e-6);

    let gradients = |numbers: [f32; 2]| {
        RowGradient::of_rows(vec![3], Array2::from_shape_vec((1, 2), numbers.to_vec()).expect("two numbers"))
    };
    let finite = gradients([1.0, 2.0]).expect("an id").check_finite();
    assert!(finite.is_ok());
    let error = gradients([1.0, f32::NAN]).expect("an id").check_finite().expect_err("NaN");
    assert_eq!(error.to_string(), "gradient [k, width] holds NaN at [0, 1]: only finite numbers can be used");
}

#[test]
fn nan_in_any_part_is_refused_and_changes_nothing() {
    let finite = of_lookup(&[3, 1], &Array2::ones((2, SHAPE.dim)));
    let with_nan = |part: usize| {
        let mut gradients = finite.clone();
        match part {
            0 => {
                let u = finite.u.as_ref().expect("U is trained");
                let mut rows = u.values().to_owned();
                rows[[1, 2]] = f32::NAN;
                let ids = u.ids().expect("some rows").to_vec();
                gradients.u = Some(RowGradient::of_rows(ids, rows).expect("ascending ids"));
            }
            1 => gradients.diagonal.as_mut().expect("there is a diagonal")[2] = f32::NAN,
            2 => gradients.v.as_mut().expect("V is trained")[[1, 2]] = f32::NAN,
            _ => gradients.bias.as_mut().expect("there is a bias")[2] = f32::NAN,
        }
        gradients
    };
    let places = [
        "u [k, rank] holds NaN at [1, 2]",
        "diagonal [rank] holds NaN at [2]",
        "v [rank, dim] holds NaN at [1, 2]",
        "bias [dim] holds NaN at [2]",
    ];
    for (part, place) in places.into_iter().enumerate() {
        let mut gradients = with_nan(part);
        let message = format!("gradient of {place}: only finite numbers can be used");
        assert_eq!(gradients.check_finite().expect_err("NaN").to_string(), message);
        assert_eq!(gradients.clip_global_norm(1.0).expect_err("NaN").to_string(), message);
        // NaN is not equal to itself.
        assert_eq!(format!("{gradients:?}"), format!("{:?}", with_nan(part)));
    }
}
