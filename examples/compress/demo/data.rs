//! The files in `examples/data`.

use std::{fs, path::PathBuf};

use factorized_embedding::{
    DenseEmbedding, Vocabulary,
    io::{safetensors::load_table, vocabulary::load_vocabulary},
};

use crate::support::{Result, frequencies};

/// Word vectors, their words, and what belongs to them.
#[derive(Debug)]
pub(super) struct Glove {
    /// The table, widened to `f32`.
    pub(super) dense: DenseEmbedding<'static>,
    pub(super) vocabulary: Vocabulary,
    /// How often each word occurs.
    pub(super) counts: Vec<f64>,
    /// The text of the analogy questions.
    pub(super) questions: String,
}

impl Glove {
    pub(super) fn load() -> Result<Self> {
        let stored = load_table(path("glove50-top10k-f16.safetensors"), "weight")?;
        Ok(Self {
            dense: DenseEmbedding::new(stored.to_array().into_owned())?,
            vocabulary: load_vocabulary(path("glove50-top10k.vocab.txt"))?,
            counts: frequencies::read(&path("glove50-top10k.freq.npy"))?,
            questions: read("analogies-top10k.txt")?,
        })
    }
}

fn path(name: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "examples", "data", name].iter().collect()
}

fn read(name: &str) -> Result<String> {
    let path = path(name);
    Ok(fs::read_to_string(&path).map_err(|error| format!("cannot read {}: {error}", path.display()))?)
}
