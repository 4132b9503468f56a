//! Every rule against its formula, over some steps, with gradients of some rows and of all rows.

use factorized_embedding::{
    DenseEmbedding, Shape, TokenId,
    train::{ArrayOptimizer, FactorOptimizer, Optimizer, OptimizerState, TableOptimizer},
};
use ndarray::{Array, Array1, Array2, Array3, ArrayView, Axis, Dimension, Ix2, s};

use crate::{
    drawn::{factor_gradients, gradient, layer, row_gradient, rules, some_ids},
    reference::Trained,
    support::{
        compare::{Expected, assert_close},
        random,
    },
};

const STEPS: u64 = 6;
const RATE: f64 = 0.05;

/// A number takes at most eight roundings in a step, of itself and of a change that is at most 16 η: gradients are within
/// ½ and 2, so that |m| / √v ≤ 4, and the momentum of so many steps is below 8. What is remembered is made of so many
/// gradients and their squares, at most 4.
fn tolerances(trained: &Trained) -> (Array2<f64>, f64) {
    let roundings = (8 * STEPS) as f64 * f64::from(f32::EPSILON);
    ((trained.parameters.abs() + 16.0 * RATE) * roundings, 4.0 * STEPS as f64 * roundings)
}

#[track_caller]
fn assert_trained<D: Dimension>(
    part: &str,
    parameters: ArrayView<'_, f32, D>,
    state: &OptimizerState,
    trained: &Trained,
) {
    let what = format!("{part} by {:?}", trained.rule);
    let (tolerances, of_state) = tolerances(trained);
    let expected = Expected { values: trained.parameters.clone(), tolerances };
    let shape = trained.parameters.dim();
    let flat = parameters.as_standard_layout().into_owned().into_shape_with_order(shape).expect("as many numbers");
    assert_close(&what, flat.view(), &expected);

    let tensors: Vec<_> = state.tensors().filter(|(name, _)| name.starts_with(&format!("{part}."))).collect();
    let expected = trained.tensors();
    assert_eq!(tensors.len(), expected.len(), "{what}: {tensors:?}");
    for ((name, tensor), (end, numbers)) in tensors.iter().zip(&expected) {
        assert_eq!(*name, format!("{part}.{end}"));
        let by_row = matches!(trained.rule, Optimizer::RowwiseAdagrad { .. });
        let shape = if by_row { &parameters.shape()[..parameters.ndim().min(1)] } else { parameters.shape() };
        assert_eq!(tensor.shape(), shape, "{what}: {name}");
        assert_eq!(tensor.len(), numbers.len(), "{what}: {name}");
        for (&actual, &expected) in tensor.iter().zip(numbers) {
            let difference = (f64::from(actual) - expected).abs();
            assert!(difference <= of_state, "{what}: {name} is off by {difference:e}, more than {of_state:e}");
        }
    }
    let steps = state.steps().find(|(name, _)| *name == part).expect("the part has made steps").1;
    assert_eq!(steps, trained.steps as u64);
}

/// The ids of each step: few, others, all of them, none at all, nearly all, few again.
fn ids_of(vocab_size: usize, step: u64) -> Option<Vec<TokenId>> {
    match step {
        2 => None,
        3 => Some(vec![]),
        4 => Some((1..vocab_size as TokenId).collect()),
        step => Some(some_ids(vocab_size, 3, step)),
    }
}

#[test]
fn tables_follow_the_formulas() {
    // Within one piece of work, and over several.
    for shape in [(1, 1), (13, 7), (800, 41)] {
        for rule in rules() {
            let table = random::normal(shape, 1);
            let mut trained = Trained::new(rule, table.view(), true);
            let mut layer = DenseEmbedding::new(table).expect("a finite table");
            let mut optimizer = TableOptimizer::new(rule).expect("a valid rule");
            for step in 0..STEPS {
                let gradient = row_gradient(ids_of(shape.0, step), shape, 10 + step);
                trained.step(gradient.ids(), gradient.values(), RATE);
                optimizer.step(&mut layer, &gradient, RATE).expect("shapes that fit");
            }
            assert_trained("table", layer.to_array().view(), optimizer.state(), &trained);
        }
    }
}

fn as_column(vector: &Array1<f32>) -> Array2<f32> {
    vector.clone().insert_axis(Axis(1))
}

#[test]
fn factors_follow_the_formulas() {
    let shape = Shape { vocab_size: 23, rank: 5, dim: 11 };
    for rule in rules() {
        let mut layer = layer(shape, 2);
        let factors = layer.factors().clone();
        let [diagonal, bias] = [factors.diagonal(), factors.bias()].map(|vector| vector.expect("all parts").to_owned());
        let mut u = Trained::new(rule, factors.u().view(), true);
        let mut d = Trained::new(rule, as_column(&diagonal).view(), false);
        let mut v = Trained::new(rule, factors.v(), true);
        let mut b = Trained::new(rule, as_column(&bias).view(), false);
        let mut optimizer = FactorOptimizer::new(rule).expect("a valid rule");
        for step in 0..STEPS {
            let mut gradients = factor_gradients(shape, ids_of(shape.vocab_size, step), 10 + step);
            // Some parts are frozen in some steps, which their counts do not see.
            if step == 3 {
                (gradients.diagonal, gradients.v, gradients.bias) = (None, None, None);
            }
            if step == 4 {
                gradients.u = None;
            }
            optimizer.step(&mut layer, &gradients, RATE).expect("shapes that fit");
            if let Some(gradient) = &gradients.u {
                u.step(gradient.ids(), gradient.values(), RATE);
            }
            if let (Some(of_d), Some(of_v), Some(of_b)) = (&gradients.diagonal, &gradients.v, &gradients.bias) {
                d.step(None, as_column(of_d).view(), RATE);
                v.step(None, of_v.view(), RATE);
                b.step(None, as_column(of_b).view(), RATE);
            }
        }
        let factors = layer.factors();
        assert_trained("u", factors.u().view(), optimizer.state(), &u);
        assert_trained("diagonal", factors.diagonal().expect("all parts"), optimizer.state(), &d);
        assert_trained("v", factors.v(), optimizer.state(), &v);
        assert_trained("bias", factors.bias().expect("all parts"), optimizer.state(), &b);
    }
}

/// An array of any shape is a matrix of the rows of its first dimension.
fn check_array<D: Dimension>(rule: Optimizer, array: &mut ndarray::ArrayRef<f32, D>, matrix: Ix2) {
    let (rows, width) = matrix.into_pattern();
    let flat: Vec<f32> = array.iter().copied().collect();
    let start = Array2::from_shape_vec((rows, width), flat).expect("as many numbers");
    let mut trained = Trained::new(rule, start.view(), true);
    let mut optimizer = ArrayOptimizer::new(rule).expect("a valid rule");
    for step in 0..STEPS {
        let values = gradient((rows, width), 20 + step);
        trained.step(None, values.view(), RATE);
        let shaped = Array::from_shape_vec(array.raw_dim(), values.into_raw_vec_and_offset().0);
        optimizer.step(array, &shaped.expect("as many numbers"), RATE).expect("shapes that fit");
    }
    assert_trained("array", array.view(), optimizer.state(), &trained);
}

#[test]
fn arrays_follow_the_formulas() {
    let numbers = |len: usize| random::normal((1, len), 3).remove_axis(Axis(0));
    for rule in rules() {
        check_array(rule, &mut numbers(9), Ix2(9, 1));
        let cube = numbers(60).into_shape_with_order((5, 4, 3)).expect("60 numbers");
        check_array(rule, &mut cube.clone(), Ix2(5, 12));
        // Columns, and every other number.
        check_array(rule, &mut cube.clone().reversed_axes(), Ix2(3, 20));
        check_array(rule, &mut cube.clone().slice_mut(s![.., ..;2, ..]), Ix2(5, 6));
        check_array(rule, &mut Array3::zeros((5, 0, 3)), Ix2(5, 0));
        check_array(rule, &mut ndarray::arr0(0.5), Ix2(1, 1));
    }
}

#[test]
fn rows_without_a_gradient_stay_what_they_are() {
    let shape = (50, 6);
    for rule in rules() {
        let table = random::normal(shape, 4);
        let mut layer = DenseEmbedding::new(table).expect("a finite table");
        let mut optimizer = TableOptimizer::new(rule).expect("a valid rule");
        optimizer.step(&mut layer, &row_gradient(None, shape, 5), RATE).expect("shapes that fit");
        let (before, state) = (layer.to_array().to_owned(), optimizer.state().clone());
        let ids = some_ids(50, 4, 6);
        optimizer.step(&mut layer, &row_gradient(Some(ids.clone()), shape, 7), RATE).expect("shapes that fit");
        for id in 0..50 {
            let touched = ids.contains(&(id as TokenId));
            assert_eq!(layer.to_array().row(id) != before.row(id), touched, "row {id} by {rule:?}");
            for ((name, old), (_, new)) in state.tensors().zip(optimizer.state().tensors()) {
                let row = |tensor: &ndarray::ArrayViewD<'_, f32>| tensor.index_axis(Axis(0), id).to_owned();
                assert_eq!(row(&old) != row(&new), touched, "row {id} of {name} by {rule:?}");
            }
        }
    }
}

/// What all ids name is what no ids name, but for where Adam adds its ε.
#[test]
fn all_ids_are_all_rows() {
    let shape = (30, 8);
    for rule in rules().into_iter().filter(|rule| !matches!(rule, Optimizer::Adam { .. } | Optimizer::AdamW { .. })) {
        let [some, all] = [Some((0..30).collect()), None].map(|ids| {
            let mut layer = DenseEmbedding::new(random::normal(shape, 8)).expect("a finite table");
            let mut optimizer = TableOptimizer::new(rule).expect("a valid rule");
            for step in 0..3 {
                optimizer.step(&mut layer, &row_gradient(ids.clone(), shape, step), RATE).expect("shapes that fit");
            }
            (layer.to_array().to_owned(), optimizer)
        });
        assert_eq!(some, all, "{rule:?}");
    }
}
