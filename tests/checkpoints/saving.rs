//! Checkpoints with factors or codes in place of a table.

use std::{fs, path::Path};

use factorized_embedding::{
    Decompose, Dtype, Error, Factors, QuantizedFactors, Rank, RowWeights, TruncatedSvd,
    io::hugging_face::{Checkpoint, Replacement, SavedTable, TableErrors},
    quantize::{Budget, Quantizer},
};
use ndarray::Array2;

use crate::{
    model::{INDEX, PYTORCH, Tensor, contents, f32s, file_of, message, model, open, read, sharded, tensor},
    support::files::Folder,
};

pub(crate) const TABLE: &str = "bert.embeddings.word_embeddings.weight";
pub(crate) const ROWS: usize = 300;
pub(crate) const DIM: usize = 12;

/// As `transformers` writes it.
pub(crate) const CONFIG: &str = "{\n  \"architectures\": [\n    \"BertModel\"\n  ],\n  \"hidden_size\": 12,\n  \
     \"layer_norm_eps\": 1e-12,\n  \"model_type\": \"bert\",\n  \"huge\": 123456789012345678901234567890,\n  \
     \"vocab_size\": 300\n}\n";

/// A table among tensors of all sizes of numbers, in the order of `transformers`: wider numbers first.
pub(crate) fn tensors(dtype: &'static str) -> Vec<Tensor> {
    vec![
        tensor("bert.embeddings.position_ids", "I64", &[1, 5]),
        f32s("bert.embeddings.LayerNorm.weight", &[DIM]),
        tensor(TABLE, dtype, &[ROWS, DIM]),
        f32s("bert.pooler.dense.weight", &[DIM, DIM]),
        tensor("half", "F16", &[3]),
        tensor("mask", "BOOL", &[7]),
    ]
}

pub(crate) fn table_of(checkpoint: &Checkpoint) -> Array2<f32> {
    checkpoint.table(TABLE).expect("the table").to_array().into_owned()
}

pub(crate) fn factors(table: &Array2<f32>) -> Factors {
    TruncatedSvd::new(Rank::Fixed(4)).decompose(table.view()).expect("a finite table").factors
}

pub(crate) fn codes(table: &Array2<f32>) -> QuantizedFactors {
    Quantizer::new(Budget::Ratio(4.0)).quantize(table.view()).expect("a finite table").factors
}

/// Compresses a checkpoint into a folder beside it; the other tensors, progress and sizes are looked at.
pub(crate) fn save(from: &Folder, replacement: &Replacement, out: &Path) -> (SavedTable, TableErrors) {
    let checkpoint = open(from);
    let mut seen = (0, 0);
    let saved = checkpoint.save_with(TABLE, replacement, out, |written, total| {
        assert!(seen.0 < written && written <= total && (seen.1 == 0 || seen.1 == total), "{written} of {total}");
        seen = (written, total);
        Ok(())
    });
    assert_eq!(seen.0, seen.1, "all is written at the end");
    saved.expect("a writable folder")
}

pub(crate) fn weights() -> RowWeights {
    RowWeights::new((0..ROWS).map(|i| 1.0 / (1.0 + i as f64)).collect::<Vec<_>>()).expect("positive")
}

/// A file that another program has replaced since the checkpoint was opened.
#[test]
fn a_file_that_has_changed_is_not_copied_from_old_places() {
    let from = model(CONFIG, &tensors("F32"));
    let checkpoint = open(&from);
    let table = table_of(&checkpoint);
    let longer: Vec<Tensor> = [tensors("F32"), vec![f32s("one.more", &[2])]].concat();
    let target = from.path("model.safetensors");
    fs::write(from.path("new"), file_of(Some(PYTORCH), &longer)).expect("a writable folder");
    fs::rename(from.path("new"), &target).expect("a writable folder");
    let out = Folder::new();
    let result =
        checkpoint.save_with(TABLE, &Replacement::factors("svd", factors(&table)), out.path("small"), |_, _| Ok(()));
    let text = message(&from, result);
    assert!(text.ends_with("its tensors are no longer those that were there when it was opened"), "{text}");
    assert_eq!(out.names(), [""; 0]);
}

/// An index may name a file in several ways.
#[test]
fn a_file_of_two_spellings_is_one_file() {
    let from = Folder::new();
    fs::create_dir(from.path("s")).expect("a writable folder");
    fs::write(from.path("s/1.safetensors"), file_of(Some(PYTORCH), &tensors("F32"))).expect("a writable folder");
    let spelling = |name: &str| if name == TABLE { "s//1.safetensors" } else { "s/./1.safetensors" };
    let entries: Vec<String> =
        tensors("F32").iter().map(|tensor| format!("{:?}: {:?}", tensor.name, spelling(&tensor.name))).collect();
    from.write(INDEX, format!("{{\"weight_map\": {{{}}}}}", entries.join(", ")).as_bytes());
    from.write("config.json", CONFIG.as_bytes());
    let out = Folder::new();
    let factors = factors(&table_of(&open(&from)));
    save(&from, &Replacement::factors("svd", factors.clone()), &out.path("small"));
    let compressed = Checkpoint::open(out.path("small")).expect("what was just written");
    assert_eq!(compressed.factors(TABLE).expect("factors"), factors);
}

#[test]
fn tensors_that_are_copied_in_pieces_are_whole() {
    let mut tensors = tensors("F32");
    // Beyond the megabyte that is copied at a time.
    tensors.push(f32s("large", &[600, 1000]));
    let from = model(CONFIG, &tensors);
    let out = Folder::new();
    let small = out.path("small");
    save(&from, &Replacement::factors("svd", factors(&table_of(&open(&from)))), &small);
    let data = |path: &Path| {
        let (_, tensors) = read(path);
        tensors.into_iter().find(|tensor| tensor.name == "large").expect("it is copied").bytes
    };
    assert!(data(&small.join("model.safetensors")) == data(&from.path("model.safetensors")));
}

#[test]
fn factors_stand_in_place_of_the_table() {
    let from = model(CONFIG, &tensors("F32"));
    let out = Folder::new();
    let table = table_of(&open(&from));
    let (factors, small) = (factors(&table), out.path("small"));
    let replacement = Replacement::factors("svd", factors.clone()).with_row_weights(weights());
    let (saved, errors) = save(&from, &replacement, &small);
    assert_eq!((saved.name.as_str(), saved.shape, saved.dtype), (TABLE, [ROWS, DIM], Dtype::F32));
    assert_eq!(saved.table_bytes, [4 * ROWS * DIM, 4 * 4 * (ROWS + 1 + DIM)]);
    let file_bytes = |folder: &Path| fs::metadata(folder.join("model.safetensors")).expect("a file").len();
    assert_eq!(saved.file_bytes, [file_bytes(&from.path("")), file_bytes(&small)]);

    let difference = |weight: &dyn Fn(usize) -> f64| {
        let lost = &table - &factors.to_dense();
        let sum = |array: &Array2<f32>| -> f64 {
            array.indexed_iter().map(|((i, _), &x)| weight(i) * f64::from(x) * f64::from(x)).sum()
        };
        (sum(&lost) / sum(&table)).sqrt()
    };
    assert!((errors.relative_error - difference(&|_| 1.0)).abs() < 1e-6);
    let weighted = errors.weighted_relative_error.expect("weights were given");
    assert!((weighted - difference(&|i| 1.0 / (1.0 + i as f64))).abs() < 1e-6);

    let compressed = Checkpoint::open(&small).expect("what was just written");
    assert_eq!(compressed.factors(TABLE).expect("factors"), factors);
    let found = compressed.token_table().expect("the table, though compressed");
    assert_eq!((found.name.as_str(), found.shape, found.dtype), (TABLE, [ROWS, DIM], Dtype::F32));
    let layer = compressed.embedding(TABLE).expect("a layer");
    assert_eq!((layer.vocab_size(), layer.dim(), layer.num_parameters()), (ROWS, DIM, 4 * (ROWS + 1 + DIM)));
    assert!(matches!(compressed.table(TABLE), Err(Error::CompressedTable { .. })));
    assert!(matches!(compressed.quantized(TABLE), Err(Error::InvalidFile { .. })));

    let (metadata, written) = read(&small.join("model.safetensors"));
    let metadata_of = |part: &str| metadata[format!("{TABLE}.{part}")].as_str().map(str::to_owned);
    assert_eq!(metadata["format"], "pt");
    assert_eq!(metadata_of("format").as_deref(), Some("factorized-embedding"));
    assert_eq!(metadata_of("version").as_deref(), Some("1"));
    assert_eq!(metadata_of("original_shape").as_deref(), Some("[300, 12]"));
    assert_eq!(metadata_of("original_dtype").as_deref(), Some("f32"));
    let names: Vec<&str> = written.iter().map(|tensor| tensor.name.as_str()).collect();
    let parts = ["diagonal", "u", "v"].map(|part| format!("{TABLE}.{part}"));
    assert_eq!(names[2..5], parts);
    assert_eq!(names.len(), 8);
    for tensor in tensors("F32").iter().filter(|tensor| tensor.name != TABLE) {
        assert!(written.contains(tensor), "{} is another", tensor.name);
    }
}

#[test]
fn the_configuration_says_what_was_done_and_is_otherwise_what_it_was() {
    let out = Folder::new();
    let from = model(CONFIG, &tensors("F32"));
    let table = table_of(&open(&from));
    let annotation = |name: &str, replacement: &Replacement| {
        let errors = save(&from, replacement, &out.path(name)).1;
        let text = fs::read_to_string(out.path(name).join("config.json")).expect("a configuration");
        let (before, after) = text.split_once(",\n  \"factorized_embedding\": ").expect("an annotation");
        assert_eq!(format!("{before}\n}}\n"), CONFIG);
        let annotation = after.strip_suffix("\n}\n").expect("the last member");
        let value: serde_json::Value = serde_json::from_str(annotation).expect("JSON");
        assert_eq!(value["tensor"], TABLE);
        assert_eq!(value["relative_error"].as_f64(), Some(errors.relative_error));
        assert_eq!(value["weighted_relative_error"].as_f64(), errors.weighted_relative_error);
        value
    };
    let value = annotation("factors", &Replacement::factors("svd", factors(&table)).with_row_weights(weights()));
    assert_eq!((&value["method"], &value["rank"]), (&"svd".into(), &4.into()));
    let codes = codes(&table);
    let bits = 8.0 * codes.size_in_bytes() as f64 / (ROWS * DIM) as f64;
    let value = annotation("codes", &Replacement::quantized("quantized", codes));
    assert_eq!(value["method"], "quantized");
    assert_eq!(value["bits_per_weight"].as_f64(), Some(bits));
    assert_eq!(value.as_object().map(serde_json::Map::len), Some(4));
}

#[test]
fn codes_stand_in_place_of_the_table_and_stay_mapped() {
    for dtype in ["F32", "F16", "BF16"] {
        let from = model(CONFIG, &tensors(dtype));
        let out = Folder::new();
        let codes = codes(&table_of(&open(&from)));
        let (saved, _) = save(&from, &Replacement::quantized("quantized", codes.clone()), &out.path("small"));
        let written = read(&out.path("small/model.safetensors")).1;
        let parts = written.iter().filter(|tensor| tensor.name.starts_with(TABLE));
        assert_eq!(saved.table_bytes[1], parts.map(|tensor| tensor.bytes.len()).sum::<usize>());
        assert!(saved.table_bytes[1] <= codes.size_in_bytes());
        let compressed = Checkpoint::open(out.path("small")).expect("what was just written");
        assert_eq!(compressed.quantized(TABLE).expect("codes"), codes);
        assert_eq!(compressed.embedding(TABLE).expect("a layer").size_in_bytes(), codes.size_in_bytes());
        assert!(matches!(compressed.factors(TABLE), Err(Error::InvalidFile { .. })));
        assert_eq!(compressed.token_table().expect("the table").dtype.to_string(), dtype.to_lowercase());
    }
}

#[test]
fn narrow_factors_and_those_with_a_bias_come_back() {
    let from = model(CONFIG, &tensors("F32"));
    let out = Folder::new();
    let factors = factors(&table_of(&open(&from))).with_bias(ndarray::Array1::ones(DIM)).expect("a bias");
    for dtype in [Dtype::F16, Dtype::Bf16, Dtype::Int8] {
        let narrow = factors.to_dtype(dtype).expect("small numbers");
        let folder = out.path(&dtype.to_string());
        save(&from, &Replacement::factors("svd", narrow.clone()), &folder);
        let compressed = Checkpoint::open(&folder).expect("what was just written");
        assert_eq!(compressed.factors(TABLE).expect("factors"), narrow);
    }
}

#[test]
fn a_sharded_checkpoint_keeps_its_files() {
    let from = sharded(CONFIG, &tensors("F32"));
    let out = Folder::new();
    save(&from, &Replacement::factors("svd", factors(&table_of(&open(&from)))), &out.path("small"));
    let (before, after) = (contents(&from.path("")), contents(&out.path("small")));
    let names =
        |files: &[(std::path::PathBuf, Vec<u8>)]| files.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
    assert_eq!(names(&before), names(&after));
    let changed: Vec<String> = before
        .iter()
        .zip(&after)
        .filter(|(before, after)| before != after)
        .map(|((name, _), _)| name.display().to_string())
        .collect();
    assert_eq!(changed, ["config.json", "model-00003-of-00006.safetensors", INDEX]);

    let index: serde_json::Value =
        serde_json::from_slice(&fs::read(out.path("small").join(INDEX)).expect("an index")).expect("JSON");
    let part = |part: &str| index["weight_map"][format!("{TABLE}.{part}")].clone();
    for name in ["u", "diagonal", "v"] {
        assert_eq!(part(name), "model-00003-of-00006.safetensors");
    }
    assert_eq!(index["weight_map"].as_object().map(serde_json::Map::len), Some(8));
    let others: usize = tensors("F32").iter().filter(|t| t.name != TABLE).map(|t| t.bytes.len()).sum();
    assert_eq!(index["metadata"]["total_size"], others + 4 * 4 * (ROWS + 1 + DIM));
    Checkpoint::open(out.path("small")).and_then(|small| small.factors(TABLE)).expect("what was just written");
}

#[test]
fn other_files_are_copied_but_for_hidden_ones() {
    let from = model(CONFIG, &tensors("F32"));
    for folder in ["1_Pooling", ".cache"] {
        fs::create_dir(from.path(folder)).expect("a writable folder");
        from.write(&format!("{folder}/config.json"), b"{}");
    }
    from.write("tokenizer.json", b"{\"a\": 1}");
    from.write(".gitattributes", b"");
    let out = Folder::new();
    save(&from, &Replacement::factors("svd", factors(&table_of(&open(&from)))), &out.path("small"));
    let names: Vec<String> =
        contents(&out.path("small")).into_iter().map(|(name, _)| name.display().to_string()).collect();
    assert_eq!(names, ["1_Pooling/config.json", "config.json", "model.safetensors", "tokenizer.json"]);
    assert_eq!(fs::read(out.path("small/tokenizer.json")).expect("a file"), b"{\"a\": 1}");
    assert_eq!(out.names(), ["small"], "nothing temporary is left");
}

/// As in the cache of a hub, where the files of a checkpoint are links to others.
#[cfg(unix)]
#[test]
fn links_to_files_are_copied_as_files_and_links_to_folders_refused() {
    let from = model(CONFIG, &tensors("F32"));
    let blobs = Folder::new();
    let blob = blobs.write("blob", b"words");
    std::os::unix::fs::symlink(&blob, from.path("vocab.txt")).expect("a writable folder");
    let replacement = Replacement::factors("svd", factors(&table_of(&open(&from))));
    let out = Folder::new();
    save(&from, &replacement, &out.path("small"));
    assert!(fs::symlink_metadata(out.path("small/vocab.txt")).expect("a file").is_file());
    assert_eq!(fs::read(out.path("small/vocab.txt")).expect("a file"), b"words");

    std::os::unix::fs::symlink(".", from.path("circle")).expect("a writable folder");
    let result = open(&from).save_with(TABLE, &replacement, out.path("again"), |_, _| Ok(()));
    let expected = "cannot copy FOLDER/circle: it is neither a file nor a folder";
    assert_eq!(message(&from, result), expected);
    assert_eq!(out.names(), ["small"]);
}

#[test]
fn of_a_file_the_tensors_and_the_configuration_are_written() {
    let from = model(CONFIG, &tensors("F32"));
    from.write("tokenizer.json", b"{}");
    let replacement = Replacement::factors("svd", factors(&table_of(&open(&from))));
    let out = Folder::new();
    let checkpoint = Checkpoint::open(from.path("model.safetensors")).expect("a file");
    checkpoint.save_with(TABLE, &replacement, out.path("small"), |_, _| Ok(())).expect("a writable folder");
    let names: Vec<String> =
        contents(&out.path("small")).into_iter().map(|(name, _)| name.display().to_string()).collect();
    assert_eq!(names, ["config.json", "model.safetensors"]);
}

#[test]
fn nothing_is_overwritten_and_nothing_half_done_is_left() {
    let from = model(CONFIG, &tensors("F32"));
    let checkpoint = open(&from);
    let replacement = Replacement::factors("svd", factors(&table_of(&checkpoint)));
    let out = Folder::new();
    out.write("file", b"mine");
    fs::create_dir(out.path("empty")).expect("a writable folder");
    for name in ["file", "empty"] {
        let result = checkpoint.save_with(TABLE, &replacement, out.path(name), |_, _| Ok(()));
        let message = message(&out, result);
        assert_eq!(message, format!("cannot create FOLDER/{name}: there is something of this name already"));
    }
    let result = checkpoint.save_with(TABLE, &replacement, out.path("missing/small"), |_, _| Ok(()));
    assert!(matches!(result, Err(Error::Io { action: "find the folder", .. })), "{result:?}");
    let result = checkpoint.save_with(TABLE, &replacement, from.path("small"), |_, _| Ok(()));
    let expected = "cannot create FOLDER/small: it is within the folder that is read";
    assert_eq!(message(&from, result), expected);
    let result = checkpoint.save_with(TABLE, &replacement, out.path(".."), |_, _| Ok(()));
    assert!(matches!(result, Err(Error::Io { action: "create", .. })), "{result:?}");

    let stopped = |written: u64, _| match written > 5000 {
        true => Err(Error::InvalidSetting { name: "patience", value: 0.0, expected: "more" }),
        false => Ok(()),
    };
    let result = checkpoint.save_with(TABLE, &replacement, out.path("small"), stopped);
    assert!(matches!(result, Err(Error::InvalidSetting { .. })), "{result:?}");
    assert_eq!(out.names(), ["empty", "file"]);
    assert_eq!(fs::read(out.path("file")).expect("the file"), b"mine");
    assert_eq!(from.names(), ["config.json", "model.safetensors"]);
}

#[test]
fn what_does_not_fit_is_refused_before_anything_is_written() {
    let out = Folder::new();
    let from = model(CONFIG, &tensors("F32"));
    let replacement = Replacement::factors("svd", factors(&table_of(&open(&from))));
    let refused = |from: &Folder, name: &str, replacement: &Replacement| {
        let result = open(from).save_with(name, replacement, out.path("small"), |_, _| Ok(()));
        assert_eq!(out.names(), [""; 0], "nothing is written");
        message(from, result)
    };
    let other = Factors::new(Array2::zeros((ROWS, 1)), Array2::zeros((1, 5))).expect("factors");
    let expected = "replacement of the table [vocab_size, dim] has shape [300, 5], expected [300, 12]";
    assert_eq!(refused(&from, TABLE, &Replacement::factors("svd", other)), expected);
    let few = replacement.clone().with_row_weights(RowWeights::new([1.0]).expect("positive"));
    assert_eq!(refused(&from, TABLE, &few), "row weights [vocab_size] has shape [1], expected [300]");
    assert!(refused(&from, "none", &replacement).starts_with("FOLDER/ has no tensor \"none\""));
    assert!(refused(&from, "half", &replacement).contains("is F16 [3], expected"));
    let integers = model("", &[tensor(TABLE, "I8", &[ROWS, DIM])]);
    assert!(refused(&integers, TABLE, &replacement).contains("is I8 [300, 12], expected F32, F16 or BF16"));

    let mut taken = tensors("F32");
    taken.push(f32s(&format!("{TABLE}.bias"), &[1]));
    let expected = format!(
        "FOLDER/model.safetensors is not a valid compressed checkpoint file: {:?} has a name that parts of {TABLE:?} would have",
        format!("{TABLE}.bias")
    );
    assert_eq!(refused(&model("", &taken), TABLE, &replacement), expected);
    let folder = Folder::new();
    folder.write("model.safetensors", &file_of(Some(&format!("{{\"{TABLE}.x\":\"\"}}")), &tensors("F32")));
    assert!(refused(&folder, TABLE, &replacement).contains(".x\" has a name that parts of"));

    let annotated = model(r#"{"factorized_embedding": 1}"#, &tensors("F32"));
    let expected = "FOLDER/config.json is not a valid model configuration file: \
                    it has factorized_embedding already, but no table is compressed";
    assert_eq!(refused(&annotated, TABLE, &replacement), expected);

    // Numbers that come back too large for the type of the table.
    let narrow = model("", &tensors("F16"));
    let large = Factors::new(Array2::from_elem((ROWS, 1), 300.0), Array2::from_elem((1, DIM), 300.0)).expect("finite");
    let expected = "restored table [vocab_size, dim] holds inf at [0, 0]: only finite numbers can be used";
    assert_eq!(refused(&narrow, TABLE, &Replacement::factors("svd", large)), expected);
}

#[test]
fn a_table_is_compressed_once() {
    let from = model(CONFIG, &tensors("F32"));
    let out = Folder::new();
    let replacement = Replacement::factors("svd", factors(&table_of(&open(&from))));
    save(&from, &replacement, &out.path("small"));
    let compressed = Checkpoint::open(out.path("small")).expect("what was just written");
    for name in [TABLE, "bert.pooler.dense.weight"] {
        let result = compressed.save_with(name, &replacement, out.path("smaller"), |_, _| Ok(()));
        let expected = format!(
            "the table {TABLE:?} of FOLDER/small is compressed: the tensor itself comes back when it is restored"
        );
        assert_eq!(message(&out, result), expected);
    }
    assert_eq!(out.names(), ["small"]);
}

#[test]
fn the_same_checkpoint_gives_the_same_bytes() {
    let from = model(PYTORCH, &tensors("F32"));
    let out = Folder::new();
    let replacement = Replacement::quantized("quantized", codes(&table_of(&open(&from))));
    for name in ["a", "b"] {
        save(&from, &replacement, &out.path(name));
    }
    assert_eq!(contents(&out.path("a")), contents(&out.path("b")));
}
