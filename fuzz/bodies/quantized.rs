//! Files of quantized factors.

use std::path::Path;

use factorized_embedding::{
    QuantizedEmbedding,
    io::safetensors::{load_quantized, save_quantized},
};

use super::{use_layer, value, write};

pub(crate) fn check(folder: &Path, data: &[u8]) {
    let path = write(folder, "quantized.safetensors", data);
    let Some(factors) = value(load_quantized(&path)) else { return };
    let again = folder.join("again.safetensors");
    save_quantized(&again, &factors).expect("a writable folder");
    assert_eq!(load_quantized(&again).expect("what was just written"), factors);
    use_layer(&QuantizedEmbedding::new(factors));
}
