//! Layers that come out of files.

use factorized_embedding::{
    DenseEmbedding, Dtype, FactorizedEmbedding,
    io::safetensors::{load_factors, load_table, save_factors},
};
use safetensors::{Dtype as FileDtype, tensor::TensorView};
use tempfile::NamedTempFile;

/// A table that is read from a map of its file.
pub(crate) fn mapped(dtype: Dtype, shape: [usize; 2], bytes: &[u8]) -> DenseEmbedding<'static> {
    let dtype = match dtype {
        Dtype::F32 => FileDtype::F32,
        Dtype::F16 => FileDtype::F16,
        Dtype::Bf16 => FileDtype::BF16,
        Dtype::Int8 => FileDtype::I8,
        other => unreachable!("{other} is a type that this test does not know"),
    };
    let tensor = TensorView::new(dtype, shape.to_vec(), bytes).expect("as many bytes as the shape takes");
    let numbers = safetensors::serialize([("weight", tensor)], None).expect("one tensor of a valid shape");
    let file = NamedTempFile::new().expect("a temporary file");
    std::fs::write(file.path(), numbers).expect("a file that is writable");
    load_table(file.path(), "weight").expect("a valid file")
}

/// The same layer, by way of a file.
pub(crate) fn reloaded(layer: &FactorizedEmbedding) -> FactorizedEmbedding {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("factors.safetensors");
    save_factors(&path, layer.factors()).expect("a writable folder");
    FactorizedEmbedding::new(load_factors(&path).expect("the file that was just saved"))
}
