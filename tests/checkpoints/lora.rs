//! Low-rank updates as PEFT saves them.

use factorized_embedding::{DenseEmbedding, Dtype, Error, io::hugging_face::LoraEmbedding};
use ndarray::Array2;

use crate::{
    model::{Tensor, f32s, file_of, message, number, tensor},
    support::files::Folder,
};

const A: &str = "base_model.model.model.embed_tokens.lora_embedding_A";
const B: &str = "base_model.model.model.embed_tokens.lora_embedding_B";
const CONFIG: &str = r#"{"peft_type": "LORA", "r": 2, "lora_alpha": 8, "use_rslora": false, "alpha_pattern": {}}"#;

fn update() -> Vec<Tensor> {
    vec![f32s(A, &[2, 9]), f32s(B, &[5, 2])]
}

fn adapter(config: &str, tensors: &[Tensor]) -> Folder {
    let folder = Folder::new();
    folder.write("adapter_model.safetensors", &file_of(None, tensors));
    folder.write("adapter_config.json", config.as_bytes());
    folder
}

fn base() -> Array2<f32> {
    Array2::from_shape_fn((9, 5), |(i, j)| number("base", 5 * i + j))
}

/// base + scale · (B · A)ᵀ
fn expected(scale: f32) -> Array2<f32> {
    let update = |i: usize, j: usize| (0..2).map(|k| number(A, 9 * k + i) * number(B, 2 * j + k)).sum::<f32>();
    Array2::from_shape_fn((9, 5), |(i, j)| base()[[i, j]] + scale * update(i, j))
}

#[track_caller]
fn assert_close(actual: &Array2<f32>, expected: &Array2<f32>) {
    let largest = (actual - expected).iter().fold(0.0_f32, |largest, x| largest.max(x.abs()));
    // Products of four numbers up to 1, times 4, added to one up to 1.
    assert!(largest <= 16.0 * f32::EPSILON, "{largest} away");
}

#[test]
fn merged_and_apart_are_the_same_table() {
    for (config, scale) in [
        (CONFIG, 4.0),
        (r#"{"r": 2, "lora_alpha": 8, "use_rslora": true}"#, 8.0 / 2.0_f32.sqrt()),
        (r#"{"r": 2, "lora_alpha": 1}"#, 0.5),
        (r#"{"lora_alpha": 1.5, "rank_pattern": {"embed_tokens": 2}, "r": 64}"#, 0.75),
    ] {
        let folder = adapter(config, &update());
        let lora = LoraEmbedding::open(folder.path("")).expect("a valid adapter");
        assert_eq!(lora.module(), "base_model.model.model.embed_tokens");
        assert_eq!(lora.factors().shape().rank, 2);
        let dense = DenseEmbedding::new(base()).expect("finite");
        let merged = lora.merge(&dense).expect("the base of the update");
        assert_close(&merged, &expected(scale));
        let ids = [8, 0, 8, 3];
        let rows = lora.lookup(&dense, &ids).expect("ids");
        for (row, id) in rows.rows().into_iter().zip(ids) {
            assert_eq!(row, merged.row(id as usize));
        }
        let mut out = Array2::from_elem((4, 5), f32::NAN);
        lora.lookup_into(&dense, &ids, out.view_mut()).expect("ids");
        assert_eq!(out, rows);
    }
}

#[test]
fn the_base_may_be_narrow_and_has_its_padding() {
    let folder = adapter(CONFIG, &update());
    let lora = LoraEmbedding::open(folder.path("")).expect("a valid adapter");
    let bytes: Vec<u8> = base().iter().flat_map(|&x| half::f16::from_f32(x).to_le_bytes()).collect();
    let narrow = DenseEmbedding::from_bytes(bytes, Dtype::F16, [9, 5]).and_then(|table| table.with_padding_id(3));
    let narrow = narrow.expect("as many bytes");
    let rows = lora.lookup(&narrow, &[3, 1]).expect("ids");
    assert!(rows.row(0).iter().all(|&x| x == 0.0), "padding");
    assert!(rows.row(1).iter().zip(expected(4.0).row(1)).all(|(x, y)| (x - y).abs() < 1e-3));
}

#[test]
fn tables_larger_than_a_block_are_merged_whole() {
    let folder = adapter(r#"{"r": 1, "lora_alpha": 1}"#, &[f32s(A, &[1, 2500]), f32s(B, &[3, 1])]);
    let lora = LoraEmbedding::open(folder.path("")).expect("a valid adapter");
    let base = DenseEmbedding::new(Array2::ones((2500, 3))).expect("finite");
    let merged = lora.merge(&base).expect("the base of the update");
    for ((i, j), actual) in merged.indexed_iter() {
        assert_eq!(*actual, number(A, i).mul_add(number(B, j), 0.0) + 1.0, "{i} {j}");
    }
}

#[test]
fn another_base_and_ids_out_of_range_are_refused() {
    let folder = adapter(CONFIG, &update());
    let lora = LoraEmbedding::open(folder.path("")).expect("a valid adapter");
    let other = DenseEmbedding::new(Array2::zeros((9, 4))).expect("finite");
    let expected = "base of the update [vocab_size, dim] has shape [9, 4], expected [9, 5]";
    assert_eq!(lora.lookup(&other, &[0]).expect_err("another dim").to_string(), expected);
    assert_eq!(lora.merge(&other).expect_err("another dim").to_string(), expected);
    let dense = DenseEmbedding::new(base()).expect("finite");
    assert!(matches!(lora.lookup(&dense, &[9]), Err(Error::IdOutOfRange { id: 9, .. })));
    let mut out = Array2::from_elem((2, 5), 7.0);
    assert!(matches!(lora.lookup_into(&dense, &[0], out.view_mut()), Err(Error::ShapeMismatch { .. })));
    assert!(matches!(lora.lookup_into(&dense, &[0, 9], out.view_mut()), Err(Error::IdOutOfRange { .. })));
    assert!(out.iter().all(|&x| x == 7.0), "nothing is written");
}

#[test]
fn adapters_that_are_none_are_refused() {
    let refused = |config: &str, tensors: &[Tensor]| {
        let folder = adapter(config, tensors);
        message(&folder, LoraEmbedding::open(folder.path("")))
    };
    let config = |config: &str| refused(config, &update());
    let start = "FOLDER/adapter_config.json is not a valid PEFT adapter configuration file: ";
    for (settings, reason) in [
        ("[]", "invalid type: sequence, expected an object at line 1 column 0"),
        (r#"{"r": 2}"#, "it has no lora_alpha"),
        (r#"{"r": 2, "lora_alpha": null}"#, "it has no lora_alpha"),
        (r#"{"r": 2, "lora_alpha": "8"}"#, r#"lora_alpha is "8", expected a number"#),
        (r#"{"r": 2, "lora_alpha": 1e999}"#, "lora_alpha is 1e999, expected a number"),
        (r#"{"r": 2.5, "lora_alpha": 8}"#, "r is 2.5, expected a whole number"),
        (r#"{"r": 2, "lora_alpha": 8, "use_rslora": "yes"}"#, r#"use_rslora is "yes", expected true or false"#),
        (
            r#"{"r": 2, "lora_alpha": 8, "use_dora": true}"#,
            "use_dora is true, which is another update than that of low rank",
        ),
        (
            r#"{"r": 2, "lora_alpha": 8, "alpha_pattern": {"embed_tokens": 4}}"#,
            "alpha_pattern gives modules a scale of their own, which is not supported",
        ),
        (r#"{"r": 2, "lora_alpha": 8, "alpha_pattern": 4}"#, "alpha_pattern is no object"),
        (r#"{"r": 2, "lora_alpha": 8, "rank_pattern": [4]}"#, "rank_pattern is no object"),
    ] {
        assert_eq!(config(settings), format!("{start}{reason}"));
    }
    let expected = format!("FOLDER/adapter_config.json says r 3, but tensor {A:?} has 2 rows");
    assert_eq!(config(r#"{"r": 3, "lora_alpha": 8}"#), expected);

    let tensors = |tensors: &[Tensor]| refused(CONFIG, tensors);
    assert_eq!(
        tensors(&[f32s(A, &[2, 9]), f32s(B, &[5, 3])]),
        "lora_embedding_B [dim, r] has shape [5, 3], expected [5, 2]"
    );
    let expected = "FOLDER/adapter_model.safetensors has no tensor \"lora_embedding_A\"; it has \"x.lora_A.weight\"";
    assert_eq!(tensors(&[f32s("x.lora_A.weight", &[2, 9])]), expected);
    assert!(tensors(&[f32s(A, &[2, 9])]).contains(&format!("has no tensor {B:?}")));
    let several = tensors(&[update(), vec![f32s("a.lora_embedding_A", &[2, 9])]].concat());
    assert!(several.contains("has several token tables, \"a.lora_embedding_A\", \"base_model"), "{several}");
    assert!(tensors(&[f32s(A, &[18]), f32s(B, &[5, 2])]).contains("expected F32, F16 or BF16 [r, vocab_size]"));
    assert!(tensors(&[f32s(A, &[2, 9]), tensor(B, "I64", &[5, 2])]).contains("expected F32, F16 or BF16 [dim, r]"));
    assert!(
        refused(r#"{"r": 9, "lora_alpha": 8}"#, &[f32s(A, &[9, 9]), f32s(B, &[5, 9])])
            .starts_with("rank 9 is out of range")
    );
    let folder = Folder::new();
    assert!(matches!(LoraEmbedding::open(folder.path("")), Err(Error::Io { action: "open", .. })));
}
