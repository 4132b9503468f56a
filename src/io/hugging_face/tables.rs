//! Tables of a checkpoint, however they are stored.

use ndarray::{Array2, ArrayD, IxDyn};
use safetensors::{Dtype as FileDtype, tensor::TensorInfo};

use super::{
    Checkpoint,
    names::{PATCHES, POSITIONS},
    stored::{self, Stored},
};
use crate::{
    DenseEmbedding, Dtype, Embedding, FactorizedEmbedding, Factors, QuantizedEmbedding, QuantizedFactors, Result,
    embedding::check,
    io::safetensors::{File, SafetensorsRows, table_dtype, tensors::FACTORS},
    rows::widen,
};

/// What can be read as a table.
const TABLE: &str = "F32, F16, BF16 or I8 [vocab_size, dim] or [1, vocab_size, dim]";
const PATCH_PROJECTION: &str = "F32, F16 or BF16 [hidden, channels, height, width]";

impl Checkpoint {
    /// A table as a layer, whatever it is kept as: [dense](Self::table), [factors](Self::factors) or
    /// [codes](Self::quantized).
    ///
    /// # Errors
    /// Those of the method for what it is kept as; [`TensorNotFound`](crate::Error::TensorNotFound).
    pub fn embedding(&self, name: &str) -> Result<Box<dyn Embedding>> {
        match self.stored(name) {
            None => Ok(Box::new(self.table(name)?)),
            Some(Stored::Factors) => Ok(Box::new(FactorizedEmbedding::new(self.factors(name)?))),
            Some(Stored::Codes) => Ok(Box::new(QuantizedEmbedding::new(self.quantized(name)?))),
        }
    }

    /// Maps a tensor as a table; its numbers stay in the file as they are.
    ///
    /// # Shapes
    /// The tensor is \[`vocab_size`, dim\], or \[1, `vocab_size`, dim\] as position embeddings of vision transformers are.
    ///
    /// # Errors
    /// [`TensorNotFound`](crate::Error::TensorNotFound), [`CompressedTable`](crate::Error::CompressedTable) for one that is kept as factors
    /// or codes, [`UnsuitableTensor`](crate::Error::UnsuitableTensor), [`Empty`](crate::Error::Empty),
    /// [`VocabularyTooLarge`](crate::Error::VocabularyTooLarge), [`Io`](crate::Error::Io).
    pub fn table(&self, name: &str) -> Result<DenseEmbedding<'static>> {
        let file = self.file_of(name)?;
        let tensor = file.tensor(name)?;
        let (Some(dtype), Some(shape)) = (table_dtype(tensor), matrix_shape(&tensor.shape)) else {
            return Err(file.unsuitable(name, tensor, TABLE));
        };
        DenseEmbedding::from_bytes(file.mapped(tensor), dtype, shape)
    }

    /// A table that is read in blocks of rows, to decompose or quantize it without having it in memory.
    ///
    /// # Shapes
    /// Those of [`table`](Self::table).
    ///
    /// # Errors
    /// Those of [`table`](Self::table), and [`TableTooLarge`](crate::Error::TableTooLarge).
    pub fn rows(&self, name: &str) -> Result<SafetensorsRows> {
        SafetensorsRows::of_file(&self.shards[self.shard_of(name)?].path, name, matrix_shape, TABLE)
    }

    /// The factors that a table is kept as.
    ///
    /// # Errors
    /// [`TensorNotFound`](crate::Error::TensorNotFound) where no table of this name is kept as factors, and those of
    /// [`load_factors`](crate::io::safetensors::load_factors).
    pub fn factors(&self, name: &str) -> Result<Factors> {
        self.parts_of(name)?.checked_factors()
    }

    /// The codes that a table is kept as. They stay in the [mapped](crate::io::safetensors#memory-maps) file.
    ///
    /// # Errors
    /// [`TensorNotFound`](crate::Error::TensorNotFound) where no table of this name is kept as codes, and those of
    /// [`load_quantized`](crate::io::safetensors::load_quantized).
    pub fn quantized(&self, name: &str) -> Result<QuantizedFactors> {
        self.parts_of(name)?.checked_quantized()
    }

    /// Any tensor of floating-point numbers, read into memory and widened: a position table, a bias, the weight of a
    /// normalisation.
    ///
    /// # Errors
    /// [`TensorNotFound`](crate::Error::TensorNotFound), [`CompressedTable`](crate::Error::CompressedTable),
    /// [`UnsuitableTensor`](crate::Error::UnsuitableTensor) for numbers of another type, [`Io`](crate::Error::Io).
    pub fn array(&self, name: &str) -> Result<ArrayD<f32>> {
        let file = self.file_of(name)?;
        widened(&file, name, file.tensor(name)?, "F32, F16 or BF16")
    }

    /// The patch projection of a vision transformer as a table for
    /// [soft lookups](Embedding::soft_lookup): the pixels of a patch are the weights of its rows.
    ///
    /// Pixels come channel by channel, and row by row within: \[channels, height, width\], as the convolution reads them. Its
    /// bias, a tensor of its own, is to be added.
    ///
    /// # Shapes
    /// \[hidden, channels, height, width\] in the file → \[channels · height · width, hidden\]
    ///
    /// # Errors
    /// [`TensorNotFound`](crate::Error::TensorNotFound), [`UnsuitableTensor`](crate::Error::UnsuitableTensor), [`Empty`](crate::Error::Empty),
    /// [`NonFinite`](crate::Error::NonFinite), [`Io`](crate::Error::Io).
    pub fn patch_table(&self) -> Result<Array2<f32>> {
        let name = self.first_of(PATCHES);
        let file = self.file_of(name)?;
        let tensor = file.tensor(name)?;
        let &[hidden, channels, height, width] = tensor.shape.as_slice() else {
            return Err(file.unsuitable(name, tensor, PATCH_PROJECTION));
        };
        let kernels = widened(&file, name, tensor, PATCH_PROJECTION)?;
        // No product overflows: the tensor lies within its file. But for one of no numbers.
        check::table("patch projection [hidden, channels · height · width]", [hidden, kernels.len() / hidden.max(1)])?;
        let flat = kernels.into_shape_with_order((hidden, channels * height * width));
        let table = flat.map_err(|_| file.unsuitable(name, tensor, PATCH_PROJECTION))?.reversed_axes();
        check::finite("patch projection [channels · height · width, hidden]", &table)?;
        Ok(table.as_standard_layout().into_owned())
    }

    /// The position embeddings of a vision transformer, mapped: a row for the class token, then one for each patch.
    ///
    /// # Shapes
    /// \[1, n, hidden\] in the file → \[n, hidden\]
    ///
    /// # Errors
    /// Those of [`table`](Self::table).
    pub fn position_table(&self) -> Result<DenseEmbedding<'static>> {
        self.table(self.first_of(POSITIONS))
    }

    /// The first name that there is a tensor of, or else the first.
    fn first_of(&self, names: [&'static str; 2]) -> &'static str {
        names.into_iter().find(|name| self.has(name)).unwrap_or(names[0])
    }

    /// What a table is kept as; nothing where it is dense, or not there.
    pub(super) fn stored(&self, name: &str) -> Option<Stored> {
        if self.has(name) {
            return None;
        }
        let format = self.shards[*self.compressed.get(name)?].header.metadata.get(&stored::key(name, "format"))?;
        Some(if format == FACTORS.name { Stored::Factors } else { Stored::Codes })
    }

    /// The file of the parts of a table.
    fn parts_of(&self, name: &str) -> Result<File> {
        match self.compressed.get(name).filter(|_| !self.has(name)) {
            Some(&shard) => Ok(File::open(&self.shards[shard].path)?.behind(stored::key(name, ""))),
            None => Err(self.not_found(name)),
        }
    }

    /// Of a table that is dense, or of the one that there was.
    pub(super) fn shape_and_dtype(&self, name: &str) -> Result<([usize; 2], Dtype)> {
        let Some(info) = self.info(name) else {
            let original = self.original(name)?;
            return Ok((original.matrix, original.dtype));
        };
        match (matrix_shape(&info.shape), table_dtype(info)) {
            (Some(shape), Some(dtype)) => Ok((shape, dtype)),
            _ => Err(self.file_of(name)?.unsuitable(name, info, TABLE)),
        }
    }
}

/// Rows and columns of a tensor that is a table.
pub(super) fn matrix_shape(shape: &[usize]) -> Option<[usize; 2]> {
    match *shape {
        [vocab_size, dim] | [1, vocab_size, dim] => Some([vocab_size, dim]),
        _ => None,
    }
}

/// The numbers of a tensor, no more than the file has.
pub(super) fn widened(file: &File, name: &str, tensor: &TensorInfo, expected: &'static str) -> Result<ArrayD<f32>> {
    let unsuitable = || file.unsuitable(name, tensor, expected);
    let dtype = table_dtype(tensor).filter(|_| tensor.dtype != FileDtype::I8).ok_or_else(unsuitable)?;
    let bytes = file.bytes(tensor);
    let mut numbers = vec![0.0; bytes.len() / dtype.size()];
    widen(bytes, dtype, &mut numbers);
    ArrayD::from_shape_vec(IxDyn(&tensor.shape), numbers).map_err(|_| unsuitable())
}
