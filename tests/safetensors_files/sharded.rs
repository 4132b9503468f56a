//! Checkpoints of several files, found by their index.

use std::path::PathBuf;

use factorized_embedding::{
    Embedding, Error, RowBlocks,
    io::{
        hugging_face::Checkpoint,
        safetensors::{SafetensorsRows, load_factors, load_table},
    },
};
use ndarray::{Array2, array};

use crate::support::files::{Folder, file, header, le_bytes};

const INDEX: &str = "model.safetensors.index.json";

fn table(first: f32) -> Array2<f32> {
    array![[first, 2.0], [3.0, 4.0], [5.0, 6.0]]
}

/// A folder of two shards and this index.
fn checkpoint(index: &str) -> Folder {
    let folder = Folder::new();
    for (name, tensor, first) in
        [("model-00001-of-00002.safetensors", "embed", 1.0), ("model-00002-of-00002.safetensors", "head", 7.0)]
    {
        let (text, _) = header(None, &[(tensor, "F32", 4, &[3, 2])]);
        folder.write(name, &file(&text, &le_bytes(&table(first))));
    }
    folder.write(INDEX, index.as_bytes());
    folder
}

const VALID: &str = r#"{
  "metadata": {"total_size": 48, "of": ["anything"]},
  "weight_map": {
    "embed": "model-00001-of-00002.safetensors",
    "head": "model-00002-of-00002.safetensors",
    "absent": "model-00002-of-00002.safetensors",
    "lost": "model-00003-of-00002.safetensors"
  }
}"#;

#[track_caller]
fn assert_read(path: PathBuf, tensor: &str, expected: &Array2<f32>) {
    assert_eq!(load_table(&path, tensor).expect("a tensor of a shard").to_array(), expected);
    let mut rows = SafetensorsRows::open(&path, tensor).expect("a tensor of a shard");
    assert_eq!(rows.next_block().expect("a block"), Some(expected.view()));
}

/// The message of both readers, with `FOLDER` for the folder.
#[track_caller]
fn refused(folder: &Folder, tensor: &str) -> String {
    let mapped = load_table(folder.path(INDEX), tensor).expect_err("the index or the shard is wrong").to_string();
    let read = SafetensorsRows::open(folder.path(INDEX), tensor).expect_err("the index or the shard is wrong");
    assert_eq!(read.to_string(), mapped);
    let in_folder = load_table(folder.path(""), tensor).expect_err("the index or the shard is wrong").to_string();
    assert_eq!(in_folder, mapped);
    mapped.replace(&folder.path("x").with_file_name("").display().to_string(), "FOLDER/")
}

#[test]
fn tensors_are_found_in_their_shards() {
    let folder = checkpoint(VALID);
    for path in [folder.path(INDEX), folder.path("")] {
        assert_read(path.clone(), "embed", &table(1.0));
        assert_read(path, "head", &table(7.0));
    }
    assert_read(folder.path("model-00002-of-00002.safetensors"), "head", &table(7.0));
    assert_read(folder.write("other.json", VALID.as_bytes()), "embed", &table(1.0));
}

#[test]
fn shards_may_be_in_folders_below() {
    let folder = checkpoint(r#"{"weight_map":{"embed":"below/a.safetensors"}}"#);
    std::fs::create_dir(folder.path("below")).expect("a writable folder");
    std::fs::rename(folder.path("model-00001-of-00002.safetensors"), folder.path("below/a.safetensors"))
        .expect("a writable folder");
    assert_read(folder.path(INDEX), "embed", &table(1.0));
}

/// As in the cache of a hub, where the files of a checkpoint are links to others.
#[cfg(unix)]
#[test]
fn shards_may_be_links() {
    let folder = checkpoint(r#"{"weight_map":{"embed":"link.safetensors"}}"#);
    let elsewhere = Folder::new();
    let target = elsewhere.path("blob");
    std::fs::rename(folder.path("model-00001-of-00002.safetensors"), &target).expect("writable folders");
    std::os::unix::fs::symlink(&target, folder.path("link.safetensors")).expect("a writable folder");
    assert_read(folder.path(""), "embed", &table(1.0));
}

/// Of a cache that has lost the file: not as if there were no index.
#[cfg(unix)]
#[test]
fn an_index_that_leads_nowhere_is_an_error() {
    let folder = checkpoint(VALID);
    std::fs::remove_file(folder.path(INDEX)).expect("the index");
    std::fs::rename(folder.path("model-00001-of-00002.safetensors"), folder.path("model.safetensors"))
        .expect("a writable folder");
    std::os::unix::fs::symlink("lost", folder.path(INDEX)).expect("a writable folder");
    assert!(refused(&folder, "embed").starts_with(&format!("cannot open FOLDER/{INDEX}: ")));
    let error = Checkpoint::open(folder.path("")).expect_err("a broken link");
    assert!(error.to_string().contains(INDEX), "{error}");
    std::fs::remove_file(folder.path(INDEX)).expect("the link");
    std::os::unix::fs::symlink("lost", folder.path("config.json")).expect("a writable folder");
    let error = Checkpoint::open(folder.path("")).expect_err("a broken link");
    assert!(error.to_string().contains("config.json"), "{error}");
}

#[test]
fn a_folder_without_an_index_has_one_file() {
    let folder = checkpoint(VALID);
    std::fs::remove_file(folder.path(INDEX)).expect("the index");
    let error = load_table(folder.path(""), "embed").expect_err("there are only shards");
    assert!(error.to_string().contains("model.safetensors"), "{error}");
    std::fs::rename(folder.path("model-00001-of-00002.safetensors"), folder.path("model.safetensors"))
        .expect("a writable folder");
    assert_read(folder.path(""), "embed", &table(1.0));
}

#[test]
fn missing_tensors_and_shards_are_named() {
    let folder = checkpoint(VALID);
    let expected = format!(r#"FOLDER/{INDEX} has no tensor "other"; it has "absent", "embed", "head", "lost""#);
    assert_eq!(refused(&folder, "other"), expected);
    let expected = r#"FOLDER/model-00002-of-00002.safetensors has no tensor "absent"; it has "head""#;
    assert_eq!(refused(&folder, "absent"), expected);
    let message = refused(&folder, "lost");
    assert!(message.starts_with("cannot open FOLDER/model-00003-of-00002.safetensors: "), "{message}");
    let path = folder.path("missing.json");
    match load_table(&path, "embed") {
        Err(Error::Io { action: "open", path: actual, .. }) => assert_eq!(actual, path),
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_index_names_files_of_its_folder_only() {
    let outside = Folder::new();
    let (text, _) = header(None, &[("embed", "F32", 4, &[3, 2])]);
    let absolute = outside.write("outside.safetensors", &file(&text, &le_bytes(&table(1.0))));
    let inside = "model-00001-of-00002.safetensors";
    let absolute = absolute.display().to_string();
    for shard in ["", ".", "..", "./..", "/", "../secret", "a/../../b", "a/..", &absolute, &format!("./{inside}")] {
        let index = serde_json::json!({"weight_map": {"embed": shard}}).to_string();
        let expected = format!("tensor \"embed\" is in {shard:?}, which is no file of its folder");
        let message = refused(&checkpoint(&index), "embed");
        assert_eq!(message, format!("FOLDER/{INDEX} is not a valid safetensors index file: {expected}"));
    }
    let message = refused(&checkpoint(r#"{"weight_map":{"embed":"a\u0000b"}}"#), "embed");
    assert!(message.starts_with("cannot open "), "{message}");
}

#[test]
fn what_is_no_index_is_refused() {
    for (index, reason) in [
        ("", "EOF"),
        ("not JSON", "expected"),
        ("[]", "expected an object"),
        ("17", "expected an object"),
        ("{}", "missing field `weight_map`"),
        (r#"{"weight_map":null}"#, "expected an object of file names"),
        (r#"{"weight_map":["embed"]}"#, "expected an object of file names"),
        (r#"{"weight_map":{"embed":1}}"#, "expected a string"),
        (r#"{"weight_map":{"embed":["a.safetensors"]}}"#, "expected a string"),
        (r#"{"weight_map":{"embed":"a","embed":"b"}}"#, "\"embed\" stands twice"),
        (r#"{"weight_map":{"embed":"a","\u0065mbed":"a"}}"#, "\"embed\" stands twice"),
        (r#"{"weight_map":{},"weight_map":{"embed":"a"}}"#, "duplicate field `weight_map`"),
        (r#"{"weight_map":{"embed":"a"}"#, "EOF"),
        (r#"{"weight_map":{"embed":"a"}} {}"#, "trailing characters"),
        (&"[".repeat(100_000), "expected an object"),
        (&format!(r#"{{"metadata":{}"#, "[".repeat(100_000)), "EOF"),
    ] {
        let message = refused(&checkpoint(index), "embed");
        let start = format!("FOLDER/{INDEX} is not a valid safetensors index file: ");
        assert!(message.starts_with(&start) && message.contains(reason), "{message:?} does not say {reason:?}");
    }
    let folder = checkpoint("");
    folder.write(INDEX, b"{\"weight_map\":{\"embed\":\"\xff\"}}");
    assert!(refused(&folder, "embed").contains("invalid unicode"), "not UTF-8");
}

#[test]
fn an_index_that_names_itself_is_no_table() {
    let message = refused(&checkpoint(&format!(r#"{{"weight_map":{{"embed":"{INDEX}"}}}}"#)), "embed");
    assert!(message.starts_with(&format!("FOLDER/{INDEX} is not a valid safetensors file: ")), "{message}");
}

#[test]
fn shards_are_checked_as_files_are() {
    let folder = checkpoint(VALID);
    folder.write("model-00001-of-00002.safetensors", b"short");
    assert!(refused(&folder, "embed").ends_with("is not a valid safetensors file: header too small"));
    assert!(load_table(folder.path(INDEX), "head").expect("the other shard").vocab_size() == 3);
}

/// Factors are one file: an index or a folder is none.
#[test]
fn factors_have_no_shards() {
    let folder = checkpoint(VALID);
    assert!(matches!(load_factors(folder.path(INDEX)), Err(Error::InvalidFile { .. })));
    assert!(matches!(load_factors(folder.path("")), Err(Error::Io { action: "map", .. })));
}
