//! Checkpoints that are not what they promise.

use std::fs;

use factorized_embedding::{Error, io::hugging_face::Checkpoint};

use crate::{
    model::{INDEX, PYTORCH, SINGLE, Tensor, f32s, file_of, message, model, open, sharded},
    saving::{CONFIG, TABLE, tensors},
    support::files::Folder,
};

fn refused(folder: &Folder) -> (String, Error) {
    let result = || Checkpoint::open(folder.path(""));
    (message(folder, result()), result().expect_err("refused again"))
}

#[test]
fn missing_files_are_named() {
    let folder = Folder::new();
    let (text, error) = refused(&folder);
    assert!(text.starts_with("cannot open FOLDER/model.safetensors: ") && matches!(error, Error::Io { .. }), "{text}");
    let folder = sharded(CONFIG, &tensors("F32"));
    fs::remove_file(folder.path("model-00004-of-00006.safetensors")).expect("a shard");
    let (text, error) = refused(&folder);
    assert!(text.starts_with("cannot open FOLDER/model-00004-of-00006.safetensors: "), "{text}");
    assert!(matches!(error, Error::Io { .. }));
    let folder = sharded(CONFIG, &tensors("F32"));
    fs::create_dir(folder.path("sub")).expect("a writable folder");
    folder.write(INDEX, br#"{"weight_map":{"a":"sub"}}"#);
    assert!(matches!(refused(&folder).1, Error::Io { .. }), "a folder as a shard");
}

#[test]
fn an_index_that_lies_is_refused() {
    let folder = sharded(CONFIG, &tensors("F32"));
    let index = fs::read_to_string(folder.path(INDEX)).expect("an index");
    folder.write(INDEX, index.replace("\"half\"", "\"quarter\"").as_bytes());
    let expected = "FOLDER/model-00005-of-00006.safetensors has no tensor \"quarter\"; it has \"half\"";
    assert_eq!(refused(&folder).0, expected);
    folder.write(INDEX, index.replace("model-00005", "../model-00005").as_bytes());
    let (text, error) = refused(&folder);
    assert!(text.contains("which is no file of its folder") && matches!(error, Error::InvalidFile { .. }), "{text}");
    for text in ["", "[]", "{}", r#"{"weight_map": 7}"#, r#"{"weight_map": {"a": 7}}"#] {
        folder.write(INDEX, text.as_bytes());
        assert!(matches!(refused(&folder).1, Error::InvalidFile { .. }), "{text}");
    }
}

#[test]
fn truncated_files_are_refused_at_every_length() {
    let folder = model("", &[f32s("wte.weight", &[3, 2])]);
    let whole = fs::read(folder.path(SINGLE)).expect("a file");
    for len in 0..whole.len() {
        folder.write(SINGLE, &whole[..len]);
        assert!(matches!(refused(&folder).1, Error::InvalidFile { .. }), "{len} bytes");
    }
    // Truncated between opening and saving.
    folder.write(SINGLE, &whole);
    let checkpoint = open(&folder);
    folder.write(SINGLE, &whole[..whole.len() - 1]);
    assert!(matches!(checkpoint.table("wte.weight"), Err(Error::InvalidFile { .. })));
}

/// A compressed checkpoint whose metadata or tensors are changed.
fn compressed(change: impl Fn(&mut serde_json::Map<String, serde_json::Value>, &mut Vec<Tensor>)) -> Folder {
    let metadata = format!(
        r#"{{"format":"pt","{TABLE}.format":"factorized-embedding","{TABLE}.version":"1",
            "{TABLE}.original_shape":"[5, 4]","{TABLE}.original_dtype":"f16"}}"#
    );
    let mut metadata = serde_json::from_str::<serde_json::Value>(&metadata).expect("JSON");
    let metadata = metadata.as_object_mut().expect("an object");
    let mut tensors = vec![f32s(&format!("{TABLE}.u"), &[5, 2]), f32s(&format!("{TABLE}.v"), &[2, 4]), f32s("x", &[3])];
    change(metadata, &mut tensors);
    let folder = Folder::new();
    folder.write(SINGLE, &file_of(Some(&serde_json::Value::from(metadata.clone()).to_string()), &tensors));
    folder
}

#[test]
fn compressed_tables_that_do_not_fit_together_are_refused() {
    let restore = |folder: &Folder| {
        let out = Folder::new();
        let result = open(folder).restore(out.path("whole"), |_, _| Ok(()));
        assert_eq!(out.names().len(), usize::from(result.is_ok()), "nothing half-done");
        result
    };
    restore(&compressed(|_, _| ())).expect("it is as it should be");
    let set = |part: &'static str, value: &'static str| {
        compressed(move |metadata, _| {
            metadata.insert(format!("{TABLE}.{part}"), value.into());
        })
    };
    let start = "FOLDER/model.safetensors is not a valid compressed checkpoint file: ";
    for (part, value) in [
        ("original_shape", "5, 4"),
        ("original_shape", "[]"),
        ("original_shape", "[20]"),
        ("original_shape", "[2, 5, 4]"),
        ("original_shape", "[5, -4]"),
        ("original_shape", "[99999999999999999999999999, 4]"),
        ("original_dtype", "f64"),
        ("original_dtype", "int8"),
        ("original_dtype", ""),
    ] {
        let folder = set(part, value);
        let expected = format!("{start}its metadata say {TABLE}.{part} {value:?}, which is none of a table");
        assert_eq!(message(&folder, restore(&folder)), expected);
        assert_eq!(message(&folder, open(&folder).token_table()), expected);
    }
    for part in ["original_shape", "original_dtype"] {
        let folder = compressed(|metadata, _| {
            metadata.remove(&format!("{TABLE}.{part}"));
        });
        assert_eq!(message(&folder, restore(&folder)), format!("{start}its metadata name no {TABLE}.{part}"));
    }
    let folder = set("original_shape", "[18446744073709551615, 18446744073709551615]");
    let message_of = message(&folder, restore(&folder));
    let expected = "make a table [5, 4], expected [18446744073709551615, 18446744073709551615]";
    assert!(message_of.ends_with(expected), "{message_of}");

    let folder = set("version", "2");
    assert!(matches!(restore(&folder), Err(Error::UnsupportedVersion { .. })));
    let folder = set("format", "factorized-embedding-quantized");
    assert!(matches!(restore(&folder), Err(Error::InvalidFile { .. })), "codes without any");
    let folder = set("format", "another");
    assert!(matches!(restore(&folder), Err(Error::InvalidFile { .. })), "none that is known");
    let folder = compressed(|_, tensors| {
        tensors.remove(1);
    });
    let text = message(&folder, restore(&folder));
    assert!(text.contains(&format!("has no tensor \"{TABLE}.v\"")), "{text}");
    let folder = compressed(|_, tensors| tensors[1] = f32s(&format!("{TABLE}.v"), &[3, 4]));
    assert!(matches!(restore(&folder), Err(Error::InvalidFile { .. })));
    let folder = compressed(|_, tensors| tensors[1] = f32s(&format!("{TABLE}.v"), &[8]));
    assert!(matches!(restore(&folder), Err(Error::UnsuitableTensor { .. })));
    let folder = compressed(|metadata, _| {
        metadata.insert("other.format".to_owned(), "factorized-embedding".into());
    });
    assert!(message(&folder, restore(&folder)).contains("2 of its tables are kept"));
}

/// A tensor of the name that the parts are of: the tensor is what is read.
#[test]
fn a_tensor_beside_parts_of_its_name_is_the_table() {
    for shape in [[7, 4], [5, 4]] {
        let folder = compressed(|_, tensors| tensors.push(f32s(TABLE, &shape)));
        let checkpoint = open(&folder);
        assert_eq!(checkpoint.token_table().expect("one table").shape, shape);
        assert_eq!(checkpoint.table(TABLE).expect("a tensor").dtype().to_string(), "f32");
        assert!(matches!(checkpoint.factors(TABLE), Err(Error::TensorNotFound { .. })));
        let out = Folder::new();
        let text = message(&folder, checkpoint.restore(out.path("whole"), |_, _| Ok(())));
        assert!(text.ends_with("beside the parts that are kept in its place"), "{text}");
        assert_eq!(out.names(), [""; 0]);
    }
}

#[test]
fn files_that_are_none_are_no_checkpoints() {
    let folder = Folder::new();
    folder.write(SINGLE, b"short");
    assert!(refused(&folder).0.ends_with("is not a valid safetensors file: header too small"));
    let huge = [u64::MAX.to_le_bytes().as_slice(), b"{}"].concat();
    folder.write(SINGLE, &huge);
    assert!(matches!(refused(&folder).1, Error::InvalidFile { .. }));
    folder.write(SINGLE, &file_of(Some(PYTORCH), &[]));
    let empty = Checkpoint::open(folder.path("")).expect("a valid file of nothing");
    let expected = "FOLDER/ has no token table under a known name; its matrices, the largest first, are none";
    assert_eq!(message(&folder, empty.token_table()), expected);
}
