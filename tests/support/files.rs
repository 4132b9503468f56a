//! Safetensors files byte by byte, valid or not.

use std::path::PathBuf;

use tempfile::TempDir;

/// A file of this header and these bytes behind it.
pub(crate) fn file(header: &str, data: &[u8]) -> Vec<u8> {
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header.as_bytes());
    bytes.extend(data);
    bytes
}

/// A header of tensors behind each other, each given by its name, its type, the bytes of a number and its shape; then the
/// size of the data.
pub(crate) fn header(metadata: Option<&str>, tensors: &[(&str, &str, usize, &[usize])]) -> (String, usize) {
    let mut entries: Vec<String> = metadata.iter().map(|metadata| format!("\"__metadata__\":{metadata}")).collect();
    let mut start = 0;
    for (name, dtype, size, shape) in tensors {
        let end = start + size * shape.iter().product::<usize>();
        entries.push(format!(r#""{name}":{{"dtype":"{dtype}","shape":{shape:?},"data_offsets":[{start},{end}]}}"#));
        start = end;
    }
    (format!("{{{}}}", entries.join(",")), start)
}

/// What files of factors say of themselves.
pub(crate) const METADATA: &str = r#"{"format":"factorized-embedding","version":"1"}"#;

/// Little-endian f32.
pub(crate) fn le_bytes<'a>(values: impl IntoIterator<Item = &'a f32>) -> Vec<u8> {
    values.into_iter().flat_map(|value| value.to_le_bytes()).collect()
}

/// The header of a file, with the largest numbers that shapes and offsets can have in place of its own; `dim` is what is a dim.
///
/// Ids name at most 2³² rows, a rank is no larger, a row of f32 fits into memory, offsets fit into 64 bits.
pub(crate) fn longest_header(file: &[u8], dim: usize) -> String {
    let length = u64::from_le_bytes(*file.first_chunk().expect("at least 8 bytes"));
    let length = usize::try_from(length).expect("a short header");
    let text = std::str::from_utf8(&file[8..8 + length]).expect("JSON").trim_end();
    let largest = |key: &str, number: &str| match (key, number) {
        ("shape", number) if number == dim.to_string() => (isize::MAX / 4).to_string(),
        ("shape", _) => u32::MAX.to_string(),
        ("data_offsets", "0") => "0".to_owned(),
        ("data_offsets", _) => u64::MAX.to_string(),
        other => panic!("{other:?} in {text}"),
    };
    let mut key = "";
    let pieces = text.split('[').map(|piece| {
        let (numbers, between) = piece.split_once(']').unwrap_or(("", piece));
        let numbers: Vec<String> = numbers.split(',').filter(|n| !n.is_empty()).map(|n| largest(key, n)).collect();
        key = between.trim_end_matches("\":").rsplit('"').next().unwrap_or_default();
        if numbers.is_empty() { between.to_owned() } else { format!("[{}]{between}", numbers.join(",")) }
    });
    pieces.collect()
}

/// A folder of its own for the files of a test.
pub(crate) struct Folder(TempDir);

impl Folder {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().expect("a temporary folder"))
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, bytes).expect("a writable folder");
        path
    }

    /// The names of everything in it, sorted.
    pub(crate) fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.0.path()).expect("the folder");
        let name = |entry: std::io::Result<std::fs::DirEntry>| {
            entry.expect("an entry of the folder").file_name().to_string_lossy().into_owned()
        };
        let mut names: Vec<String> = entries.map(name).collect();
        names.sort();
        names
    }
}
