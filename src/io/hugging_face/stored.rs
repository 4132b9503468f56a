//! Tables that are kept as factors or codes within a checkpoint.

use super::{Checkpoint, tables::matrix_shape};
use crate::{Dtype, Error, Result};

pub(super) const FORMAT: &str = "compressed checkpoint";

/// What a table is kept as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stored {
    Factors,
    Codes,
}

/// What the metadata say of the tensor that there was.
pub(super) struct Original {
    /// As the tensor had it.
    pub(super) shape: Vec<usize>,
    /// Rows and columns of it.
    pub(super) matrix: [usize; 2],
    pub(super) dtype: Dtype,
}

/// The name of a part of a table: of a tensor, or of metadata.
pub(super) fn key(table: &str, part: &str) -> String {
    format!("{table}.{part}")
}

/// The metadata that say what the tensor was.
pub(super) fn original_metadata(shape: &[usize], dtype: Dtype) -> [(&'static str, String); 2] {
    [("original_shape", format!("{shape:?}")), ("original_dtype", dtype.to_string())]
}

impl Checkpoint {
    /// The tensor that a table was before it was compressed.
    ///
    /// # Errors
    /// [`TensorNotFound`](Error::TensorNotFound), [`InvalidFile`](Error::InvalidFile).
    pub(super) fn original(&self, name: &str) -> Result<Original> {
        let shard = &self.shards[*self.compressed.get(name).ok_or_else(|| self.not_found(name))?];
        let text = |key: &String| shard.header.metadata.get(key).ok_or_else(|| format!("its metadata name no {key}"));
        let wrong = |key: &str, text: &str| format!("its metadata say {key} {text:?}, which is none of a table");
        let original = || {
            let [shape_key, dtype_key] = ["original_shape", "original_dtype"].map(|part| key(name, part));
            let (shape_text, dtype_text) = (text(&shape_key)?, text(&dtype_key)?);
            let shape: Option<Vec<usize>> = serde_json::from_str(shape_text).ok();
            let matrix = shape.as_deref().and_then(matrix_shape);
            let dtype =
                [Dtype::F32, Dtype::F16, Dtype::Bf16].into_iter().find(|dtype| dtype.to_string() == *dtype_text);
            match (shape, matrix, dtype) {
                (Some(shape), Some(matrix), Some(dtype)) => Ok(Original { shape, matrix, dtype }),
                (_, _, Some(_)) => Err(wrong(&shape_key, shape_text)),
                _ => Err(wrong(&dtype_key, dtype_text)),
            }
        };
        original().map_err(|reason| Error::InvalidFile { path: shard.path.clone(), format: FORMAT, reason })
    }
}
