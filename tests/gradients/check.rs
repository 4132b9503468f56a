//! The gradients of an operation against those in f64, of factors and of a dense table, on every instruction set.
//!
//! First the chain rule in f64 against central differences; then the crate against the chain rule, with tolerances from
//! the number of terms and their magnitudes.

use factorized_embedding::{DenseEmbedding, Embedding, FactorizedEmbedding, Isa, Shape, TokenId, train::Backward};
use ndarray::Array2;

use crate::{
    operation::Operation,
    reference::{self, NAMES, Parts},
    support::{
        compare::{Expected, assert_close, widened},
        factor_parts::FactorParts,
        random,
    },
};

/// Shapes of rank 1, of dim 1, and awkward ones.
pub(crate) const SMALL_SHAPES: [Shape; 4] = [
    Shape { vocab_size: 7, rank: 3, dim: 5 },
    Shape { vocab_size: 6, rank: 1, dim: 4 },
    Shape { vocab_size: 5, rank: 1, dim: 1 },
    Shape { vocab_size: 11, rank: 4, dim: 17 },
];

/// Beyond the blocks and panels of the kernels.
pub(crate) const LARGE_SHAPE: Shape = Shape { vocab_size: 211, rank: 37, dim: 149 };

/// So many rows of so many columns that a batch of most of them is cut into four parts, and each part into two blocks.
pub(crate) const LONG_SHAPE: Shape = Shape { vocab_size: 1400, rank: 3, dim: 700 };

/// Nearly all ids of that shape, some of them several times.
pub(crate) fn long_ids() -> Vec<TokenId> {
    let vocab_size = LONG_SHAPE.vocab_size as TokenId;
    // 1,009 is prime, so that each id is met once.
    let spread = (0..vocab_size - 20).map(|i| i * 1009 % vocab_size);
    spread.chain(random::ids(300, LONG_SHAPE.vocab_size, 1)).collect()
}

pub(crate) fn layer(parts: &FactorParts, padding_id: Option<TokenId>) -> FactorizedEmbedding {
    let layer = FactorizedEmbedding::new(parts.factors());
    match padding_id {
        Some(id) => layer.with_padding_id(id).expect("an id of the vocabulary"),
        None => layer,
    }
}

/// With and without diagonal, bias and padding, on every instruction set.
pub(crate) fn check(operation: &Operation, shape: Shape) {
    for (seed, parts) in (1..).zip(FactorParts::normal(shape, 1).variants()) {
        for padding_id in [None, Some(2)] {
            let grad_out = random::normal(operation.shape((shape.vocab_size, shape.dim)), seed);
            let has = [("diagonal", parts.diagonal.is_some()), ("bias", parts.bias.is_some())];
            let name = format!("{operation:?} at {shape:?}, {has:?}, padding {padding_id:?}");
            check_factors(&name, operation, &parts, padding_id, &grad_out);
            check_dense(&name, operation, &parts, padding_id, &grad_out);
        }
    }
}

fn check_factors(
    name: &str,
    operation: &Operation,
    arrays: &FactorParts,
    padding_id: Option<TokenId>,
    grad_out: &Array2<f32>,
) {
    let (parts, wide) = (reference::parts(arrays), widened(grad_out.view()));
    let table = reference::table(&parts, padding_id);
    let expected = reference::chain(&parts, &operation.table_gradient(&table, padding_id, &wide), padding_id);
    let magnitudes = magnitudes(operation, &parts, padding_id, &wide);
    if arrays.u.len() < 100 {
        let loss = |parts: &Parts| (operation.output(&reference::table(parts, padding_id), padding_id) * &wide).sum();
        let differences = reference::differences(&parts, loss);
        for (part, (differences, expected)) in NAMES.iter().zip(differences.iter().zip(&expected)) {
            let (Some(differences), Some(expected)) = (differences, expected) else { continue };
            assert_near_differences(&format!("{name}: {part}"), expected, differences);
        }
    }
    let terms = operation.terms(arrays.u.nrows()) + arrays.u.ncols() + arrays.v.ncols();
    for isa in Isa::supported() {
        let layer = layer(arrays, padding_id).with_isa(isa);
        let gradients = operation.of_factors(&Backward::new(&layer), grad_out.view()).expect("shapes that fit");
        let ids = gradients.u.as_ref().expect("U is trained").ids().map(<[TokenId]>::to_vec);
        assert_eq!(ids, operation.rows(layer.vocab_size(), padding_id), "{name}: rows");
        let actual = reference::gradients(&gradients, layer.vocab_size());
        for (i, part) in NAMES.iter().enumerate() {
            assert_eq!(actual[i].is_some(), expected[i].is_some(), "{name}: {part}");
            let (Some(actual), Some(values), Some(magnitudes)) = (&actual[i], &expected[i], &magnitudes[i]) else {
                continue;
            };
            let expected = Expected::new(values.clone(), terms, magnitudes);
            assert_close(&format!("{name}, {isa}: gradient of {part}"), actual.view(), &expected);
        }
    }
}

/// Σ|terms| of every number of the gradients.
fn magnitudes(operation: &Operation, parts: &Parts, padding_id: Option<TokenId>, grad_out: &Array2<f64>) -> Parts {
    let table = reference::table(parts, padding_id);
    let of_table = operation.abs().table_gradient(&table, padding_id, &grad_out.abs());
    reference::chain(&reference::abs(parts), &of_table, padding_id)
}

fn check_dense(
    name: &str,
    operation: &Operation,
    arrays: &FactorParts,
    padding_id: Option<TokenId>,
    grad_out: &Array2<f32>,
) {
    let dense = arrays.factors().to_dense();
    let wide = widened(grad_out.view());
    let unpadded = |table: &Array2<f64>| crate::support::reference::unpadded(table, padding_id);
    let table = unpadded(&widened(dense.view()));
    let expected = unpadded(&operation.table_gradient(&table, padding_id, &wide));
    if dense.len() < 100 {
        let loss = |table: &Array2<f64>| (operation.output(&unpadded(table), padding_id) * &wide).sum();
        let differences = reference::central_differences(&table, loss);
        assert_near_differences(&format!("{name}: the table"), &expected, &differences);
    }
    let magnitudes = operation.abs().table_gradient(&table, padding_id, &wide.abs());
    for isa in Isa::supported() {
        let mut layer = DenseEmbedding::new(&dense).expect("finite numbers").with_isa(isa);
        if let Some(id) = padding_id {
            layer = layer.with_padding_id(id).expect("an id of the vocabulary");
        }
        let gradient = operation.of_table(&Backward::new(&layer), grad_out.view()).expect("shapes that fit");
        assert_eq!(
            gradient.ids().map(<[TokenId]>::to_vec),
            operation.rows(layer.vocab_size(), padding_id),
            "{name}: rows"
        );
        let expected = Expected::new(expected.clone(), operation.terms(arrays.u.nrows()), &magnitudes);
        let actual = reference::whole(&gradient, layer.vocab_size());
        assert_close(&format!("{name}, {isa}: gradient of the table"), actual.view(), &expected);
    }
}

/// The differences are those of a function that is linear in each number, or smooth.
fn assert_near_differences(name: &str, gradient: &Array2<f64>, differences: &Array2<f64>) {
    let scale = gradient.iter().fold(1.0_f64, |scale, number| scale.max(number.abs()));
    for (index, difference) in differences.indexed_iter() {
        let error = (difference - gradient[index]).abs();
        assert!(error <= 1e-6 * scale, "{name} at {index:?}: {}, difference {difference}", gradient[index]);
    }
}
