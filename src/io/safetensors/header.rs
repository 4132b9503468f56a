//! The header of a file: an unsigned little-endian length of 8 bytes, then so many bytes of JSON.

use std::{
    collections::{BTreeMap, HashSet},
    fmt,
};

use safetensors::{
    Dtype, SafeTensorError,
    tensor::{Metadata, TensorInfo},
};
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{Error as _, MapAccess, Visitor},
    ser::SerializeMap,
};

const LENGTH_BYTES: usize = size_of::<u64>();
const METADATA: &str = "__metadata__";

/// Longer headers are refused, as they are by `safetensors`.
const MAX_BYTES: u64 = 100_000_000;

/// What a header says.
#[derive(Debug, Default)]
pub(in crate::io) struct Header {
    pub(in crate::io) metadata: BTreeMap<String, String>,
    pub(in crate::io) tensors: BTreeMap<String, TensorInfo>,
    /// Where in the file the tensors begin.
    pub(in crate::io) data_start: usize,
}

fn place<'a>((name, tensor): (&'a String, &'a TensorInfo)) -> (&'a str, Dtype, &'a [usize], (usize, usize)) {
    (name, tensor.dtype, &tensor.shape, tensor.data_offsets)
}

impl Header {
    /// Whether another file has the same tensors, by name, type and shape, in the same places.
    pub(in crate::io) fn has_places_of(&self, other: &Self) -> bool {
        self.data_start == other.data_start && self.tensors.iter().map(place).eq(other.tensors.iter().map(place))
    }

    /// How many bytes the header takes, its length included, of a file that begins with `start` and is `file_len` bytes long.
    ///
    /// `start` is at least 8 bytes, or the whole file. What is returned is no more than the file has.
    pub(super) fn len(start: &[u8], file_len: u64) -> Result<usize, String> {
        let length = start.first_chunk().ok_or(SafeTensorError::HeaderTooSmall);
        let length = u64::from_le_bytes(*length.map_err(|error| error.to_string())?);
        if length > MAX_BYTES {
            return Err(SafeTensorError::HeaderTooLarge.to_string());
        }
        let len = length + LENGTH_BYTES as u64;
        let len = usize::try_from(len).ok().filter(|_| len <= file_len);
        len.ok_or_else(|| SafeTensorError::InvalidHeaderLength.to_string())
    }

    /// Reads and checks the header of a file that begins with `start`, which holds the [whole header](Self::len), and is
    /// `file_len` bytes long: what it says fits the file, and the tensors fill the rest of it without gap or overlap. Nothing
    /// is allocated by what the header says of sizes.
    ///
    /// `safetensors` checks that shapes and offsets fit together. It wants a whole file in memory for the rest, does not mind
    /// names that stand twice (the later one wins), and adds up offsets before it compares them with the file, which
    /// overflows where they are huge: so these are checked here.
    pub(super) fn parse(start: &[u8], file_len: u64) -> Result<Self, String> {
        let data_start = Self::len(start, file_len)?;
        let data_len = file_len - data_start as u64;
        let refused = |error: SafeTensorError| error.to_string();
        let json = start.get(LENGTH_BYTES..data_start).ok_or_else(|| refused(SafeTensorError::InvalidHeaderLength))?;
        let json = std::str::from_utf8(json).map_err(|error| refused(SafeTensorError::InvalidHeader(error)))?;
        let Entries { metadata, mut tensors } = serde_json::from_str(json)
            .map_err(|error| refused(SafeTensorError::InvalidHeaderDeserialization(error)))?;

        let mut seen = HashSet::new();
        for (name, TensorInfo { data_offsets: (_, end), .. }) in &tensors {
            if *end as u64 > data_len {
                return Err(format!("tensor {name:?} ends at byte {end} of the data, which are {data_len} bytes"));
            }
            if !seen.insert(name.as_str()) {
                return Err(format!("{name:?} stands twice in the header"));
            }
        }
        tensors.sort_by_key(|(_, tensor)| tensor.data_offsets);
        let checked = Metadata::new(None, tensors.clone()).map_err(refused)?;
        if checked.data_len() as u64 != data_len {
            return Err(refused(SafeTensorError::MetadataIncompleteBuffer));
        }
        Ok(Self { metadata, tensors: tensors.into_iter().collect(), data_start })
    }

    /// The bytes of the header with its length before it and spaces behind it, so that the data begin at a multiple of
    /// 8 bytes. The same header always gives the same bytes.
    pub(in crate::io) fn to_bytes(&self) -> serde_json::Result<Vec<u8>> {
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

/// A header as it stands, names that stand twice included.
struct Entries {
    metadata: BTreeMap<String, String>,
    tensors: Vec<(String, TensorInfo)>,
}

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
        let (mut metadata, mut tensors) = (None, Vec::new());
        while let Some(name) = map.next_key::<String>()? {
            if name != METADATA {
                tensors.push((name, map.next_value()?));
            } else if metadata.replace(map.next_value::<Option<_>>()?).is_some() {
                return Err(A::Error::duplicate_field(METADATA));
            }
        }
        Ok(Entries { metadata: metadata.flatten().unwrap_or_default(), tensors })
    }
}
