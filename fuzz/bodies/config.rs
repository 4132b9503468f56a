//! `config.json` of a model, and `adapter_config.json` of a low-rank update.

use std::{fs, path::Path};

use factorized_embedding::{
    Factors,
    io::hugging_face::{Checkpoint, LoraEmbedding, Replacement},
};
use ndarray::array;

use super::{index::shard, value, write};

/// An update of rank 1 of a table of three rows of two numbers.
fn adapter() -> Vec<u8> {
    let a = r#""wte.lora_embedding_A":{"dtype":"F32","shape":[1,3],"data_offsets":[0,12]}"#;
    let b = r#""wte.lora_embedding_B":{"dtype":"F32","shape":[2,1],"data_offsets":[12,20]}"#;
    let header = format!("{{{a},{b}}}");
    [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), &[0; 20]].concat()
}

pub(crate) fn check(folder: &Path, data: &[u8]) {
    let model = folder.join("model");
    if !model.exists() {
        fs::create_dir_all(&model).expect("a writable folder");
        write(&model, "model.safetensors", &shard("wte.weight"));
        write(&model, "adapter_model.safetensors", &adapter());
    }
    write(&model, "adapter_config.json", data);
    value(LoraEmbedding::open(&model));

    write(&model, "config.json", data);
    let Some(checkpoint) = value(Checkpoint::open(&model)) else { return };
    value(checkpoint.token_table());
    let factors = Factors::new(array![[1.0], [2.0]], array![[3.0, 4.0, 5.0]]).expect("shapes that multiply");
    let replacement = Replacement::factors("made up", factors);
    let (small, whole) = (folder.join("small"), folder.join("whole"));
    if value(checkpoint.save_with("wte.weight", &replacement, &small, |_, _| Ok(()))).is_some() {
        let compressed = Checkpoint::open(&small).expect("a checkpoint that was just written");
        compressed.restore(&whole, |_, _| Ok(())).expect("what was just compressed");
        let restored = Checkpoint::open(&whole).expect("a checkpoint that was just written");
        assert_eq!(restored.config(), checkpoint.config(), "the configuration that there was");
        for folder in [small, whole] {
            fs::remove_dir_all(folder).expect("a folder that was just written");
        }
    }
}
