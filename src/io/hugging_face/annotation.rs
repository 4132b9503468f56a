//! What `config.json` and the index say of a compressed table.

use serde_json::Value;

use super::{
    Replacement, TableErrors,
    json::{Members, object},
};
use crate::io::safetensors::index::WEIGHT_MAP;

/// The member of `config.json` that says what was done.
const ANNOTATION: &str = "factorized_embedding";
/// Of the index: what holds the bytes of all tensors, and their number in it.
const METADATA: &str = "metadata";
const TOTAL_SIZE: &str = "total_size";

/// `config.json` of a checkpoint whose table is replaced. The error is what is wrong with it.
pub(super) fn annotated(
    mut config: Members,
    table: &str,
    replacement: &Replacement,
    errors: TableErrors,
) -> Result<String, String> {
    if config.get(ANNOTATION).is_some() {
        return Err(format!("it has {ANNOTATION} already, but no table is compressed"));
    }
    let mut members: Vec<(&str, Value)> = vec![("tensor", table.into())];
    members.extend(replacement.annotation());
    members.push(("relative_error", errors.relative_error.into()));
    members.extend(errors.weighted_relative_error.map(|error| ("weighted_relative_error", error.into())));
    let text = object(members.into_iter().map(|(name, value)| (name, value.to_string())), 1);
    config.set(ANNOTATION, text).map_err(|error| error.to_string())?;
    Ok(file_of(&config))
}

/// `config.json` of a checkpoint whose table is dense again.
pub(super) fn without_annotation(mut config: Members) -> String {
    config.remove(ANNOTATION);
    file_of(&config)
}

/// An index whose tensors are those of this map, from names to files, and take `added` bytes more and `removed` bytes less.
pub(super) fn changed_index<'a>(
    mut index: Members,
    weight_map: impl Iterator<Item = (&'a str, &'a str)>,
    added: u64,
    removed: u64,
) -> serde_json::Result<String> {
    let weight_map = object(weight_map.map(|(name, file)| (name, Value::from(file).to_string())), 1);
    index.set(WEIGHT_MAP, weight_map)?;
    // What is no object, or has no such number, is not of the usual kind, and stays as it is.
    if let Some(mut metadata) = index.get(METADATA).and_then(Members::parse) {
        let size: Option<u64> = metadata.value(TOTAL_SIZE, "a whole number").ok().flatten();
        if let Some(size) = size.and_then(|size| size.checked_add(added)?.checked_sub(removed)) {
            metadata.set(TOTAL_SIZE, size.to_string())?;
            index.set(METADATA, metadata.to_text(1))?;
        }
    }
    Ok(file_of(&index))
}

fn file_of(members: &Members) -> String {
    format!("{}\n", members.to_text(0))
}
