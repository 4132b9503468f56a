//! Orthonormal directions again, fewer and more of them, while training goes on.

use factorized_embedding::{
    Decompose, Embedding, Error, FactorizedEmbedding, Factors, Rank, Shape, TokenId, TruncatedSvd,
    train::{FactorGradients, FactorOptimizer, Momentum, Optimizer, RowGradient},
};
use ndarray::{Array1, Array2, ArrayView2, Axis, array, s};

use crate::{
    drawn::{factor_gradients, layer, rules},
    support::{
        compare::{Expected, assert_close, assert_same_bits, widened},
        factor_parts::FactorParts,
        random, reference,
    },
};

const EPSILON: f64 = f32::EPSILON as f64;
const MOMENTUM: Optimizer = Optimizer::Sgd { momentum: Momentum::Polyak(0.9) };

pub(crate) fn parts(factors: &Factors) -> FactorParts {
    let vector = |vector: Option<ndarray::ArrayView1<'_, f32>>| vector.map(|vector| vector.to_owned());
    FactorParts {
        u: factors.u().into_owned(),
        diagonal: vector(factors.diagonal()),
        v: factors.v().to_owned(),
        bias: vector(factors.bias()),
    }
}

pub(crate) fn optimizer(rule: Optimizer) -> FactorOptimizer {
    FactorOptimizer::new(rule).expect("a valid rule")
}

/// Four roundings of every term, and directions of no more than ε·σ₁ that are dropped.
#[track_caller]
pub(crate) fn assert_same_table(what: &str, actual: &Factors, expected: &Factors, largest: f64) {
    let magnitudes = reference::dense(&parts(actual).abs());
    let mut expected = Expected::new(reference::dense(&parts(expected)), 4, &magnitudes);
    expected.tolerances += EPSILON * largest * actual.rank() as f64;
    let table = reference::dense(&parts(actual)).mapv(|number| number as f32);
    assert_close(what, table.view(), &expected);
}

#[track_caller]
fn assert_orthonormal(what: &str, rows: ArrayView2<'_, f64>) {
    let products = rows.dot(&rows.t()) - Array2::<f64>::eye(rows.nrows());
    let furthest = products.iter().fold(0.0_f64, |max, x| max.max(x.abs()));
    assert!(furthest <= 8.0 * EPSILON, "{what}: {furthest:e} from orthonormal");
}

#[track_caller]
fn check_orthonormalized(before: &Factors) {
    let mut layer = FactorizedEmbedding::new(before.clone());
    let singular_values = optimizer(MOMENTUM).orthonormalize(&mut layer).expect("finite factors");
    let after = layer.factors();
    let what = format!("{before:?}");
    assert_eq!(after.shape(), before.shape());
    assert_eq!((after.diagonal().is_some(), after.bias()), (before.diagonal().is_some(), before.bias()));
    assert_same_table(&what, after, before, singular_values[0]);
    assert_orthonormal(&what, widened(after.v()).view());
    for direction in after.v().rows() {
        let largest = direction.iter().fold(0.0_f32, |largest, &x| if x.abs() > largest.abs() { x } else { largest });
        assert!(largest > 0.0, "{what}: {direction}");
    }
    let mut u = widened(after.u().view());
    match after.diagonal() {
        Some(diagonal) => assert_eq!(diagonal, singular_values.mapv(|value| value as f32), "{what}"),
        None => u /= &singular_values,
    }
    assert_orthonormal(&what, u.t());

    // The table as `f32` is off by so much, and so may its singular values be (Weyl).
    let table = FactorParts { bias: None, ..parts(before) };
    let rounding = reference::dense(&table.abs()).mapv(|x| x * x).sum().sqrt() * EPSILON;
    let dense = reference::dense(&table).mapv(|number| number as f32);
    let svd = TruncatedSvd::new(Rank::Fixed(before.rank())).decompose(dense.view()).expect("a finite table");
    let expected = svd.spectrum.singular_values().slice_move(s![..before.rank()]);
    assert!((&singular_values - &expected).iter().all(|difference| difference.abs() <= rounding), "{what}");

    let fresh = FactorizedEmbedding::new(after.clone());
    let ids = [0, before.vocab_size() as TokenId - 1];
    let look_up = |layer: &FactorizedEmbedding| layer.lookup(&ids).expect("ids of the vocabulary");
    assert_same_bits(&what, look_up(&layer).view(), look_up(&fresh).view());
}

#[test]
fn the_table_stays_and_its_directions_become_orthonormal() {
    // Wide, tall, square, of one direction, and of several blocks of rows.
    for (vocab_size, rank, dim) in [(9, 4, 30), (40, 5, 7), (6, 6, 6), (8, 1, 5), (1, 1, 1), (2500, 9, 12)] {
        for parts in FactorParts::normal(Shape { vocab_size, rank, dim }, 1).variants() {
            check_orthonormalized(&parts.factors());
        }
    }
}

#[test]
fn a_second_time_changes_nothing_but_the_last_bits() {
    let mut layer = layer(Shape { vocab_size: 50, rank: 4, dim: 9 }, 1);
    let first = optimizer(MOMENTUM).orthonormalize(&mut layer).expect("finite factors");
    let before = layer.factors().clone();
    let second = optimizer(MOMENTUM).orthonormalize(&mut layer).expect("finite factors");
    assert!((&first - &second).iter().all(|difference| difference.abs() <= 8.0 * EPSILON * first[0]));
    // Rotated by what rounding leaves over the gaps between the singular values, at least 1 here.
    let gap = first.windows(2).into_iter().map(|pair| pair[0] - pair[1]).fold(f64::INFINITY, f64::min);
    let tolerance = (16.0 * EPSILON * first[0] / gap.min(1.0)) as f32;
    let difference = &layer.factors().v() - &before.v();
    assert!(difference.iter().all(|x| x.abs() <= tolerance), "{difference}");
}

#[test]
fn directions_that_the_table_has_not_can_still_be_learned() {
    let shape = Shape { vocab_size: 20, rank: 4, dim: 6 };
    let parts = FactorParts::normal(shape, 2);
    let mut zero_column = parts.clone();
    zero_column.u.column_mut(1).fill(0.0);
    let mut zero_entry = parts.clone();
    zero_entry.diagonal = Some(array![2.0, 0.0, -1.0, 3.0]);
    let mut same_row = parts.clone();
    same_row.v.row_mut(2).assign(&parts.v.row(0));
    for parts in [zero_column, zero_entry, same_row] {
        let mut layer = FactorizedEmbedding::new(parts.factors());
        let singular_values = optimizer(MOMENTUM).orthonormalize(&mut layer).expect("finite factors");
        assert!(singular_values[2] > 0.1 && singular_values[3] == 0.0, "{singular_values}");
        let factors = layer.factors();
        assert_same_table("of three directions", factors, &parts.factors(), singular_values[0]);
        assert_orthonormal("v", widened(factors.v()).view());
        assert!(factors.u().column(3).iter().all(|&number| number == 0.0));
        let diagonal = factors.diagonal().expect("a diagonal");
        assert_eq!((diagonal[2], diagonal[3]), (singular_values[2] as f32, singular_values[2] as f32));
    }
    let nothing = Factors::new(Array2::zeros((5, 2)), Array2::zeros((2, 3))).expect("shapes that multiply");
    let mut layer = FactorizedEmbedding::new(nothing.with_diagonal(array![0.0, 1.0]).expect("a diagonal of the rank"));
    assert_eq!(optimizer(MOMENTUM).orthonormalize(&mut layer).expect("finite factors"), array![0.0, 0.0]);
    assert_eq!(layer.factors().diagonal().expect("a diagonal"), array![1.0, 1.0]);
    assert_eq!(layer.factors().to_dense(), Array2::<f32>::zeros((5, 3)));
}

/// The gradients of a loss whose gradient by the table is always the same: of all rows.
pub(crate) fn gradients_of_linear_loss(factors: &Factors, slope: &Array2<f64>) -> FactorGradients {
    let (u, v) = (widened(factors.u().view()), widened(factors.v()));
    let diagonal = factors.diagonal().map_or_else(|| Array1::ones(factors.rank()), |d| d.mapv(f64::from));
    let by_u = slope.dot(&v.t());
    let by_v = u.t().dot(slope);
    let narrow = |array: Array2<f64>| array.mapv(|number| number as f32);
    let mut gradients = FactorGradients::default();
    gradients.u = Some(RowGradient::of_all_rows(narrow(&by_u * &diagonal)));
    gradients.v = Some(narrow(&by_v * &diagonal.view().insert_axis(Axis(1))));
    gradients.diagonal = factors.diagonal().map(|_| (&u * &by_u).sum_axis(Axis(0)).mapv(|number| number as f32));
    gradients.bias = factors.bias().map(|_| slope.sum_axis(Axis(0)).mapv(|number| number as f32));
    gradients
}

pub(crate) fn tensor(optimizer: &FactorOptimizer, name: &str) -> Option<Array2<f32>> {
    let tensor = optimizer.state().tensors().find(|(other, _)| other == name)?.1;
    let shape = (tensor.shape()[0], tensor.shape().get(1).copied().unwrap_or(1));
    Some(tensor.to_owned().into_shape_with_order(shape).expect("as many numbers"))
}

#[test]
fn momentum_is_that_of_the_new_factors() {
    let shape = Shape { vocab_size: 30, rank: 4, dim: 9 };
    let slope = widened(random::normal((30, 9), 5).view());
    for rule in [MOMENTUM, Optimizer::Sgd { momentum: Momentum::Nesterov(0.5) }] {
        for parts in FactorParts::normal(shape, 3).variants() {
            let mut layer = FactorizedEmbedding::new(parts.factors());
            let mut optimizer = optimizer(rule);
            // Without a step of any length, momentum is the gradient.
            let gradients = gradients_of_linear_loss(layer.factors(), &slope);
            optimizer.step(&mut layer, &gradients, 0.0).expect("shapes that fit");
            let bias = tensor(&optimizer, "bias.momentum");
            optimizer.orthonormalize(&mut layer).expect("finite factors");
            let expected = gradients_of_linear_loss(layer.factors(), &slope);
            let of_u = expected.u.expect("a gradient of U").values().to_owned();
            for (name, expected) in [("u.momentum", of_u), ("v.momentum", expected.v.expect("a gradient of V"))] {
                let actual = tensor(&optimizer, name).expect("it is remembered");
                let largest = expected.iter().fold(0.0_f32, |max, x| max.max(x.abs()));
                // Old momentum is rounded, and multiplied with matrices of condition numbers below a hundred.
                let tolerance = largest * 100.0 * 8.0 * f32::EPSILON;
                let near = (&actual - &expected).iter().all(|difference| difference.abs() <= tolerance);
                assert!(near, "{name} is off by more than {tolerance:e}: {actual}, expected {expected}");
            }
            if parts.diagonal.is_some() {
                assert_eq!(tensor(&optimizer, "diagonal.momentum"), Some(Array2::zeros((4, 1))));
            }
            assert_eq!(tensor(&optimizer, "bias.momentum"), bias);
            assert!(optimizer.state().steps().all(|(_, steps)| steps == 1));
        }
    }
}

#[test]
fn rules_that_remember_squares_begin_anew() {
    let shape = Shape { vocab_size: 30, rank: 4, dim: 9 };
    for rule in rules().into_iter().skip(3) {
        let (mut layer, mut optimizer) = (layer(shape, 1), optimizer(rule));
        optimizer.step(&mut layer, &factor_gradients(shape, None, 2), 0.1).expect("shapes that fit");
        let bias = tensor(&optimizer, "bias.sum");
        optimizer.orthonormalize(&mut layer).expect("finite factors");
        assert_eq!(optimizer.state().steps().collect::<Vec<_>>(), [("bias", 1)], "{rule:?}");
        assert_eq!(tensor(&optimizer, "bias.sum"), bias);
        optimizer.step(&mut layer, &factor_gradients(shape, None, 2), 0.1).expect("shapes that fit");
    }
}

#[test]
fn shrinking_loses_the_smallest_directions() {
    let shape = Shape { vocab_size: 60, rank: 6, dim: 10 };
    for rule in rules() {
        let (mut layer, mut optimizer) = (layer(shape, 4), optimizer(rule));
        optimizer.step(&mut layer, &factor_gradients(shape, None, 2), 0.1).expect("shapes that fit");
        let before = layer.factors().clone();
        let singular_values = optimizer.shrink_rank(&mut layer, 4).expect("a smaller rank");
        assert_eq!(layer.factors().shape(), Shape { rank: 4, ..shape });
        let lost = reference::dense(&parts(&before)) - reference::dense(&parts(layer.factors()));
        let lost = lost.mapv(|x| x * x).sum().sqrt();
        let expected = singular_values.slice(s![4..]).mapv(|value| value * value).sum().sqrt();
        assert!((lost / expected - 1.0).abs() <= 32.0 * EPSILON * singular_values[0] / expected, "{lost}, {expected}");
        // Training goes on.
        let smaller = layer.factors().shape();
        optimizer.step(&mut layer, &factor_gradients(smaller, Some(vec![3, 7]), 3), 0.1).expect("shapes that fit");
    }
}

#[test]
fn growing_changes_nothing_yet() {
    let (shape, grown) = (Shape { vocab_size: 40, rank: 3, dim: 8 }, Shape { vocab_size: 40, rank: 8, dim: 8 });
    let ids: Vec<TokenId> = (0..40).collect();
    for rule in rules() {
        let (mut layer, mut optimizer) = (layer(shape, 5), optimizer(rule));
        optimizer.step(&mut layer, &factor_gradients(shape, Some(vec![3, 7]), 2), 0.1).expect("shapes that fit");
        let (before, rows) = (layer.factors().clone(), layer.lookup(&ids).expect("ids of the vocabulary"));
        let state = optimizer.state().clone();
        optimizer.grow_rank(&mut layer, 3, &mut random::rng(6)).expect("the same rank");
        assert_eq!((layer.factors(), optimizer.state()), (&before, &state), "by nothing");
        optimizer.grow_rank(&mut layer, 8, &mut random::rng(6)).expect("a rank of the dim");
        let after = layer.factors();
        assert_eq!(after.shape(), grown);
        assert_eq!(layer.lookup(&ids).expect("ids of the vocabulary"), rows);
        assert_eq!(after.u().slice(s![.., ..3]), before.u());
        assert!(after.u().slice(s![.., 3..]).iter().all(|&number| number == 0.0));
        assert_eq!(after.v().slice(s![..3, ..]), before.v());

        // The new entries of D are as large as the old ones on average.
        let (old, new) = (before.diagonal().expect("a diagonal"), after.diagonal().expect("a diagonal"));
        let average = widened(old.insert_axis(Axis(0))).mapv(|entry| entry * entry).mean().expect("three").sqrt();
        assert_eq!(new.slice(s![..3]), old);
        assert!(new.iter().skip(3).all(|&entry| (f64::from(entry) / average - 1.0).abs() <= EPSILON), "{new}");

        // The new directions are orthogonal to all others, and as long as the old ones on average.
        let v = widened(after.v());
        let lengths = v.map_axis(Axis(1), |row| row.dot(&row).sqrt());
        let average = lengths.slice(s![..3]).mapv(|length| length * length).mean().expect("three").sqrt();
        for (i, row) in v.rows().into_iter().enumerate().skip(3) {
            assert!((lengths[i] / average - 1.0).abs() <= 8.0 * EPSILON, "{lengths}");
            for (j, other) in v.rows().into_iter().enumerate().filter(|(j, _)| *j != i) {
                let cosine = row.dot(&other) / (lengths[i] * lengths[j]);
                assert!(cosine.abs() <= 8.0 * EPSILON, "{cosine:e} between {i} and {j}");
            }
        }

        if let Optimizer::Adam { .. } | Optimizer::AdamW { .. } = rule {
            assert!(optimizer.state().steps().all(|(part, _)| part == "bias"), "nothing of U, D and V is remembered");
            optimizer.step(&mut layer, &factor_gradients(grown, Some(vec![3, 9]), 3), 0.1).expect("shapes that fit");
            let u = layer.factors().u();
            let longest = u.slice(s![.., 3..]).iter().fold(0.0_f32, |longest, number| longest.max(number.abs()));
            assert!(longest > 0.0 && longest < 0.1001, "no first step of Adam is longer than the rate: {longest}");
            continue;
        }
        // What was remembered is still there, beside what a first step begins with.
        let begins = match rule {
            Optimizer::Adagrad { initial_accumulator, .. } | Optimizer::RowwiseAdagrad { initial_accumulator, .. } => {
                initial_accumulator as f32
            }
            _ => 0.0,
        };
        for ((name, old), (_, new)) in state.tensors().zip(optimizer.state().tensors()) {
            let mut rest = new.to_owned();
            let range = |axis: ndarray::AxisDescription| (..old.shape()[axis.axis.index()]).into();
            assert_eq!(new.slice_each_axis(range), old, "{name} of {rule:?}");
            rest.slice_each_axis_mut(range).fill(begins);
            assert!(rest.iter().all(|&number| number == begins), "{name} of {rule:?}");
        }
        assert!(optimizer.state().steps().eq(state.steps()));
        optimizer.step(&mut layer, &factor_gradients(grown, Some(vec![3, 9]), 3), 0.1).expect("shapes that fit");
        assert_ne!(layer.factors().u().row(9)[7], 0.0);
    }
}

#[test]
fn ranks_and_layers_that_do_not_fit_are_refused() {
    let shape = Shape { vocab_size: 12, rank: 3, dim: 5 };
    let (mut layer, mut optimizer) = (layer(shape, 1), optimizer(Optimizer::adam()));
    optimizer.step(&mut layer, &factor_gradients(shape, None, 2), 0.1).expect("shapes that fit");
    let (factors, before) = (layer.factors().clone(), optimizer.clone());
    for rank in [0, 4] {
        let error = optimizer.shrink_rank(&mut layer, rank).expect_err("it is refused");
        assert_eq!(error.to_string(), format!("rank is {rank}, expected a rank from 1 to that of the layer"));
    }
    let error = optimizer.grow_rank(&mut layer, 2, &mut random::rng(1)).expect_err("it is refused");
    assert_eq!(error.to_string(), "rank is 2, expected a rank that is not below that of the layer");
    let error = optimizer.grow_rank(&mut layer, 6, &mut random::rng(1)).expect_err("it is refused");
    assert!(matches!(error, Error::RankOutOfRange { rank: 6, max: 5, .. }), "{error}");

    let mut narrow = layer.to_f16().expect("small numbers");
    assert!(matches!(optimizer.orthonormalize(&mut narrow), Err(Error::NotTrainable { .. })));
    let error = optimizer.grow_rank(&mut narrow, 4, &mut random::rng(1)).expect_err("f16");
    assert!(matches!(error, Error::NotTrainable { .. }), "{error}");
    let mut other = crate::drawn::layer(Shape { vocab_size: 13, ..shape }, 1);
    let error = optimizer.orthonormalize(&mut other).expect_err("13 rows");
    assert_eq!(error.to_string(), "optimizer state of u has shape [12, 3], expected [13, 3]");
    assert!(optimizer.grow_rank(&mut other, 4, &mut random::rng(1)).is_err());
    assert_eq!((layer.factors(), &optimizer), (&factors, &before));

    let large = Factors::new(array![[1e30], [1e30]], array![[1e30, 1e30]]).expect("finite numbers");
    let mut large = FactorizedEmbedding::new(large.with_diagonal(array![1.0]).expect("a diagonal"));
    let error = crate::upkeep::optimizer(MOMENTUM).orthonormalize(&mut large).expect_err("2e60");
    assert!(matches!(error, Error::NonFinite { .. }), "{error}");
    assert_eq!(large.factors().u(), array![[1e30], [1e30]]);
}

#[test]
fn the_padding_row_does_not_choose_directions() {
    // In the first block of rows, and in the second.
    for (vocab_size, padding_id) in [(3, 0), (2500, 1500)] {
        let mut u = Array2::from_shape_fn((vocab_size, 2), |(_, column)| if column == 0 { 0.0 } else { 2.0 });
        u[[padding_id as usize, 0]] = 100.0;
        let factors = Factors::new(u, array![[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]).expect("shapes that multiply");
        let mut layer = FactorizedEmbedding::new(factors).with_padding_id(padding_id).expect("a row");
        let ids: Vec<TokenId> = (0..vocab_size as TokenId).collect();
        let before = layer.lookup(&ids).expect("ids of the vocabulary");
        let singular_values = optimizer(Optimizer::sgd()).shrink_rank(&mut layer, 1).expect("a rank below");
        let expected = 2.0 * (vocab_size as f64 - 1.0).sqrt();
        assert!((singular_values[0] / expected - 1.0).abs() < 1e-6 && singular_values[1] == 0.0, "{singular_values}");
        let after = layer.lookup(&ids).expect("ids of the vocabulary");
        assert!((&after - &before).iter().all(|difference| difference.abs() < 1e-6), "{after}");
        assert_eq!(layer.padding_id(), Some(padding_id));
    }
}

#[test]
fn a_grown_vocabulary_is_trained_on() {
    let (shape, grown) = (Shape { vocab_size: 20, rank: 3, dim: 8 }, Shape { vocab_size: 22, rank: 3, dim: 8 });
    for rule in rules() {
        let (mut layer, mut optimizer) = (layer(shape, 5), optimizer(rule));
        optimizer.step(&mut layer, &factor_gradients(shape, Some(vec![3, 7]), 2), 0.1).expect("shapes that fit");
        layer.append_rows(random::normal((2, 8), 3).view()).expect("rows of the dim");
        let of_new = factor_gradients(grown, Some(vec![3, 21]), 3);
        let before = optimizer.state().clone();
        optimizer.grow_vocabulary(22).expect("more rows");
        for ((name, old), (_, new)) in before.tensors().zip(optimizer.state().tensors()) {
            let range = |axis: ndarray::AxisDescription| (..old.shape()[axis.axis.index()]).into();
            assert_eq!(new.slice_each_axis(range), old, "{name} of {rule:?}");
        }
        optimizer.step(&mut layer, &of_new, 0.1).expect("rows that are there");
        let state = optimizer.state().clone();
        let refused = optimizer.grow_vocabulary(21).is_err();
        assert_eq!(refused, state.tensors().any(|(name, _)| name.starts_with("u.")), "{rule:?}");
        assert_eq!(optimizer.state(), &state);
    }
}
