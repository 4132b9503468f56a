//! Tables and factors in [safetensors](https://github.com/huggingface/safetensors) files.
//!
//! # Memory maps
//!
//! A table is mapped, not read: opening takes the time of its header, and rows come from the disk when they are looked up.
//! A map follows its file. Do not overwrite a file in place while it is mapped (its rows would change), and do not truncate
//! it (reading the missing part ends the process). Saving over it with this crate, or with anything else that renames a
//! finished file into place, is safe: the map keeps the old one.
//!
//! [`SafetensorsRows`] maps nothing: it reads a table in blocks of rows, for tables that are larger than memory.
//!
//! # Sharded checkpoints
//!
//! Large checkpoints come as several files and an index, `model.safetensors.index.json`, that says which tensor is in which.
//! Tables are found by the path of the index (any name that ends with `.json`), or by that of the folder that it is in; in a
//! folder without one, in `model.safetensors`. An index that names a file outside of its folder is refused.
//!
//! A table whose rows are cut across several tensors is one as [`ChainedRows`](crate::ChainedRows).
//!
//! # Format of factors
//!
//! | tensor | shape | |
//! | --- | --- | --- |
//! | `u` | \[`vocab_size`, rank\] | `F32`, `F16`, `BF16`, or `I8`: codes to be multiplied with `u_scales` |
//! | `u_scales` | \[rank\] | `F32`, of the columns of `u` where it is `I8` |
//! | `diagonal` | \[rank\] | `F32`, absent when there is none |
//! | `v` | \[rank, dim\] | `F32` |
//! | `bias` | \[dim\] | `F32`, absent when there is none |
//!
//! The metadata are `format = "factorized-embedding"` and `version = "1"`. A later version that a reader of this one could
//! misread will carry another number, and is refused.
//!
//! # Format of block factors
//!
//! | tensor | shape | |
//! | --- | --- | --- |
//! | `group_of` | \[`vocab_size`\] | `U8`, the group of each row |
//! | `blocks.{g}.u`, `blocks.{g}.v`, … | | the factors of group g (0, 1, …) in the format above; absent for rank 0 |
//!
//! Row i of `blocks.{g}.u` is the i-th row of the table in group g. The metadata are
//! `format = "factorized-embedding-blockwise"`, `version = "1"`, and `num_groups` and `dim` in decimal digits. No other
//! names begin with `blocks.`.
//!
#![doc = include_str!("../../docs/quantized-format.md")]
//!
//! # Format of optimizer states
//!
//! The tensors are those of [`OptimizerState::tensors`](crate::train::OptimizerState::tensors), `F32`. The metadata are
//! `format = "factorized-embedding-optimizer"`, `version = "1"`; `steps.{array}`, a positive number, for each array that has made
//! a step; `rule`; and what the rule is set to, finite decimal numbers:
//!
//! | `rule` | metadata | tensors of each array |
//! | --- | --- | --- |
//! | `sgd` | | |
//! | `sgd_polyak`, `sgd_nesterov` | `momentum` | `{array}.momentum` |
//! | `adagrad` | `initial_accumulator`, `epsilon` | `{array}.sum` |
//! | `rowwise_adagrad` | `initial_accumulator`, `epsilon` | `{array}.sum`, a number for each row |
//! | `adam` | `beta1`, `beta2`, `epsilon` | `{array}.first_moment`, `{array}.second_moment` |
//! | `adam_w` | the same and `weight_decay` | the same |

mod blocks;
#[cfg(feature = "decompose")]
mod decomposed;
mod factors;
pub(super) mod header;
pub(super) mod index;
mod optimizer;
pub(super) mod quantized;
pub(super) mod rows;
pub(super) mod tensors;
mod writer;

use std::{
    ops::Range,
    path::{Path, PathBuf},
    sync::Arc,
};

use memmap2::Mmap;
use safetensors::{Dtype as FileDtype, tensor::TensorInfo};

pub use blocks::{load_block_factors, max_block_header_bytes, save_block_factors};
#[cfg(feature = "decompose")]
pub use decomposed::save_decomposed;
pub use factors::{MAX_HEADER_BYTES, load_factors, save_factors};
use header::Header;
pub use optimizer::{load_optimizer, save_optimizer};
pub use quantized::{load_quantized, save_quantized};
pub use rows::SafetensorsRows;
pub use writer::FactorsWriter;

use crate::{DenseEmbedding, Dtype, Error, Result, io::regular_file, memory};

const FORMAT: &str = "safetensors";
/// What can be read as a table.
const TABLE: &str = "F32, F16, BF16 or I8 [vocab_size, dim]";

/// What a type is called in a file.
pub(super) fn file_dtype(dtype: Dtype) -> FileDtype {
    match dtype {
        Dtype::F32 => FileDtype::F32,
        Dtype::F16 => FileDtype::F16,
        Dtype::Bf16 => FileDtype::BF16,
        Dtype::Int8 => FileDtype::I8,
    }
}

/// The type of a table as it stands in a file, if it can be read.
pub(super) fn table_dtype(tensor: &TensorInfo) -> Option<Dtype> {
    [Dtype::F32, Dtype::F16, Dtype::Bf16, Dtype::Int8].into_iter().find(|&dtype| file_dtype(dtype) == tensor.dtype)
}

fn tensor_of<'h>(header: &'h Header, path: &Path, name: &str) -> Result<&'h TensorInfo> {
    header.tensors.get(name).ok_or_else(|| Error::TensorNotFound {
        path: path.to_owned(),
        name: name.to_owned(),
        available: header.tensors.keys().cloned().collect(),
    })
}

fn unsuitable(path: &Path, name: &str, tensor: &TensorInfo, expected: &'static str) -> Error {
    Error::UnsuitableTensor {
        path: path.to_owned(),
        name: name.to_owned(),
        dtype: tensor.dtype.to_string(),
        shape: tensor.shape.clone(),
        expected,
    }
}

/// A mapped file and its header.
pub(super) struct File {
    path: PathBuf,
    /// What stands before the names of tensors and metadata that are asked for: nothing, but for a file within a file.
    prefix: String,
    header: Header,
    map: Arc<Mmap>,
}

impl File {
    pub(super) fn open(path: &Path) -> Result<Self> {
        let (file, _) = regular_file::open(path, "map")?;
        let map = memory::map(&file).map_err(|source| Error::Io { action: "map", path: path.to_owned(), source })?;
        let map = Arc::new(map);
        let header = Header::parse(&map, map.len() as u64).map_err(|reason| Error::InvalidFile {
            path: path.to_owned(),
            format: FORMAT,
            reason,
        })?;
        Ok(Self { path: path.to_owned(), prefix: String::new(), header, map })
    }

    /// The file that the tensors and metadata whose names begin with this would make.
    pub(super) fn behind(self, prefix: String) -> Self {
        Self { prefix, ..self }
    }

    fn full_name(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    fn has(&self, name: &str) -> bool {
        self.header.tensors.contains_key(&self.full_name(name))
    }

    fn metadata(&self, name: &str) -> Option<&String> {
        self.header.metadata.get(&self.full_name(name))
    }

    /// The names of all tensors, sorted.
    pub(super) fn names(&self) -> impl Iterator<Item = &String> {
        self.header.tensors.keys()
    }

    pub(super) fn tensor(&self, name: &str) -> Result<&TensorInfo> {
        tensor_of(&self.header, &self.path, &self.full_name(name))
    }

    pub(super) fn unsuitable(&self, name: &str, tensor: &TensorInfo, expected: &'static str) -> Error {
        unsuitable(&self.path, &self.full_name(name), tensor, expected)
    }

    pub(super) fn bytes(&self, tensor: &TensorInfo) -> &[u8] {
        // `Header::parse` has checked that all offsets lie within the file.
        &self.map[self.range(tensor)]
    }

    /// The bytes of a tensor, to be read from the map when they are needed.
    pub(super) fn mapped(&self, tensor: &TensorInfo) -> MappedTensor {
        MappedTensor { map: Arc::clone(&self.map), range: self.range(tensor) }
    }

    fn range(&self, tensor: &TensorInfo) -> Range<usize> {
        let (start, end) = tensor.data_offsets;
        self.header.data_start + start..self.header.data_start + end
    }
}

/// The bytes of one tensor of a mapped file.
pub(super) struct MappedTensor {
    map: Arc<Mmap>,
    range: Range<usize>,
}

impl AsRef<[u8]> for MappedTensor {
    fn as_ref(&self) -> &[u8] {
        &self.map[self.range.clone()]
    }
}

/// Maps one tensor of a file, or of a [sharded checkpoint](self#sharded-checkpoints), as a table: see
/// [memory maps](self#memory-maps).
///
/// The numbers stay in the file as they are, and are not looked at: a table that holds NaN gives NaN.
///
/// # Shapes
/// The tensor is \[`vocab_size`, dim\] of `F32`, `F16`, `BF16` or `I8` (integers that stand for themselves).
///
/// # Errors
/// [`Io`](Error::Io) also for a shard that is missing, [`InvalidFile`](Error::InvalidFile) of the file or of the index,
/// [`TensorNotFound`](Error::TensorNotFound) with the names that are there, [`UnsuitableTensor`](Error::UnsuitableTensor) for another type or number of dimensions,
/// [`Empty`](Error::Empty), [`VocabularyTooLarge`](Error::VocabularyTooLarge).
///
/// # Examples
///
/// ```
/// use factorized_embedding::{Embedding, io::safetensors::load_table};
///
/// # fn main() -> factorized_embedding::Result<()> {
/// let glove = load_table("examples/data/glove50-top10k-f16.safetensors", "weight")?;
/// assert_eq!((glove.vocab_size(), glove.dim()), (10_000, 50));
/// # Ok(())
/// # }
/// ```
pub fn load_table(path: impl AsRef<Path>, name: &str) -> Result<DenseEmbedding<'static>> {
    let path = index::file_of(path.as_ref(), name)?;
    let file = File::open(&path)?;
    let tensor = file.tensor(name)?;
    let (Some(dtype), &[vocab_size, dim]) = (table_dtype(tensor), tensor.shape.as_slice()) else {
        return Err(file.unsuitable(name, tensor, TABLE));
    };
    DenseEmbedding::from_bytes(file.mapped(tensor), dtype, [vocab_size, dim])
}
