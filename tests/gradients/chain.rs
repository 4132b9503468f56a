//! The gradients of factors are those of the dense table, pushed through the chain rule: ∂U = ∂E · Vᵀ · diag(D), and so
//! on.

use factorized_embedding::{Embedding, Pooling, train::Backward};
use ndarray::Array2;

use crate::{
    check::{LARGE_SHAPE, layer},
    operation::Operation,
    reference::{self, NAMES},
    support::{compare::widened, factor_parts::FactorParts, random},
};

fn operations() -> Vec<Operation> {
    let ids = random::ids(500, LARGE_SHAPE.vocab_size, 1);
    let offsets: Vec<usize> = (0..500).step_by(7).collect();
    let bag = |pooling, weights| Operation::Bag { ids: ids.clone(), offsets: offsets.clone(), pooling, weights };
    let weights = random::normal((1, 500), 2).into_raw_vec_and_offset().0;
    vec![
        Operation::Lookup { ids: ids.clone() },
        bag(Pooling::Sum, None),
        bag(Pooling::Sum, Some(weights)),
        bag(Pooling::Mean, None),
        bag(Pooling::Max, None),
        Operation::SoftLookup { weights: random::normal((40, LARGE_SHAPE.vocab_size), 3) },
        Operation::Logits { hidden: random::normal((40, LARGE_SHAPE.dim), 4) },
    ]
}

#[test]
fn is_that_of_the_dense_gradient() {
    for arrays in FactorParts::normal(LARGE_SHAPE, 1).variants() {
        let layer = layer(&arrays, Some(11));
        let dense = layer.to_dense().expect("finite products");
        for operation in operations() {
            let grad_out = random::normal(operation.shape((layer.vocab_size(), layer.dim())), 5);
            let of_table = operation.of_table(&Backward::new(&dense), grad_out.view()).expect("shapes that fit");
            let of_table = widened(reference::whole(&of_table, layer.vocab_size()).view());
            let expected = reference::chain(&reference::parts(&arrays), &of_table, Some(11));
            let of_factors = operation.of_factors(&Backward::new(&layer), grad_out.view()).expect("shapes that fit");
            let actual = reference::gradients(&of_factors, layer.vocab_size());
            for (part, (actual, expected)) in NAMES.iter().zip(actual.iter().zip(&expected)) {
                assert_eq!(actual.is_some(), expected.is_some(), "{part}");
                let (Some(actual), Some(expected)) = (actual, expected) else { continue };
                let relative = relative_error(actual, expected);
                assert!(relative <= 1e-5, "{part}: off by {relative}");
            }
        }
    }
}

/// ‖actual − expected‖ / ‖expected‖
fn relative_error(actual: &Array2<f32>, expected: &Array2<f64>) -> f64 {
    let norm = |array: &Array2<f64>| array.iter().map(|number| number * number).sum::<f64>().sqrt();
    norm(&(widened(actual.view()) - expected)) / norm(expected)
}
