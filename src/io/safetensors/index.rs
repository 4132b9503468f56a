//! Which file of a sharded checkpoint holds which tensor.

use std::{
    collections::BTreeMap,
    fmt,
    io::{self, Read},
    path::{Component, Path, PathBuf},
};

use serde::{
    Deserialize, Deserializer,
    de::{Error as _, IgnoredAny, MapAccess, Visitor},
};

use crate::{Error, Result, io::regular_file};

pub(in crate::io) const FORMAT: &str = "safetensors index";
/// What they are called in a folder.
pub(in crate::io) const INDEX: &str = "model.safetensors.index.json";
pub(in crate::io) const SINGLE: &str = "model.safetensors";
pub(in crate::io) const WEIGHT_MAP: &str = "weight_map";
/// Longer ones are refused: there are no checkpoints of so many tensors.
const MAX_BYTES: u64 = 100_000_000;

/// The file that holds a tensor: `path` itself; where that is an index, the shard that it names; where it is a folder, the same
/// by the index in it, or its only file.
pub(super) fn file_of(path: &Path, tensor: &str) -> Result<PathBuf> {
    if path.is_dir() {
        let index = path.join(INDEX);
        return if is_there(&index) { shard_of(&index, tensor) } else { Ok(path.join(SINGLE)) };
    }
    if path.extension().is_some_and(|extension| extension == "json") {
        return shard_of(path, tensor);
    }
    Ok(path.to_owned())
}

/// Whether there is a file, or a link: one that leads nowhere is an error to read, not nothing.
pub(in crate::io) fn is_there(path: &Path) -> bool {
    path.symlink_metadata().is_ok()
}

fn shard_of(index: &Path, tensor: &str) -> Result<PathBuf> {
    let mut weight_map = weight_map(index)?;
    match weight_map.remove(tensor) {
        Some(shard) => shard_path(index, tensor, &shard),
        None => Err(Error::TensorNotFound {
            path: index.to_owned(),
            name: tensor.to_owned(),
            available: weight_map.into_keys().collect(),
        }),
    }
}

/// The file of every tensor, as the index names it.
pub(in crate::io) fn weight_map(index: &Path) -> Result<BTreeMap<String, String>> {
    let json = read_json(index, FORMAT)?;
    let Index(Unique(weight_map)) = serde_json::from_slice(&json).map_err(|error| Error::InvalidFile {
        path: index.to_owned(),
        format: FORMAT,
        reason: error.to_string(),
    })?;
    Ok(weight_map)
}

/// The path of a file that an index names for a tensor.
pub(in crate::io) fn shard_path(index: &Path, tensor: &str, shard: &str) -> Result<PathBuf> {
    // Whoever wrote the index may name the files beside it and below, and no others.
    let mut parts = Path::new(shard).components().peekable();
    if parts.peek().is_none() || parts.any(|part| !matches!(part, Component::Normal(_))) {
        let reason = format!("tensor {tensor:?} is in {shard:?}, which is no file of its folder");
        return Err(Error::InvalidFile { path: index.to_owned(), format: FORMAT, reason });
    }
    Ok(index.with_file_name(shard))
}

/// The bytes of a file of JSON, unless it is too long to be one of a checkpoint.
pub(in crate::io) fn read_json(path: &Path, format: &'static str) -> Result<Vec<u8>> {
    let failed = |action| move |source: io::Error| Error::Io { action, path: path.to_owned(), source };
    let mut json = Vec::new();
    regular_file::open(path, "read")?.0.take(MAX_BYTES + 1).read_to_end(&mut json).map_err(failed("read"))?;
    if json.len() as u64 > MAX_BYTES {
        let reason = format!("it is longer than {MAX_BYTES} bytes");
        return Err(Error::InvalidFile { path: path.to_owned(), format, reason });
    }
    Ok(json)
}

/// The file of every tensor.
struct Index(Unique);

impl<'de> Deserialize<'de> for Index {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        deserializer.deserialize_map(IndexVisitor)
    }
}

struct IndexVisitor;

impl<'de> Visitor<'de> for IndexVisitor {
    type Value = Index;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> std::result::Result<Index, A::Error> {
        let mut weight_map = None;
        while let Some(name) = map.next_key::<String>()? {
            if name != WEIGHT_MAP {
                let IgnoredAny = map.next_value()?;
            } else if weight_map.replace(map.next_value()?).is_some() {
                return Err(A::Error::duplicate_field(WEIGHT_MAP));
            }
        }
        weight_map.map(Index).ok_or_else(|| A::Error::missing_field(WEIGHT_MAP))
    }
}

/// An object of strings whose names stand once.
struct Unique(BTreeMap<String, String>);

impl<'de> Deserialize<'de> for Unique {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        deserializer.deserialize_map(UniqueVisitor)
    }
}

struct UniqueVisitor;

impl<'de> Visitor<'de> for UniqueVisitor {
    type Value = Unique;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of file names")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> std::result::Result<Unique, A::Error> {
        let mut entries = BTreeMap::new();
        while let Some((name, file)) = map.next_entry::<String, String>()? {
            if entries.contains_key(&name) {
                return Err(A::Error::custom(format_args!("{name:?} stands twice")));
            }
            entries.insert(name, file);
        }
        Ok(Unique(entries))
    }
}
