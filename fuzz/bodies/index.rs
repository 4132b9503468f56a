//! Indexes of checkpoints of several files.

use std::{fs, path::Path};

use factorized_embedding::{
    Factors,
    io::{
        hugging_face::{Checkpoint, Replacement},
        safetensors::load_table,
    },
};
use ndarray::array;

use super::{use_layer, value, write};

/// A table `a` or `b` of two rows of three numbers.
pub(super) fn shard(name: &str) -> Vec<u8> {
    let header = format!(r#"{{"{name}":{{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]}}}}"#);
    [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), &[0; 24]].concat()
}

pub(crate) fn check(folder: &Path, data: &[u8]) {
    let model = folder.join("model");
    if !model.exists() {
        fs::create_dir_all(model.join("below")).expect("a writable folder");
        write(&model, "one.safetensors", &shard("a"));
        write(&model, "below/two.safetensors", &shard("b"));
    }
    let index = write(&model, "model.safetensors.index.json", data);
    for name in ["a", "b"] {
        let tables = [&model, &index].map(|path| value(load_table(path, name)));
        assert_eq!(tables[0].is_some(), tables[1].is_some(), "the folder and its index");
        tables.iter().flatten().for_each(|table| use_layer(table));
    }
    let Some(checkpoint) = value(Checkpoint::open(&model)) else { return };
    value(checkpoint.token_table());
    let factors = Factors::new(array![[1.0], [2.0]], array![[3.0, 4.0, 5.0]]).expect("shapes that multiply");
    let small = folder.join("small");
    if value(checkpoint.save_with("a", &Replacement::factors("made up", factors), &small, |_, _| Ok(()))).is_some() {
        let compressed = Checkpoint::open(&small).expect("a checkpoint that was just written");
        assert_eq!(compressed.factors("a").expect("factors of the table").rank(), 1);
        fs::remove_dir_all(&small).expect("a folder that was just written");
    }
}
