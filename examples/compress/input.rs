//! The files that a table is read from.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use serde_json::Value;

/// The file itself, or the index of a sharded checkpoint and all of its shards: none of them may be an output.
///
/// Files that cannot be read or understood are left to the reader of the table, which says what is wrong with them.
pub(crate) fn files(input: &Path) -> Vec<PathBuf> {
    let index = if input.is_dir() { input.join("model.safetensors.index.json") } else { input.to_owned() };
    if !index.exists() {
        return vec![input.to_owned(), input.join("model.safetensors")];
    }
    let mut files = vec![index.clone()];
    if index.extension().is_some_and(|extension| extension == "json") {
        let json: Value =
            fs::read(&index).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default();
        let shards: BTreeSet<&str> =
            json["weight_map"].as_object().into_iter().flat_map(|map| map.values()).filter_map(Value::as_str).collect();
        files.extend(shards.into_iter().map(|shard| index.with_file_name(shard)));
    }
    files.retain(|file| file.exists());
    files
}
