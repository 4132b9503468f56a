//! Directions of the gradients as the columns of U.

use factorized_embedding::{
    Embedding, Error, FactorizedEmbedding, Factors, Isa, Shape,
    train::{FactorGradients, FactorOptimizer, GradientCovariance, Momentum, Optimizer, RowGradient},
};
use ndarray::{Array1, Array2, array, s};

use crate::{
    drawn::{factor_gradients, layer, rules},
    support::{
        compare::{Expected, assert_close, widened},
        factor_parts::FactorParts,
        random,
    },
    upkeep::{assert_same_table, gradients_of_linear_loss, optimizer, tensor},
};

const EPSILON: f64 = f32::EPSILON as f64;
const SHAPE: Shape = Shape { vocab_size: 30, rank: 4, dim: 9 };

fn length(array: &Array2<f64>) -> f64 {
    array.iter().map(|x| x * x).sum::<f64>().sqrt()
}

/// Of the gradient of U.
fn covariance(gradients: &FactorGradients) -> GradientCovariance {
    let of_u = gradients.u.as_ref().expect("a gradient of U");
    let mut covariance = GradientCovariance::new(of_u.values().ncols(), 0.0).expect("a decay");
    covariance.add(of_u).expect("finite numbers");
    covariance
}

fn slope() -> Array2<f64> {
    widened(random::normal((30, 9), 5).view())
}

fn rotate(
    optimizer: &mut FactorOptimizer,
    layer: &mut FactorizedEmbedding,
    covariance: &mut GradientCovariance,
) -> Array1<f64> {
    optimizer.rotate_to_eigenbasis(layer, covariance).expect("of the same rank")
}

#[test]
fn the_table_stays_whatever_its_shape_and_rule() {
    // Wide, square, of one direction, of as many as rows, of several tiles of directions, and of several blocks of rows.
    for (vocab_size, rank, dim) in [(9, 4, 30), (6, 6, 6), (8, 1, 5), (1, 1, 1), (3, 3, 7), (70, 65, 66), (2500, 9, 12)]
    {
        let shape = Shape { vocab_size, rank, dim };
        for rule in rules() {
            for variant in FactorParts::normal(shape, 1).variants() {
                let mut layer = FactorizedEmbedding::new(variant.factors());
                let mut optimizer = optimizer(rule);
                let mut gradients = factor_gradients(shape, None, 2);
                gradients.diagonal = gradients.diagonal.filter(|_| variant.diagonal.is_some());
                gradients.bias = gradients.bias.filter(|_| variant.bias.is_some());
                optimizer.step(&mut layer, &gradients, 0.1).expect("shapes that fit");
                let before = layer.factors().clone();
                let of_bias = |optimizer: &FactorOptimizer| -> Vec<_> {
                    let tensors = optimizer.state().tensors().filter(|(name, _)| name.starts_with("bias"));
                    tensors.map(|(name, tensor)| (name, tensor.to_owned())).collect()
                };
                let bias = of_bias(&optimizer);
                let eigenvalues = rotate(&mut optimizer, &mut layer, &mut covariance(&gradients));

                let (what, after) = (format!("{rule:?}, {shape:?}"), layer.factors());
                assert_same_table(&what, after, &before, length(&widened(before.to_dense().view())));
                assert_eq!(
                    after.diagonal().map(|d| d.to_owned()),
                    before.diagonal().map(|_| Array1::ones(rank)),
                    "{what}"
                );
                assert_eq!((after.bias(), of_bias(&optimizer)), (before.bias(), bias), "{what}");
                assert!(eigenvalues.windows(2).into_iter().all(|pair| pair[0] >= pair[1]), "{what}: {eigenvalues}");
                // The layer looks up what its new factors say.
                let ids = [vocab_size as u32 - 1];
                let fresh = FactorizedEmbedding::new(after.clone()).lookup(&ids).expect("an id of the vocabulary");
                assert_eq!(layer.lookup(&ids).expect("the same id"), fresh);
                // It trains on.
                optimizer.step(&mut layer, &gradients, 0.1).expect("shapes that fit");
            }
        }
    }
}

#[test]
fn gradients_of_different_columns_are_uncorrelated() {
    for isa in Isa::supported() {
        for variant in FactorParts::normal(SHAPE, 3).variants() {
            let mut layer = FactorizedEmbedding::new(variant.factors()).with_isa(isa);
            let mut covariance = covariance(&gradients_of_linear_loss(layer.factors(), &slope()));
            let eigenvalues = rotate(&mut optimizer(Optimizer::adam()), &mut layer, &mut covariance);
            assert_eq!(covariance.matrix(), Array2::from_diag(&eigenvalues));
            let gradient = gradients_of_linear_loss(layer.factors(), &slope()).u.expect("a gradient of U");
            let gradient = widened(gradient.values());
            let difference = length(&(gradient.t().dot(&gradient) - covariance.matrix()));
            assert!(difference <= 64.0 * EPSILON * eigenvalues[0], "{isa}: {difference:e}, {eigenvalues}");
        }
    }
}

#[test]
fn every_instruction_set_turns_rows() {
    let shape = Shape { vocab_size: 70, rank: 65, dim: 66 };
    let mut variant = FactorParts { diagonal: None, ..FactorParts::normal(shape, 1) };
    // Rows that become those of the rotation.
    variant.u.slice_mut(s![..65, ..]).assign(&Array2::<f32>::eye(65));
    let mut gradients = factor_gradients(shape, None, 2);
    gradients.diagonal = None;
    for isa in Isa::supported() {
        let mut layer = FactorizedEmbedding::new(variant.factors()).with_isa(isa);
        let mut optimizer = optimizer(Optimizer::adam());
        optimizer.step(&mut layer, &gradients, 0.0).expect("shapes that fit");
        let arrays = |layer: &FactorizedEmbedding, optimizer: &FactorOptimizer| {
            let [first, second] =
                ["u.first_moment", "u.second_moment"].map(|name| tensor(optimizer, name).expect("it is remembered"));
            [layer.factors().u().into_owned(), first, second]
        };
        let before = arrays(&layer, &optimizer);
        rotate(&mut optimizer, &mut layer, &mut covariance(&gradients));
        let after = arrays(&layer, &optimizer);
        let rotation = widened(after[0].slice(s![..65, ..]));
        let maps = [rotation.clone(), rotation.clone(), rotation.mapv(|x| x * x)];
        for ((before, after), map) in before.iter().zip(&after).zip(&maps) {
            let before = widened(before.view());
            let magnitudes = before.mapv(f64::abs).dot(&map.mapv(f64::abs));
            let expected = Expected::new(before.dot(map), 65, &magnitudes);
            assert_close(&format!("turned by {isa}"), after.view(), &expected);
        }
    }
}

#[test]
fn momentum_is_that_of_the_new_factors() {
    let adam = Optimizer::adam();
    let nesterov = Optimizer::Sgd { momentum: Momentum::Nesterov(0.5) };
    for (rule, share, name) in [(adam, 0.1, "first_moment"), (nesterov, 1.0, "momentum")] {
        for variant in FactorParts::normal(SHAPE, 3).variants() {
            let mut layer = FactorizedEmbedding::new(variant.factors());
            let mut optimizer = optimizer(rule);
            // Without a step of any length, momentum is the gradient times a number.
            let gradients = gradients_of_linear_loss(layer.factors(), &slope());
            optimizer.step(&mut layer, &gradients, 0.0).expect("shapes that fit");
            let steps: Vec<_> = optimizer.state().steps().map(|(part, steps)| (part.to_owned(), steps)).collect();
            rotate(&mut optimizer, &mut layer, &mut covariance(&gradients));

            let expected = gradients_of_linear_loss(layer.factors(), &slope());
            let of_u = expected.u.expect("a gradient of U").values().to_owned();
            for (part, expected) in [("u", of_u), ("v", expected.v.expect("a gradient of V"))] {
                let actual = tensor(&optimizer, &format!("{part}.{name}"));
                if part == "v" && variant.diagonal.is_some() {
                    assert_eq!(actual, None, "V begins anew");
                    continue;
                }
                let expected = widened(expected.view()) * share;
                let difference = length(&(widened(actual.expect("it is remembered").view()) - &expected));
                assert!(difference <= 64.0 * EPSILON * length(&expected), "{part} of {rule:?}: {difference:e}");
            }
            let anew = |part: &str| variant.diagonal.is_some() && ["diagonal", "v"].contains(&part);
            let steps: Vec<_> = steps.into_iter().filter(|(part, _)| !anew(part)).collect();
            assert!(optimizer.state().steps().eq(steps.iter().map(|(part, steps)| (part.as_str(), *steps))));
        }
    }
}

#[test]
fn squares_are_means_of_the_old_ones() {
    let rules =
        [(Optimizer::adam(), "second_moment"), (Optimizer::adagrad(), "sum"), (Optimizer::rowwise_adagrad(), "sum")];
    for (rule, name) in rules {
        for mut variant in FactorParts::normal(SHAPE, 3).variants() {
            // Rows that become those of the rotation.
            variant.u.slice_mut(s![..4, ..]).assign(&Array2::<f32>::eye(4));
            let mut layer = FactorizedEmbedding::new(variant.factors());
            let mut optimizer = optimizer(rule);
            let gradients = gradients_of_linear_loss(layer.factors(), &slope());
            optimizer.step(&mut layer, &gradients, 0.0).expect("shapes that fit");
            let squares = |optimizer: &FactorOptimizer| {
                ["u", "v"]
                    .map(|part| tensor(optimizer, &format!("{part}.{name}")).map(|squares| widened(squares.view())))
            };
            let [u, v] = squares(&optimizer).map(|squares| squares.expect("it is there"));
            rotate(&mut optimizer, &mut layer, &mut covariance(&gradients));

            let shares = widened(layer.factors().u().slice(s![..4, ..])).mapv(|x| x * x);
            // One number a row, whatever its columns.
            let of_u = if u.ncols() == 1 { u } else { u.dot(&shares) };
            let of_v = Some(shares.t().dot(&v)).filter(|_| variant.diagonal.is_none());
            for (actual, expected) in squares(&optimizer).iter().zip([Some(of_u), of_v]) {
                assert_eq!(actual.is_some(), expected.is_some(), "V begins anew beside a diagonal");
                let pairs = actual.iter().flatten().zip(expected.iter().flatten());
                let near = |(x, expected): (&f64, &f64)| (x / expected - 1.0).abs() <= 32.0 * EPSILON;
                assert!(pairs.into_iter().all(near), "{rule:?}: {actual:?}, expected {expected:?}");
            }
        }
    }
}

#[test]
fn a_second_time_changes_nothing_but_the_last_bits() {
    for rule in rules() {
        let (mut layer, mut optimizer) = (layer(SHAPE, 1), optimizer(rule));
        let gradients = factor_gradients(SHAPE, None, 2);
        optimizer.step(&mut layer, &gradients, 0.1).expect("shapes that fit");
        let mut covariance = covariance(&gradients);
        let eigenvalues = rotate(&mut optimizer, &mut layer, &mut covariance);
        let (factors, state) = (layer.factors().clone(), optimizer.state().clone());
        let again = rotate(&mut optimizer, &mut layer, &mut covariance);
        assert!((&again / &eigenvalues - 1.0).iter().all(|difference| difference.abs() <= 1e-14), "{again}");
        // A direction may point the other way.
        let near = |old: f32, new: f32| (old.abs() - new.abs()).abs() <= f32::EPSILON * old.abs().max(1.0);
        assert!(factors.u().iter().zip(&layer.factors().u()).all(|(&old, &new)| near(old, new)), "{rule:?}");
        assert!(factors.v().iter().zip(&layer.factors().v()).all(|(&old, &new)| near(old, new)), "{rule:?}");
        for ((name, old), (_, new)) in state.tensors().zip(optimizer.state().tensors()) {
            assert!(old.iter().zip(&new).all(|(&old, &new)| near(old, new)), "{name} of {rule:?}: {old}, {new}");
        }
    }
}

/// Steps towards a table, with gradients that are mostly what all columns have in common, and noise; returns how far the
/// table is from it.
fn distance_after(rule: Optimizer, steps: usize, period: Option<usize>, with_v: bool) -> f64 {
    let factors = Factors::new(random::normal((40, 6), 1), Array2::eye(6)).expect("shapes that multiply");
    let mut layer = FactorizedEmbedding::new(factors);
    let target = widened(random::normal((40, 6), 50).view());
    let importance = Array2::from_elem((6, 6), 1.0) + Array2::<f64>::eye(6) * 0.01;
    let mut optimizer = optimizer(rule);
    let mut covariance = GradientCovariance::new(6, 0.9).expect("a decay");
    let distance = |layer: &FactorizedEmbedding| widened(layer.factors().to_dense().view()) - &target;
    for step in 1..=steps {
        let noise = widened(random::normal((40, 1), 100 + step as u64).view());
        let by_table = distance(&layer).dot(&importance) + &noise;
        let by_u = by_table.dot(&widened(layer.factors().v()).t());
        let gradient = RowGradient::of_all_rows(by_u.mapv(|x| x as f32));
        covariance.add(&gradient).expect("finite numbers");
        let mut gradients = FactorGradients::default();
        gradients.u = Some(gradient);
        gradients.v = with_v.then(|| widened(layer.factors().u().view()).t().dot(&by_table).mapv(|x| x as f32 * 0.01));
        optimizer.step(&mut layer, &gradients, 0.02).expect("shapes that fit");
        if period.is_some_and(|period| step % period == 0) {
            rotate(&mut optimizer, &mut layer, &mut covariance);
        }
    }
    length(&distance(&layer))
}

#[test]
fn adam_learns_faster_in_an_eigenbasis() {
    let rule = Optimizer::Adam { betas: [0.9, 0.95], epsilon: 1e-8 };
    let [start, plain, rotated] =
        [(0, None), (400, None), (400, Some(10))].map(|(steps, period)| distance_after(rule, steps, period, false));
    assert!(plain < start && rotated < 0.1 * plain, "{start}, {plain} without a rotation, {rotated} with some");
}

#[test]
fn stochastic_gradient_descent_goes_the_same_way() {
    for rule in [Optimizer::sgd(), Optimizer::Sgd { momentum: Momentum::Polyak(0.5) }] {
        let [plain, rotated] = [None, Some(10)].map(|period| distance_after(rule, 60, period, true));
        assert!((plain / rotated - 1.0).abs() < 1e-4, "{plain}, {rotated}");
    }
}

#[test]
fn what_belongs_to_the_layer_stays_but_hot_rows() {
    let mut layer = layer(SHAPE, 1).with_padding_id(5).expect("a row").with_hot_rows(&[3, 4], 1 << 10).expect("ids");
    let ids: Vec<u32> = (0..30).collect();
    let before = layer.lookup(&ids).expect("ids of the vocabulary");
    assert!(layer.num_hot_rows() > 0);
    let gradients = factor_gradients(SHAPE, None, 2);
    rotate(&mut optimizer(Optimizer::adam()), &mut layer, &mut covariance(&gradients));
    assert_eq!((layer.num_hot_rows(), layer.padding_id()), (0, Some(5)));
    let after = layer.lookup(&ids).expect("ids of the vocabulary");
    assert!((&after - &before).iter().all(|difference| difference.abs() < 1e-5), "{after}, {before}");
    assert_eq!(after.row(5), before.row(5));
}

#[test]
fn directions_without_gradients_are_directions_all_the_same() {
    // No gradient yet, and gradients of one direction only.
    let one = RowGradient::of_all_rows(random::normal((30, 1), 3).dot(&array![[1.0_f32, -2.0, 0.5, 3.0]]));
    for gradient in [None, Some(one)] {
        let mut covariance = GradientCovariance::new(4, 0.5).expect("a decay");
        gradient.iter().for_each(|gradient| covariance.add(gradient).expect("finite numbers"));
        let (mut layer, mut optimizer) = (layer(SHAPE, 1), optimizer(Optimizer::adam()));
        let before = layer.factors().clone();
        let eigenvalues = rotate(&mut optimizer, &mut layer, &mut covariance);
        assert_same_table("of few directions", layer.factors(), &before, length(&widened(before.to_dense().view())));
        let [largest, rest @ ..] = eigenvalues.as_slice().expect("a vector") else { panic!("four eigenvalues") };
        assert!(rest.iter().all(|&value| (0.0..=1e-6 * largest).contains(&value)), "{eigenvalues}");
    }
}

#[test]
fn small_numbers_of_a_diagonal_are_no_obstacle() {
    for entry in [0.0, 1e-6] {
        let mut variant = FactorParts::normal(SHAPE, 3);
        variant.diagonal = Some(array![2.0, entry, -1.0, 3.0]);
        let mut layer = FactorizedEmbedding::new(variant.factors());
        let mut optimizer = optimizer(Optimizer::adam());
        let gradients = gradients_of_linear_loss(layer.factors(), &slope());
        optimizer.step(&mut layer, &gradients, 0.0).expect("shapes that fit");
        rotate(&mut optimizer, &mut layer, &mut covariance(&gradients));
        let (after, before) = (layer.factors().clone(), variant.factors());
        assert_same_table("a zero", &after, &before, length(&widened(before.to_dense().view())));
        assert_eq!(after.diagonal().expect("a diagonal"), Array1::<f32>::ones(4));
        // No number moves further than Adam moves it.
        let gradients = gradients_of_linear_loss(&after, &slope());
        optimizer.step(&mut layer, &gradients, 0.01).expect("shapes that fit");
        let moved = (&layer.factors().v() - &after.v()).mapv(f32::abs);
        assert!(moved.iter().all(|&moved| (0.0..=0.0101).contains(&moved)) && moved.sum() > 0.0, "{moved}");
    }
}

#[test]
fn layers_and_covariances_that_do_not_fit_are_refused() {
    let (mut layer, mut optimizer) = (layer(SHAPE, 1), optimizer(Optimizer::adam()));
    let gradients = factor_gradients(SHAPE, None, 2);
    optimizer.step(&mut layer, &gradients, 0.1).expect("shapes that fit");
    let mut covariance = covariance(&gradients);
    let before = (layer.factors().clone(), optimizer.clone(), covariance.clone());

    let mut narrow = layer.to_f16().expect("small numbers");
    let error = optimizer.rotate_to_eigenbasis(&mut narrow, &mut covariance).expect_err("f16");
    assert!(matches!(error, Error::NotTrainable { .. }), "{error}");
    let mut other = crate::drawn::layer(Shape { vocab_size: 31, ..SHAPE }, 1);
    let error = optimizer.rotate_to_eigenbasis(&mut other, &mut covariance).expect_err("31 rows");
    assert_eq!(error.to_string(), "optimizer state of u has shape [30, 4], expected [31, 4]");
    let mut of_five = GradientCovariance::new(5, 0.95).expect("a decay");
    let error = optimizer.rotate_to_eigenbasis(&mut layer, &mut of_five).expect_err("rank 5");
    assert_eq!(error.to_string(), "covariance [rank, rank] has shape [5, 5], expected [4, 4]");
    assert_eq!((layer.factors(), &optimizer, &covariance), (&before.0, &before.1, &before.2));
}

#[test]
fn numbers_that_leave_their_range_change_nothing() {
    // The entries of a row, or of a column, become their sum over √2, and another.
    let (ones, huge) = (Array2::<f32>::ones((2, 2)), Array2::from_elem((2, 2), f32::MAX));
    let refusal = |[u, v, of_u, of_v]: [&Array2<f32>; 4]| {
        let factors = Factors::new(u.clone(), v.clone()).expect("shapes that multiply");
        let mut layer = FactorizedEmbedding::new(factors);
        let mut optimizer = optimizer(Optimizer::Sgd { momentum: Momentum::Polyak(0.5) });
        let mut gradients = FactorGradients::default();
        gradients.u = Some(RowGradient::of_all_rows(of_u.clone()));
        gradients.v = Some(of_v.clone());
        optimizer.step(&mut layer, &gradients, 0.0).expect("shapes that fit");
        let mut covariance = GradientCovariance::new(2, 0.5).expect("a decay");
        covariance.add(&RowGradient::of_all_rows(ones.clone())).expect("finite numbers");
        let before = (layer.factors().clone(), optimizer.clone(), covariance.clone());
        let error = optimizer.rotate_to_eigenbasis(&mut layer, &mut covariance).expect_err("out of range");
        assert_eq!((layer.factors(), &optimizer, &covariance), (&before.0, &before.1, &before.2));
        error
    };
    for factors in [[&huge, &ones], [&ones, &huge]] {
        let error = refusal([factors[0], factors[1], &ones, &ones]);
        assert!(matches!(error, Error::NonFinite { .. }), "{error}");
    }
    let error = refusal([&ones, &ones, &huge, &ones]);
    assert_eq!(error.to_string(), "the optimizer state of u is beyond the range of f32");
    let error = refusal([&ones, &ones, &ones, &huge]);
    assert_eq!(error.to_string(), "the optimizer state of v is beyond the range of f32");
}

#[test]
fn covariances_are_running_means() {
    let mut covariance = GradientCovariance::new(3, 0.75).expect("a decay");
    let (mut expected, mut magnitudes) = (Array2::<f64>::zeros((3, 3)), Array2::<f64>::zeros((3, 3)));
    // Without rows, with some, and of several blocks.
    for (rows, seed) in [(0, 1), (7, 2), (2500, 3)] {
        let values = random::normal((rows, 3), seed);
        let gradient = RowGradient::of_rows((0..rows as u32).collect(), values.clone()).expect("ascending ids");
        covariance.add(&gradient).expect("finite numbers");
        let values = widened(values.view());
        expected = expected * 0.75 + values.t().dot(&values) * 0.25;
        magnitudes = magnitudes * 0.75 + values.t().mapv(f64::abs).dot(&values.mapv(f64::abs)) * 0.25;
        let difference = (&covariance.matrix() - &expected).mapv(f64::abs);
        // Blocks of 1,024 rows add up as `f32`.
        let near = difference.iter().zip(&magnitudes).all(|(x, magnitude)| *x <= 1024.0 * EPSILON * magnitude);
        assert!(near, "{}, expected {expected}", covariance.matrix());
        assert_eq!(covariance.matrix(), covariance.matrix().t());
    }
    assert_eq!((covariance.decay(), covariance.size_in_bytes()), (0.75, 9 * 8));
    let again = GradientCovariance::from_matrix(covariance.matrix().to_owned(), covariance.decay());
    assert_eq!(again.expect("finite numbers"), covariance);
    // Only the lower triangle is read.
    let triangle = GradientCovariance::from_matrix(array![[1.0, f64::NAN], [2.0, 3.0]], 0.5).expect("finite numbers");
    assert_eq!(triangle.matrix(), array![[1.0, 2.0], [2.0, 3.0]]);
}

#[test]
fn covariances_refuse_what_they_cannot_take() {
    for decay in [-0.1, 1.0, f64::NAN] {
        let error = GradientCovariance::new(3, decay).expect_err("no decay");
        assert_eq!(error.to_string(), format!("decay is {decay}, expected at least 0 and less than 1"));
    }
    let error = GradientCovariance::from_matrix(Array2::zeros((2, 3)), 0.5).expect_err("not square");
    assert_eq!(error.to_string(), "covariance [rank, rank] has shape [2, 3], expected [2, 2]");
    let error = GradientCovariance::from_matrix(array![[1.0, 0.0], [f64::INFINITY, 1.0]], 0.5).expect_err("infinite");
    assert!(matches!(error, Error::NonFinite { .. }), "{error}");

    let mut covariance = GradientCovariance::new(2, 0.5).expect("a decay");
    covariance.add(&RowGradient::of_all_rows(array![[1.0, 2.0]])).expect("finite numbers");
    let before = covariance.clone();
    let error = covariance.add(&RowGradient::of_all_rows(array![[1.0, 2.0, 3.0]])).expect_err("three columns");
    assert_eq!(error.to_string(), "gradient of u [k, rank] has shape [1, 3], expected [1, 2]");
    let error = covariance.add(&RowGradient::of_all_rows(array![[1.0, f32::NAN]])).expect_err("not a number");
    assert!(matches!(error, Error::NonFinite { .. }), "{error}");
    let error = covariance.add(&RowGradient::of_all_rows(array![[1e30, 1.0]])).expect_err("1e60");
    assert_eq!(error.to_string(), "the covariance of gradients is beyond the range of f32");
    assert_eq!(covariance, before);
}
