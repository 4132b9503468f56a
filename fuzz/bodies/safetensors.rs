//! Any file of tensors: as a checkpoint, as tables, in blocks of rows, and as the parts of a compressed table.

use std::{fs, path::Path};

use factorized_embedding::{
    Embedding, RowBlocks,
    io::{
        hugging_face::Checkpoint,
        safetensors::{SafetensorsRows, load_table},
    },
};
use safetensors::SafeTensors;

use super::{is_small, use_layer, value, write};

pub(crate) fn check(folder: &Path, data: &[u8]) {
    let path = write(folder, "tensors.safetensors", data);
    let opened = value(Checkpoint::open(&path));
    value(load_table(&path, "a"));
    let Some(checkpoint) = opened else { return };
    assert!(SafeTensors::deserialize(data).is_ok(), "a file that the library of the format refuses");
    let tensors: Vec<String> = checkpoint.tensors().map(|(name, _)| name.to_owned()).collect();
    for name in &tensors {
        let table = value(checkpoint.table(name));
        if let Some(dense) = value(load_table(&path, name)) {
            use_layer(&dense);
            assert!(table.is_some(), "a table that is none of the checkpoint");
            same_rows(&path, name, &dense);
        }
        value(checkpoint.rows(name));
        value(checkpoint.array(name));
    }
    value(checkpoint.token_table());
    value(checkpoint.albert_factors());
    value(checkpoint.patch_table());
    value(checkpoint.position_table());
    restore(folder, &checkpoint, data);
}

/// The table in blocks of rows is the mapped one.
fn same_rows(path: &Path, name: &str, dense: &dyn Embedding) {
    let Some(rows) = value(SafetensorsRows::open(path, name)).filter(|_| is_small(dense)) else { return };
    let mut rows = rows.with_block_rows(3);
    let mut first = 0;
    while let Some(block) = rows.next_block().expect("rows of the file") {
        let ids: Vec<u32> = (first..).take(block.nrows()).collect();
        first += ids.len() as u32;
        let mapped = dense.lookup(&ids).expect("ids of the table");
        let same = mapped.iter().zip(block).all(|(a, b)| a.to_bits() == b.to_bits() || a.is_nan() && b.is_nan());
        assert!(same, "other numbers than those of the mapped table");
    }
    assert_eq!(first as usize, dense.vocab_size());
}

/// A table that is kept as factors or codes is used, and restored.
fn restore(folder: &Path, checkpoint: &Checkpoint, data: &[u8]) {
    // The names of compressed tables stand in the metadata; seeds use these.
    let layers = ["wte.weight", "t"].map(|name| value(checkpoint.embedding(name)));
    layers.iter().flatten().for_each(|layer| use_layer(layer.as_ref()));
    // What says nothing of its original shape is refused at once. What stands for a large table is not written.
    let is_compressed = data.windows(14).any(|window| window == b"original_shape");
    if is_compressed
        && layers.iter().flatten().all(|layer| is_small(layer.as_ref()))
        && layers.iter().any(Option::is_some)
    {
        let whole = folder.join("whole");
        if value(checkpoint.restore(&whole, |_, _| Ok(()))).is_some() {
            Checkpoint::open(whole.join("tensors.safetensors")).expect("a restored checkpoint");
            fs::remove_dir_all(&whole).expect("a folder that was just written");
        }
    }
}
