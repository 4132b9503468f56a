//! ALBERT's two matrices as factors.

use factorized_embedding::{Dtype, Embedding, Error, FactorizedEmbedding};
use ndarray::{Array1, Array2};

use crate::model::{Tensor, f32s, message, model, number, open, sharded, tensor};

const TABLE: &str = "albert.embeddings.word_embeddings.weight";
const WEIGHT: &str = "albert.encoder.embedding_hidden_mapping_in.weight";
const BIAS: &str = "albert.encoder.embedding_hidden_mapping_in.bias";
const CONFIG: &str = r#"{"vocab_size": 9, "embedding_size": 3, "hidden_size": 6}"#;

fn albert() -> [Tensor; 3] {
    [f32s(TABLE, &[9, 3]), f32s(WEIGHT, &[6, 3]), f32s(BIAS, &[6])]
}

#[test]
fn the_factors_are_the_table_the_transposed_mapping_and_its_bias() {
    for folder in [model(CONFIG, &albert()), sharded(CONFIG, &albert())] {
        let factors = open(&folder).albert_factors().expect("both matrices");
        assert_eq!(factors.u(), Array2::from_shape_fn((9, 3), |(i, j)| number(TABLE, 3 * i + j)));
        assert_eq!(factors.v(), Array2::from_shape_fn((3, 6), |(i, j)| number(WEIGHT, 3 * j + i)));
        assert_eq!(factors.bias().expect("a bias"), Array1::from_shape_fn(6, |j| number(BIAS, j)));
        let layer = FactorizedEmbedding::new(factors.clone());
        let rows = layer.lookup_rank(&[8, 2]).expect("ids");
        let projected = layer.project(rows.view()).expect("rows of the rank");
        for ((i, j), actual) in projected.indexed_iter() {
            let row = [8, 2][i];
            let expected: f32 = (0..3).map(|k| number(TABLE, 3 * row + k) * number(WEIGHT, 3 * j + k)).sum();
            let expected = expected + number(BIAS, j);
            assert!((actual - expected).abs() < 1e-5, "{actual} and {expected}");
        }
        assert_eq!(layer.dim(), 6);
    }
}

#[test]
fn a_narrow_table_stays_narrow() {
    for (dtype, expected) in [("F16", Dtype::F16), ("BF16", Dtype::Bf16)] {
        let folder =
            model(CONFIG, &[tensor(TABLE, dtype, &[9, 3]), tensor(WEIGHT, dtype, &[6, 3]), tensor(BIAS, dtype, &[6])]);
        assert_eq!(open(&folder).albert_factors().expect("both matrices").dtype(), expected);
    }
}

#[test]
fn matrices_that_do_not_fit_together_are_told() {
    let refused = |config: &str, tensors: [Tensor; 3]| {
        let folder = model(config, &tensors);
        let result = open(&folder).albert_factors();
        (message(&folder, result), open(&folder).albert_factors().expect_err("refused again"))
    };
    let [table, weight, bias] = albert();
    let (text, error) = refused("{}", [table.clone(), f32s(WEIGHT, &[6, 4]), bias.clone()]);
    assert_eq!(text, "weight of the mapping [hidden_size, embedding_size] has shape [6, 4], expected [6, 3]");
    assert!(matches!(error, Error::ShapeMismatch { .. }));
    let (text, _) = refused("{}", [table.clone(), weight.clone(), f32s(BIAS, &[5])]);
    assert_eq!(text, "bias [dim] has shape [5], expected [6]");
    let (text, _) = refused("{}", [table.clone(), f32s(WEIGHT, &[2, 3]), f32s(BIAS, &[2])]);
    assert!(text.starts_with("rank 3 is out of range 1..=2"), "{text}");
    let (text, _) = refused(r#"{"hidden_size": 3}"#, [table.clone(), weight.clone(), bias.clone()]);
    assert_eq!(text, format!("FOLDER/config.json says hidden_size 3, but tensor {WEIGHT:?} has 6 rows"));
    let (text, _) = refused(r#"{"embedding_size": 6}"#, [table.clone(), weight.clone(), bias.clone()]);
    assert_eq!(text, format!("FOLDER/config.json says embedding_size 6, but tensor {TABLE:?} has 3 columns"));

    let suitable = |tensors| matches!(refused("{}", tensors).1, Error::UnsuitableTensor { .. });
    assert!(suitable([table.clone(), f32s(WEIGHT, &[18]), bias.clone()]));
    assert!(suitable([table.clone(), weight.clone(), f32s(BIAS, &[6, 1])]));
    assert!(suitable([table.clone(), tensor(WEIGHT, "I64", &[6, 3]), bias.clone()]));
    assert!(suitable([tensor(TABLE, "I8", &[9, 3]), weight.clone(), bias.clone()]));
    let (text, error) = refused("{}", [table.clone(), f32s("other", &[6, 3]), bias]);
    assert!(matches!(error, Error::TensorNotFound { .. }) && text.contains(WEIGHT), "{text}");
    let (text, error) = refused("{}", [table, weight, f32s("other", &[6])]);
    assert!(matches!(error, Error::TensorNotFound { .. }) && text.contains(BIAS), "{text}");
    let folder = model("", &[f32s("wte.weight", &[9, 3])]);
    assert!(matches!(open(&folder).albert_factors(), Err(Error::TensorNotFound { .. })), "another family");
}
