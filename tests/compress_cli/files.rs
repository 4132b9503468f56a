//! A table to compress, and the program run on it.

use std::{fs, path::PathBuf, process::Output};

use ndarray::Array1;
use ndarray_npy::{WritableElement, write_npy};
use tempfile::TempDir;

use crate::support::programs;

pub(crate) const VOCAB_SIZE: usize = 200;
pub(crate) const DIM: usize = 12;
pub(crate) const FULL_BYTES: usize = size_of::<f32>() * VOCAB_SIZE * DIM;

/// A folder with a table in `input.safetensors`.
pub(crate) struct Files {
    folder: TempDir,
}

impl Files {
    pub(crate) fn new() -> Self {
        Self::with_table(|i, j| ((3 * i + 7 * j) as f32 * 0.37).sin() + (i * j % 11) as f32 * 0.1)
    }

    pub(crate) fn with_table(number: impl Fn(usize, usize) -> f32) -> Self {
        let files = Self { folder: tempfile::tempdir().expect("a folder") };
        let bytes = size_of::<f32>() * VOCAB_SIZE * DIM;
        let header =
            format!(r#"{{"words":{{"dtype":"F32","shape":[{VOCAB_SIZE},{DIM}],"data_offsets":[0,{bytes}]}}}}"#);
        let mut file = (header.len() as u64).to_le_bytes().to_vec();
        file.extend(header.bytes());
        file.extend((0..VOCAB_SIZE * DIM).flat_map(|k| number(k / DIM, k % DIM).to_le_bytes()));
        fs::write(files.path("input.safetensors"), file).expect("a file");
        files
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes numbers for `vocab_size` rows.
    pub(crate) fn write_frequencies<T: WritableElement>(&self, number: impl Fn(usize) -> T) -> PathBuf {
        let path = self.path("frequencies.npy");
        write_npy(&path, &(0..VOCAB_SIZE).map(number).collect::<Array1<T>>()).expect("a file");
        path
    }

    /// `compress input.safetensors --tensor words …`, run in the folder.
    pub(crate) fn compress(&self, arguments: &[&str]) -> Output {
        self.run(&[&["input.safetensors", "--tensor", "words"], arguments].concat())
    }

    /// `compress …` with the shipped GloVe table, weighted by its frequencies.
    pub(crate) fn compress_glove(&self, arguments: &[&str]) -> Output {
        let input = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/data/glove50-top10k-f16.safetensors");
        let frequencies = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/data/glove50-top10k.freq.npy");
        let weighted = [input, "--tensor", "weight", "--frequencies", frequencies, "--smoothing", "1"];
        self.run(&[weighted.as_slice(), arguments].concat())
    }

    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).expect("the file is there")
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        programs::run("compress", self.folder.path(), arguments)
    }
}

/// The value that is printed beside a name.
pub(crate) fn printed(text: &str, name: &str) -> String {
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix("  "));
    value.unwrap_or_else(|| panic!("{name:?} is not in {text}")).trim().to_owned()
}

/// The number that is printed beside a name.
pub(crate) fn printed_number(text: &str, name: &str) -> f64 {
    printed(text, name).trim_end_matches(" %").parse().expect("a number")
}
