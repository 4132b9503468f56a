//! Tables as they are read.

use factorized_embedding::{Dtype, Embedding, Error, RowBlocks};
use half::{bf16, f16};
use ndarray::{Array2, Array4, s};

use crate::model::{f32s, message, model, number, open, sharded, tensor};

#[test]
fn tables_keep_the_type_that_they_have_in_the_file() {
    type Round = fn(f32) -> f32;
    let round: [(&str, Dtype, Round); 3] = [
        ("F32", Dtype::F32, |x| x),
        ("F16", Dtype::F16, |x| f16::from_f32(x).to_f32()),
        ("BF16", Dtype::Bf16, |x| bf16::from_f32(x).to_f32()),
    ];
    for (name, dtype, round) in round {
        for folder in [
            model("", &[tensor("wte.weight", name, &[7, 4]), f32s("other", &[3])]),
            sharded("{}", &[f32s("other", &[3]), tensor("wte.weight", name, &[7, 4])]),
        ] {
            let table = open(&folder).table("wte.weight").expect("a table");
            assert_eq!(table.dtype(), dtype);
            let expected = Array2::from_shape_fn((7, 4), |(i, j)| round(number("wte.weight", 4 * i + j)));
            assert_eq!(table.to_array(), expected);
            let layer = open(&folder).embedding("wte.weight").expect("a table");
            assert_eq!(
                layer.lookup(&[6, 0]).expect("ids"),
                ndarray::concatenate![ndarray::Axis(0), expected.slice(s![6..7, ..]), expected.slice(s![0..1, ..])]
            );
            assert_eq!(layer.size_in_bytes(), 7 * 4 * dtype.size(), "not widened");
            let array = open(&folder).array("wte.weight").expect("numbers");
            assert_eq!(array, expected.clone().into_dyn());
            let mut rows = open(&folder).rows("wte.weight").expect("a table").with_block_rows(5);
            assert_eq!(rows.next_block().expect("a block"), Some(expected.slice(s![..5, ..])));
            assert_eq!(rows.next_block().expect("a block"), Some(expected.slice(s![5.., ..])));
        }
    }
}

#[test]
fn arrays_are_read_in_any_shape() {
    let folder = model(
        "",
        &[f32s("scalar", &[]), tensor("vector", "F16", &[3]), f32s("cube", &[2, 3, 4]), tensor("ids", "I64", &[3])],
    );
    let checkpoint = open(&folder);
    assert_eq!(checkpoint.array("scalar").expect("a number").shape(), [0_usize; 0]);
    assert_eq!(checkpoint.array("vector").expect("numbers")[[2]], f16::from_f32(number("vector", 2)).to_f32());
    assert_eq!(checkpoint.array("cube").expect("numbers")[[1, 2, 3]], number("cube", 23));
    let expected = "tensor \"ids\" of FOLDER/model.safetensors is I64 [3], expected F32, F16 or BF16";
    assert_eq!(message(&folder, checkpoint.array("ids")), expected);
    let expected = "FOLDER/ has no tensor \"none\"; it has \"cube\", \"ids\", \"scalar\", \"vector\"";
    assert_eq!(message(&folder, checkpoint.array("none")), expected);
    let not_found = |error| matches!(error, Error::TensorNotFound { .. });
    assert!(not_found(checkpoint.factors("vector").expect_err("no factors")));
    assert!(not_found(checkpoint.quantized("vector").expect_err("no codes")));
    assert!(not_found(checkpoint.embedding("none").expect_err("no such tensor")));
    assert!(matches!(checkpoint.embedding("vector"), Err(Error::UnsuitableTensor { .. })));
}

/// A patch times the table is what the convolution computes of it.
#[test]
fn patches_are_soft_lookups() {
    let (hidden, channels, side) = (5, 3, 2);
    for prefix in ["vit.", ""] {
        let name = format!("{prefix}embeddings.patch_embeddings.projection.weight");
        let positions = format!("{prefix}embeddings.position_embeddings");
        let folder = model("", &[f32s(&name, &[hidden, channels, side, side]), f32s(&positions, &[1, 10, hidden])]);
        let checkpoint = open(&folder);
        let table = checkpoint.patch_table().expect("a projection");
        assert_eq!(table.dim(), (channels * side * side, hidden));

        let patch = Array4::from_shape_fn((1, channels, side, side), |(_, c, y, x)| (7 * c + 3 * y + x) as f32 * 0.1);
        let kernel = |h: usize, c: usize, y: usize, x: usize| number(&name, ((h * channels + c) * side + y) * side + x);
        let pixels = patch.clone().into_shape_with_order((1, channels * side * side)).expect("as many pixels");
        let layer = factorized_embedding::DenseEmbedding::new(table).expect("finite");
        let projected = layer.soft_lookup(pixels.view()).expect("a weight for each row");
        for h in 0..hidden {
            let expected: f32 = patch.indexed_iter().map(|((_, c, y, x), pixel)| pixel * kernel(h, c, y, x)).sum();
            assert!((projected[[0, h]] - expected).abs() < 1e-5, "{} and {expected}", projected[[0, h]]);
        }

        let table = checkpoint.position_table().expect("positions");
        assert_eq!((table.vocab_size(), table.dim()), (10, hidden));
        assert_eq!(table.lookup(&[9]).expect("an id")[[0, 4]], number(&positions, 49));
        let mut rows = checkpoint.rows(&positions).expect("positions");
        assert_eq!(rows.next_block().expect("a block"), Some(table.to_array().view()));
    }
}

#[test]
fn what_is_no_patch_projection_is_refused() {
    const NAME: &str = "vit.embeddings.patch_embeddings.projection.weight";
    let refused = |tensor| open(&model("", &[tensor])).patch_table().expect_err("no projection");
    assert!(matches!(refused(f32s(NAME, &[5, 12])), Error::UnsuitableTensor { .. }));
    assert!(matches!(refused(tensor(NAME, "U8", &[5, 3, 2, 2])), Error::UnsuitableTensor { .. }));
    assert!(matches!(refused(f32s(NAME, &[0, 3, 2, 2])), Error::Empty { .. }));
    assert!(matches!(refused(f32s(NAME, &[5, 0, 2, 2])), Error::Empty { .. }));
    assert!(matches!(refused(f32s("other", &[5, 3, 2, 2])), Error::TensorNotFound { .. }));
    let mut bad = f32s(NAME, &[1, 1, 1, 2]);
    bad.bytes[4..8].copy_from_slice(&f32::NAN.to_le_bytes());
    let message = refused(bad).to_string();
    assert!(message.contains("holds NaN at [1, 0]"), "{message}");
    let positions = open(&model("", &[f32s("vit.embeddings.position_embeddings", &[2, 10, 5])])).position_table();
    assert!(matches!(positions, Err(Error::UnsuitableTensor { .. })));
}
