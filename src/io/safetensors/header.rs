//! The header of a file: an unsigned little-endian length of 8 bytes, then so many bytes of JSON.

use std::{
    collections::{BTreeMap, HashSet},
    fmt,
};

use safetensors::{SafeTensors, tensor::TensorInfo};
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{IgnoredAny, MapAccess, Visitor},
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
    ///
    /// `safetensors` does most of it. It does not mind names that stand twice (the later one wins), and adds up offsets
    /// before it compares them with the file, which overflows where they are huge: so these two are checked here.
    pub(super) fn parse(file: &[u8]) -> Result<Self, String> {
        let (entries, data_len) = entries(file).unwrap_or_default();
        if let Some((name, end)) = entries.iter().find(|(_, end)| *end > data_len) {
            return Err(format!("tensor {name:?} ends at byte {end} of the data, which are {data_len} bytes"));
        }
        let (length, header) = SafeTensors::read_metadata(file).map_err(|error| error.to_string())?;
        let mut seen = HashSet::new();
        if let Some((name, _)) = entries.iter().find(|(name, _)| !seen.insert(name)) {
            return Err(format!("{name:?} stands twice in the header"));
        }
        Ok(Self {
            metadata: header.metadata().clone().unwrap_or_default().into_iter().collect(),
            tensors: header.tensors().into_iter().map(|(name, info)| (name, info.clone())).collect(),
            data_start: LENGTH_BYTES + length,
        })
    }

    /// The bytes of the header with its length before it and spaces behind it, so that the data begin at a multiple of
    /// 8 bytes. The same header always gives the same bytes.
    pub(super) fn to_bytes(&self) -> serde_json::Result<Vec<u8>> {
        let mut json = serde_json::to_vec(self)?;
        json.resize(json.len().next_multiple_of(LENGTH_BYTES), b' ');
        let mut bytes = (json.len() as u64).to_le_bytes().to_vec();
        bytes.append(&mut json);
        Ok(bytes)
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

/// Every name of the header and where its data end, in the order in which they stand, and how many bytes of data there are;
/// nothing where there is no header, for `safetensors` to say what is wrong.
fn entries(file: &[u8]) -> Option<(Vec<(String, usize)>, usize)> {
    let (length, rest) = file.split_first_chunk()?;
    let (json, data) = rest.split_at_checked(usize::try_from(u64::from_le_bytes(*length)).ok()?)?;
    serde_json::from_slice(json).ok().map(|Entries(entries)| (entries, data.len()))
}

/// A header as it stands, names that stand twice included.
struct Entries(Vec<(String, usize)>);

impl<'de> Deserialize<'de> for Entries {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(EntriesVisitor)
    }
}

struct EntriesVisitor;

impl<'de> Visitor<'de> for EntriesVisitor {
    type Value = Entries;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Entries, A::Error> {
        let mut entries = Vec::new();
        while let Some(name) = map.next_key::<String>()? {
            let end = if name == METADATA {
                let IgnoredAny = map.next_value()?;
                0
            } else {
                map.next_value::<TensorInfo>()?.data_offsets.1
            };
            entries.push((name, end));
        }
        Ok(Entries(entries))
    }
}
