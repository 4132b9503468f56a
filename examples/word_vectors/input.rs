//! Words and their vectors: of a file, or those that come with the examples.

use std::path::{Path, PathBuf};

use factorized_embedding::{
    Vocabulary,
    io::{
        safetensors::load_table,
        vocabulary::load_vocabulary,
        word_vectors::{WordVectorFormat, WordVectorReader},
    },
};
use ndarray::Array2;

use crate::{
    arguments::Arguments,
    support::{Result, progress, text::grouped},
};

#[derive(Debug)]
pub(crate) struct Input {
    pub(crate) vocabulary: Vocabulary,
    pub(crate) table: Array2<f32>,
    name: String,
    left_out: usize,
}

impl Input {
    pub(crate) fn load(arguments: &Arguments) -> Result<Self> {
        match &arguments.file {
            Some(path) => Self::of_file(path, arguments),
            None => Self::shipped(),
        }
    }

    fn of_file(path: &Path, arguments: &Arguments) -> Result<Self> {
        let progress = progress::steps();
        progress.set_message(format!("reading {}", path.display()));
        let format = match arguments.format.said() {
            Some(format) => format,
            None => WordVectorFormat::detect(path)?,
        };
        let mut reader = WordVectorReader::new(format).with_duplicates(arguments.duplicates());
        if let Some(max_rows) = arguments.max_rows {
            reader = reader.with_max_rows(max_rows);
        }
        if let Some(dim) = arguments.dim {
            reader = reader.with_dim(dim);
        }
        let vectors = reader.read(path)?;
        progress.finish_and_clear();
        Ok(Self {
            vocabulary: vectors.vocabulary,
            table: vectors.table,
            name: format!("{format}, {}", path.display()),
            left_out: vectors.left_out.len(),
        })
    }

    fn shipped() -> Result<Self> {
        let data: PathBuf = [env!("CARGO_MANIFEST_DIR"), "examples", "data"].iter().collect();
        let table = load_table(data.join("glove50-top10k-f16.safetensors"), "weight")?;
        Ok(Self {
            vocabulary: load_vocabulary(data.join("glove50-top10k.vocab.txt"))?,
            table: table.to_array().into_owned(),
            name: "GloVe 6B, the most frequent words".to_owned(),
            left_out: 0,
        })
    }

    /// What was read, for the reader of the report.
    pub(crate) fn description(&self) -> String {
        let (words, dim) = (grouped(self.table.nrows()), self.table.ncols());
        let left_out = match self.left_out {
            0 => String::new(),
            count => format!(" ({} that stood there before were left out)", grouped(count)),
        };
        format!("{}: {words} words × {dim}{left_out}", self.name)
    }
}
