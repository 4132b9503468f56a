//! A linear layer that is folded into the factors.

use factorized_embedding::{Dtype, Embedding, FactorizedEmbedding, Shape, TokenId};
use ndarray::{Array1, Array2, Axis};

use crate::support::{
    compare::{Expected, assert_close, assert_same_bits, widened},
    factor_parts::FactorParts,
    random, reference,
};

const SHAPE: Shape = Shape { vocab_size: 20, rank: 5, dim: 9 };
/// Fewer columns than the rank, as many, more, and more than the table has.
const OUTPUTS: [usize; 6] = [1, 4, 5, 6, 9, 20];

/// E·W + 1·cᵀ.
fn linear(table: &Array2<f64>, weight: &Array2<f64>, bias: Option<&Array1<f64>>) -> Array2<f64> {
    let product = table.dot(weight);
    match bias {
        Some(bias) => product + bias,
        None => product,
    }
}

fn for_each_case(check: impl Fn(&FactorParts, &Array2<f32>, Option<&Array1<f32>>)) {
    for out in OUTPUTS {
        let weight = random::normal((SHAPE.dim, out), 1);
        let bias = random::normal((1, out), 2).remove_axis(Axis(0));
        for parts in FactorParts::normal(SHAPE, 3).variants() {
            check(&parts, &weight, None);
            check(&parts, &weight, Some(&bias));
        }
    }
}

#[test]
fn looking_up_in_the_folded_table_is_a_lookup_and_a_linear_layer() {
    for_each_case(|parts, weight, bias| {
        let layer = FactorizedEmbedding::new(parts.factors());
        let folded = layer.then_linear(weight.view(), bias.map(|bias| bias.view())).expect("a weight [dim, out]");
        assert_eq!((folded.vocab_size(), folded.dim()), (SHAPE.vocab_size, weight.ncols()));
        assert_eq!(folded.rank(), SHAPE.rank.min(weight.ncols()), "no larger than it need be");

        let wide = bias.map(|bias| bias.mapv(f64::from));
        let values = linear(&reference::dense(parts), &widened(weight.view()), wide.as_ref());
        let magnitudes = linear(
            &reference::dense(&parts.abs()),
            &widened(weight.view()).abs(),
            wide.map(|bias| bias.abs()).as_ref(),
        );
        // Sums over the dim, over the rank, and the two biases.
        let expected = Expected::new(values, SHAPE.dim + SHAPE.rank + 2, &magnitudes);
        let all: Vec<TokenId> = (0..20).collect();
        let rows = folded.lookup(&all).expect("ids of the vocabulary");
        assert_close(&format!("{layer:?} then {:?}", weight.dim()), rows.view(), &expected);
    });
}

#[test]
fn a_narrow_u_stays_narrow() {
    // Of each type, the share of a number that a rounding takes, at most; of integers, that of the largest of a column.
    for (dtype, rounding) in [(Dtype::F16, 1e-3), (Dtype::Bf16, 1e-2), (Dtype::Int8, 2e-2)] {
        for out in OUTPUTS {
            let weight = random::normal((SHAPE.dim, out), 1);
            let narrow = FactorParts::normal(SHAPE, 3).factors().to_dtype(dtype).expect("small numbers");
            let folded = narrow.then_linear(weight.view(), None).expect("a weight [dim, out]");
            assert_eq!(folded.dtype(), dtype);
            let expected = widened(narrow.to_dense().view()).dot(&widened(weight.view()));
            let difference = widened(folded.to_dense().view()) - &expected;
            let norm = |array: &Array2<f64>| array.iter().map(|number| number * number).sum::<f64>().sqrt();
            // U is rounded anew only where it is multiplied itself.
            let tolerance = if out < SHAPE.rank { rounding } else { 1e-5 };
            let error = norm(&difference) / norm(&expected);
            assert!(error <= tolerance, "{dtype}, {out} columns: off by {error:e}");
        }
    }
}

#[test]
fn a_padding_row_stays_zero_without_any_bias() {
    for_each_case(|parts, weight, bias| {
        let layer = FactorizedEmbedding::new(parts.factors()).with_padding_id(3).expect("an id of the vocabulary");
        let folded = layer.then_linear(weight.view(), bias.map(|bias| bias.view())).expect("a weight [dim, out]");
        assert_eq!(folded.padding_id(), Some(3));
        let row = folded.lookup(&[3]).expect("an id of the vocabulary");
        assert_eq!(row, Array2::<f32>::zeros((1, weight.ncols())));
    });
}

#[test]
fn strides_of_the_weight_change_nothing() {
    for_each_case(|parts, weight, bias| {
        let bias = bias.map(|bias| bias.view());
        let transposed = weight.t().to_owned();
        let strided = parts.factors().then_linear(transposed.t(), bias).expect("a weight [dim, out]");
        let expected = parts.factors().then_linear(weight.view(), bias).expect("a weight [dim, out]");
        assert_same_bits("u", strided.u().view(), expected.u().view());
        assert_same_bits("v", strided.v(), expected.v());
    });
}

#[test]
fn a_product_that_overflows_is_refused() {
    let layer = FactorizedEmbedding::new(FactorParts::normal(SHAPE, 4).factors());
    for out in [2, 20] {
        let weight = Array2::from_elem((SHAPE.dim, out), f32::MAX);
        let error = layer.then_linear(weight.view(), None).expect_err("larger than any f32");
        assert!(error.to_string().ends_with("only finite numbers can be used"), "{error}");
    }
}
