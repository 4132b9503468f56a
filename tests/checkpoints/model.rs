//! Made-up models.

use std::path::{Path, PathBuf};

use factorized_embedding::io::hugging_face::Checkpoint;
use half::{bf16, f16};

use crate::support::files::{Folder, file, header};

/// A tensor and its bytes.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Tensor {
    pub(crate) name: String,
    pub(crate) dtype: &'static str,
    pub(crate) shape: Vec<usize>,
    pub(crate) bytes: Vec<u8>,
}

/// Numbers of a tensor that are its own.
pub(crate) fn number(name: &str, i: usize) -> f32 {
    ((i * i) as f32 * 0.31 + name.len() as f32 + i as f32 * 0.7).sin()
}

pub(crate) fn tensor(name: &str, dtype: &'static str, shape: &[usize]) -> Tensor {
    let len = shape.iter().product();
    let bytes = (0..len).flat_map(|i| {
        let number = number(name, i);
        match dtype {
            "F32" => number.to_le_bytes().to_vec(),
            "F16" => f16::from_f32(number).to_le_bytes().to_vec(),
            "BF16" => bf16::from_f32(number).to_le_bytes().to_vec(),
            "I64" => (i as i64).to_le_bytes().to_vec(),
            "U8" | "I8" | "BOOL" => vec![(i % 2) as u8],
            other => panic!("no {other} is made up"),
        }
    });
    Tensor { name: name.to_owned(), dtype, shape: shape.to_vec(), bytes: bytes.collect() }
}

pub(crate) fn f32s(name: &str, shape: &[usize]) -> Tensor {
    tensor(name, "F32", shape)
}

/// A file of these tensors.
pub(crate) fn file_of(metadata: Option<&str>, tensors: &[Tensor]) -> Vec<u8> {
    let size = |tensor: &Tensor| tensor.bytes.len() / tensor.shape.iter().product::<usize>().max(1);
    let entries: Vec<(&str, &str, usize, &[usize])> = tensors
        .iter()
        .map(|tensor| (tensor.name.as_str(), tensor.dtype, size(tensor), tensor.shape.as_slice()))
        .collect();
    let data: Vec<u8> = tensors.iter().flat_map(|tensor| tensor.bytes.clone()).collect();
    file(&header(metadata, &entries).0, &data)
}

pub(crate) const SINGLE: &str = "model.safetensors";
pub(crate) const INDEX: &str = "model.safetensors.index.json";
pub(crate) const PYTORCH: &str = r#"{"format":"pt"}"#;

/// A folder with a model of one file.
pub(crate) fn model(config: &str, tensors: &[Tensor]) -> Folder {
    let folder = Folder::new();
    folder.write(SINGLE, &file_of(Some(PYTORCH), tensors));
    if !config.is_empty() {
        folder.write("config.json", config.as_bytes());
    }
    folder
}

/// The same in a file for each tensor, with an index as `transformers` writes it.
pub(crate) fn sharded(config: &str, tensors: &[Tensor]) -> Folder {
    let folder = Folder::new();
    let name = |i: usize| format!("model-{:05}-of-{:05}.safetensors", i + 1, tensors.len());
    for (i, tensor) in tensors.iter().enumerate() {
        folder.write(&name(i), &file_of(Some(PYTORCH), std::slice::from_ref(tensor)));
    }
    let size: usize = tensors.iter().map(|tensor| tensor.bytes.len()).sum();
    let mut entries: Vec<String> =
        tensors.iter().enumerate().map(|(i, tensor)| format!("    {:?}: {:?}", tensor.name, name(i))).collect();
    entries.sort();
    let index = format!(
        "{{\n  \"metadata\": {{\n    \"total_size\": {size}\n  }},\n  \"weight_map\": {{\n{}\n  }}\n}}\n",
        entries.join(",\n")
    );
    folder.write(INDEX, index.as_bytes());
    folder.write("config.json", config.as_bytes());
    folder
}

pub(crate) fn open(folder: &Folder) -> Checkpoint {
    Checkpoint::open(folder.path("")).expect("a valid checkpoint")
}

/// The message of an error, with `FOLDER/` for the folder.
pub(crate) fn message<T: std::fmt::Debug>(folder: &Folder, result: factorized_embedding::Result<T>) -> String {
    let message = result.expect_err("this is refused").to_string();
    message.replace(&folder.path("x").with_file_name("").display().to_string(), "FOLDER/")
}

/// The metadata of a file as they stand, and its tensors by name.
pub(crate) fn read(path: &Path) -> (serde_json::Value, Vec<Tensor>) {
    let bytes = std::fs::read(path).expect("a file");
    let length = u64::from_le_bytes(*bytes.first_chunk().expect("a length")) as usize;
    let header: serde_json::Value = serde_json::from_slice(&bytes[8..8 + length]).expect("a header");
    let header = header.as_object().expect("an object");
    let dtype = |name: &serde_json::Value| {
        let known = ["F32", "F16", "BF16", "I64", "U8", "I8", "BOOL", "U32"];
        known.into_iter().find(|known| name == known).expect("a known type")
    };
    let tensors = header.iter().filter(|(name, _)| *name != "__metadata__").map(|(name, tensor)| {
        let numbers = |key: &str| -> Vec<usize> {
            tensor[key].as_array().expect("numbers").iter().map(|n| n.as_u64().expect("a number") as usize).collect()
        };
        let offsets = numbers("data_offsets");
        let bytes = bytes[8 + length..][offsets[0]..offsets[1]].to_vec();
        Tensor { name: name.clone(), dtype: dtype(&tensor["dtype"]), shape: numbers("shape"), bytes }
    });
    let mut tensors: Vec<Tensor> = tensors.collect();
    tensors.sort_by(|a, b| a.name.cmp(&b.name));
    (header.get("__metadata__").cloned().unwrap_or_default(), tensors)
}

/// All files below a folder and their bytes.
pub(crate) fn contents(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(&next).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(folder).expect("a path below").to_owned();
                files.push((name, std::fs::read(&path).expect("a file")));
            }
        }
    }
    files.sort();
    files
}
