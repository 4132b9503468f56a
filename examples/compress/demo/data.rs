//! The files in `examples/data`.

use std::{fs, path::PathBuf};

use factorized_embedding::{DenseEmbedding, Vocabulary, io::safetensors::load_table};

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
        let words = read("glove50-top10k.vocab.txt")?;
        // Some words hold line breaks of Unicode, so `lines` would not do.
        let words = words.strip_suffix('\n').unwrap_or(&words).split('\n').map(unescape);
        Ok(Self {
            dense: DenseEmbedding::new(stored.to_array().into_owned())?,
            vocabulary: Vocabulary::new(words)?,
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

/// `\n`, `\t`, `\r` and `\\` as the characters that they stand for.
fn unescape(word: &str) -> String {
    let mut characters = word.chars();
    let mut plain = String::new();
    while let Some(character) = characters.next() {
        plain.push(match character {
            '\\' => match characters.next() {
                Some('n') => '\n',
                Some('t') => '\t',
                Some('r') => '\r',
                Some(other) => other,
                None => '\\',
            },
            other => other,
        });
    }
    plain
}
