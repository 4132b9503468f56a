//! Dense tables again.

use std::{fs, path::Path};

use factorized_embedding::{
    Dtype, Embedding, Error, FactorizedEmbedding, QuantizedEmbedding,
    io::hugging_face::{Checkpoint, Replacement},
};
use ndarray::Array2;

use crate::{
    model::{SINGLE, contents, f32s, message, model, open, read, sharded, tensor},
    saving::{CONFIG, DIM, ROWS, TABLE, codes, factors, save, table_of, tensors},
    support::files::Folder,
};

/// Compresses and restores; the folder of the restored checkpoint.
fn round_trip(from: &Folder, replacement: &Replacement, out: &Folder) -> std::path::PathBuf {
    save(from, replacement, &out.path("small"));
    let compressed = Checkpoint::open(out.path("small")).expect("what was just written");
    let (mut last, whole) = ((0, 1), out.path("whole"));
    let restored = compressed.restore(&whole, |written, total| {
        last = (written, total);
        Ok(())
    });
    assert_eq!(last.0, last.1, "all is written at the end");
    let restored = restored.expect("a writable folder");
    assert_eq!((restored.name.as_str(), restored.shape), (TABLE, [ROWS, DIM]));
    whole
}

fn relative_error(table: &Array2<f32>, restored: &Array2<f32>) -> f64 {
    let squares = |array: &Array2<f32>| array.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>();
    (squares(&(table - restored)) / squares(table)).sqrt()
}

#[test]
fn names_shapes_types_and_all_other_bytes_are_as_before() {
    for dtype in ["F32", "F16", "BF16"] {
        for (from, is_sharded) in [(model(CONFIG, &tensors(dtype)), false), (sharded(CONFIG, &tensors(dtype)), true)] {
            let table = table_of(&open(&from));
            for replacement in
                [Replacement::factors("svd", factors(&table)), Replacement::quantized("quantized", codes(&table))]
            {
                let out = Folder::new();
                let whole = round_trip(&from, &replacement, &out);
                let (before, after) = (contents(&from.path("")), contents(&whole));
                let names = |files: &[(std::path::PathBuf, Vec<u8>)]| {
                    files.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>()
                };
                assert_eq!(names(&before), names(&after));
                let file_of_table = if is_sharded { "model-00003-of-00006.safetensors" } else { SINGLE };
                for ((name, before), (_, after)) in before.iter().zip(&after) {
                    // The index and the configuration among them.
                    assert!(name == Path::new(file_of_table) || before == after, "{} is another", name.display());
                }
                let (before, after) = (read(&from.path(file_of_table)), read(&whole.join(file_of_table)));
                assert_eq!(before.0, after.0, "metadata");
                assert_eq!(before.1.len(), after.1.len());
                for (before, after) in before.1.iter().zip(&after.1) {
                    assert_eq!((&before.name, before.dtype, &before.shape), (&after.name, after.dtype, &after.shape));
                    assert!(before.bytes == after.bytes || before.name == TABLE, "{}", before.name);
                }
            }
        }
    }
}

#[test]
fn the_restored_table_has_the_error_that_was_reported() {
    for dtype in ["F32", "F16", "BF16"] {
        let from = model(CONFIG, &tensors(dtype));
        let table = table_of(&open(&from));
        let (factors, codes) = (factors(&table), codes(&table));
        let layers: [(Replacement, Box<dyn Embedding>); 2] = [
            (Replacement::factors("svd", factors.clone()), Box::new(FactorizedEmbedding::new(factors))),
            (Replacement::quantized("quantized", codes.clone()), Box::new(QuantizedEmbedding::new(codes))),
        ];
        for (replacement, layer) in layers {
            let out = Folder::new();
            let whole = round_trip(&from, &replacement, &out);
            let again = Folder::new();
            let errors = save(&from, &replacement, &again.path("small")).1;
            let restored = Checkpoint::open(&whole).expect("what was just written");
            let restored = restored.table(TABLE).expect("a dense table");
            assert_eq!(restored.dtype().to_string(), dtype.to_lowercase());
            let error = relative_error(&table, &restored.to_array().into_owned());
            assert!((error - errors.relative_error).abs() <= 1e-6 * error, "{error}, {errors:?} reported");
            if restored.dtype() == Dtype::F32 {
                let ids: Vec<u32> = (0..ROWS as u32).collect();
                assert_eq!(restored.to_array(), layer.lookup(&ids).expect("ids"), "the rows of the layer, to the bit");
            }
        }
    }
}

#[test]
fn tables_of_positions_have_their_three_dimensions_again() {
    let name = "vit.embeddings.position_embeddings";
    let from = model("", &[f32s(name, &[1, 50, 8])]);
    let table = open(&from).table(name).expect("a table").to_array().into_owned();
    let out = Folder::new();
    open(&from)
        .save_with(name, &Replacement::factors("svd", factors(&table)), out.path("small"), |_, _| Ok(()))
        .expect("a writable folder");
    Checkpoint::open(out.path("small"))
        .and_then(|small| small.restore(out.path("whole"), |_, _| Ok(())))
        .expect("factors");
    assert_eq!(read(&out.path("whole").join(SINGLE)).1[0].shape, [1, 50, 8]);
}

#[test]
fn tables_of_several_blocks_are_restored_whole() {
    let from = model("", &[tensor(TABLE, "F16", &[2500, 3])]);
    let table = table_of(&open(&from));
    let svd = factorized_embedding::TruncatedSvd::new(factorized_embedding::Rank::Fixed(3));
    let factors = factorized_embedding::Decompose::decompose(&svd, table.view()).expect("a finite table").factors;
    let out = Folder::new();
    let errors = save(&from, &Replacement::factors("svd", factors), &out.path("small")).1;
    Checkpoint::open(out.path("small"))
        .and_then(|small| small.restore(out.path("whole"), |_, _| Ok(())))
        .expect("factors");
    let restored = table_of(&Checkpoint::open(out.path("whole")).expect("what was just written"));
    // All directions: what is left is rounding, which rounding to f16 takes back.
    assert_eq!(restored, table);
    assert_eq!(errors.relative_error, 0.0);
}

#[test]
fn what_is_not_compressed_is_not_restored() {
    let from = model(CONFIG, &tensors("F32"));
    let out = Folder::new();
    let result = open(&from).restore(out.path("whole"), |_, _| Ok(()));
    let expected = "FOLDER/ is not a valid compressed checkpoint file: \
                    0 of its tables are kept as factors or codes, expected 1";
    assert_eq!(message(&from, result), expected);
    let small = out.path("small");
    save(&from, &Replacement::factors("svd", factors(&table_of(&open(&from)))), &small);
    let compressed = Checkpoint::open(&small).expect("what was just written");
    let result = compressed.restore(&small, |_, _| Ok(()));
    assert!(matches!(result, Err(Error::Io { action: "create", .. })), "{result:?}");
    fs::remove_file(small.join(SINGLE)).expect("the file");
    let result = compressed.restore(out.path("whole"), |_, _| Ok(()));
    assert!(matches!(result, Err(Error::Io { action: "open", .. })), "{result:?}");
    assert_eq!(out.names(), ["small"]);
}
