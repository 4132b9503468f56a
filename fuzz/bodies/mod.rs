//! What each fuzz target does with its bytes. The tests feed the committed corpora to the same functions (`tests/corpora.rs`).
//!
//! A body writes its bytes to a file and reads it with everything that reads such files. Whatever the bytes are, there is a value
//! or an `Error`: no panic, no overflow, no allocation that is larger than the file can justify. What was read can be used, and
//! is the same when it is written and read again.
#![allow(dead_code, reason = "every fuzz target uses its own part of this module")]

pub(crate) mod config;
pub(crate) mod factors;
pub(crate) mod glove;
pub(crate) mod index;
pub(crate) mod npy;
pub(crate) mod quantized;
pub(crate) mod safetensors;
pub(crate) mod word2vec;

use std::{
    fs,
    path::{Path, PathBuf},
};

use factorized_embedding::{Bags, Embedding, Pooling, Result};
use ndarray::Array2;
use tempfile::TempDir;

/// A function that is fed the bytes of a file, and may use a folder.
pub(crate) type Body = fn(&Path, &[u8]);

/// The bodies by the names of their targets and corpora.
pub(crate) const BODIES: [(&str, Body); 8] = [
    ("config", config::check),
    ("factors", factors::check),
    ("glove", glove::check),
    ("index", index::check),
    ("npy", npy::check),
    ("quantized", quantized::check),
    ("safetensors", safetensors::check),
    ("word2vec", word2vec::check),
];

/// Numbers of a table that everything is done with: a file of a few bytes may stand for rows without end.
const MAX_NUMBERS: usize = 1 << 16;

thread_local! {
    static FOLDER: TempDir = tempfile::tempdir().expect("a temporary folder");
}

/// Feeds bytes to a body, in a folder that stays the same.
pub(crate) fn run(body: Body, data: &[u8]) {
    FOLDER.with(|folder| body(folder.path(), data));
}

/// Writes a file and returns its path.
fn write(folder: &Path, name: &str, data: &[u8]) -> PathBuf {
    let path = folder.join(name);
    fs::write(&path, data).expect("a writable folder");
    path
}

/// The value, if there is one; an error has to have a message.
fn value<T>(result: Result<T>) -> Option<T> {
    result.inspect_err(|error| assert!(!error.to_string().is_empty(), "an error without a message")).ok()
}

/// Looks up the first and the last row; in small tables, everything that a layer can do.
fn use_layer(layer: &dyn Embedding) {
    let last = (layer.vocab_size() - 1) as u32;
    if layer.dim() > MAX_NUMBERS {
        return;
    }
    let ids = [0, last, last];
    let rows = layer.lookup(&ids).expect("ids of the table");
    let bits = |row: usize| rows.row(row).iter().map(|number| number.to_bits()).collect::<Vec<_>>();
    assert_eq!(bits(1), bits(2), "the same row twice");
    let bags = Bags::new(&ids, &[0, 1], Pooling::Mean).expect("two bags");
    assert_eq!(layer.bag(&bags).expect("ids of the table").dim(), (2, layer.dim()));
    assert!(layer.lookup(&[last, last.saturating_add(1)]).is_err() || last == u32::MAX, "an id behind the last");
    if is_small(layer) {
        let hidden = Array2::ones((1, layer.dim()));
        assert_eq!(layer.logits(hidden.view()).expect("a hidden state").dim(), (1, layer.vocab_size()));
        assert!(layer.top_k(hidden.view(), 3).is_ok(), "a hidden state");
    }
}

fn is_small(layer: &dyn Embedding) -> bool {
    layer.vocab_size().saturating_mul(layer.dim()) <= MAX_NUMBERS
}
