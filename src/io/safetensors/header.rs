//! The header of a file: an unsigned little-endian length of 8 bytes, then so many bytes of JSON.

use std::{
    collections::{BTreeMap, HashSet},
    fmt,
};

use safetensors::{SafeTensors, tensor::TensorInfo};
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{Error as _, IgnoredAny, MapAccess, Visitor},
    ser::SerializeMap,
};

const LENGTH_BYTES: usize = size_of::<u64>();
const METADATA: &str = "__metadata__";

/// What a header says.
#[derive(Debug, Default)]
pub(super) struct Header {
    pub(super) metadata: BTreeMap<String, String>,
    pub(super) tensors: BTreeMap<String, TensorInfo>,
    /// Where in the file the tensors begin.
    pub(super) data_start: usize,
}

impl Header {
    /// Reads and checks the header of a whole file: what it says fits the file, and the tensors fill the rest of it
    /// without gap or overlap. Nothing is allocated by what the header says of sizes.
    pub(super) fn parse(file: &[u8]) -> Result<Self, String> {
        let (length, header) = SafeTensors::read_metadata(file).map_err(|error| error.to_string())?;
        let data_start = LENGTH_BYTES + length;
        // `safetensors` lets a later entry of the same name replace an earlier one.
        let json = file.get(LENGTH_BYTES..data_start).unwrap_or_default();
        serde_json::from_slice::<UniqueNames>(json).map_err(|error| error.to_string())?;
        Ok(Self {
            metadata: header.metadata().clone().unwrap_or_default().into_iter().collect(),
            tensors: header.tensors().into_iter().map(|(name, info)| (name, info.clone())).collect(),
            data_start,
        })
    }

    /// The bytes of the header with its length before it and spaces behind it, so that the tensors begin at a multiple of
    /// 8 bytes. The same header always gives the same bytes.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let mut json = serde_json::to_vec(self).unwrap_or_default();
        json.resize(json.len().next_multiple_of(LENGTH_BYTES), b' ');
        let mut bytes = (json.len() as u64).to_le_bytes().to_vec();
        bytes.append(&mut json);
        bytes
    }
}

impl Serialize for Header {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(1 + self.tensors.len()))?;
        map.serialize_entry(METADATA, &self.metadata)?;
        for (name, tensor) in &self.tensors {
            map.serialize_entry(name, tensor)?;
        }
        map.end()
    }
}

/// A JSON object without a name that stands in it twice.
struct UniqueNames;

impl<'de> Deserialize<'de> for UniqueNames {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(UniqueNamesVisitor)
    }
}

struct UniqueNamesVisitor;

impl<'de> Visitor<'de> for UniqueNamesVisitor {
    type Value = UniqueNames;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<UniqueNames, A::Error> {
        let mut seen = HashSet::new();
        while let Some((name, IgnoredAny)) = map.next_entry::<String, IgnoredAny>()? {
            if let Some(name) = seen.replace(name) {
                return Err(A::Error::custom(format!("{name:?} stands twice in the header")));
            }
        }
        Ok(UniqueNames)
    }
}
