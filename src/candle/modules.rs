//! Layers as modules: no gradients.

use candle_core::{Module, Result, Tensor};
use ndarray::Array2;

use super::tensors::{check_last, ids_of, prepared, with_last, with_matrix};
use crate::{BlockwiseEmbedding, DenseEmbedding, Embedding, FactorizedEmbedding, QuantizedEmbedding};

/// The vectors of ids of any shape, as one more dimension, on the device of the ids. What [`Module::forward`] of every layer does, for a
/// layer that is not known.
///
/// # Shapes
/// `ids` \[..\] of integers → \[.., dim\], `f32`
///
/// # Errors
/// [`IdOutOfRange`](crate::Error::IdOutOfRange), [`NotATokenId`](crate::Error::NotATokenId), in candle's error; those of candle.
///
/// # Examples
///
/// ```
/// use candle_core::{Device, Tensor};
/// use factorized_embedding::{DenseEmbedding, Embedding, candle};
/// use ndarray::array;
///
/// # fn main() -> candle_core::Result<()> {
/// let layer: Box<dyn Embedding> = Box::new(DenseEmbedding::new(array![[1.0, 2.0], [3.0, 4.0]])?);
/// let vectors = candle::lookup(&*layer, &Tensor::new(&[[1_u32, 0]], &Device::Cpu)?)?;
/// assert_eq!(vectors.to_vec3::<f32>()?, [[[3.0, 4.0], [1.0, 2.0]]]);
/// # Ok(())
/// # }
/// ```
pub fn lookup(layer: &dyn Embedding, ids: &Tensor) -> Result<Tensor> {
    let vectors = layer.lookup(&ids_of(ids)?)?;
    let shape = [ids.dims(), &[layer.dim()]].concat();
    to_device_of(ids, vectors, shape)
}

/// The logits of a tied head, without gradients.
///
/// # Shapes
/// `hidden` \[.., dim\] → \[.., `vocab_size`\], `f32`
///
/// # Errors
/// Those of candle, also for another last dimension.
///
/// # Examples
///
/// ```
/// use candle_core::{Device, Tensor};
/// use factorized_embedding::{DenseEmbedding, candle};
/// use ndarray::array;
///
/// # fn main() -> candle_core::Result<()> {
/// let layer = DenseEmbedding::new(array![[1.0, 2.0], [3.0, 4.0]])?;
/// let hidden = Tensor::new(&[[[1.0_f32, 0.0]], [[0.0, 1.0]]], &Device::Cpu)?; // [2, 1, dim]
/// assert_eq!(candle::logits(&layer, &hidden)?.to_vec3::<f32>()?, [[[1.0, 3.0]], [[2.0, 4.0]]]);
/// # Ok(())
/// # }
/// ```
pub fn logits(layer: &dyn Embedding, hidden: &Tensor) -> Result<Tensor> {
    check_last(hidden, layer.dim())?;
    let logits = with_matrix(&prepared(hidden)?, layer.dim(), |hidden| Ok(layer.logits(hidden)?))?;
    to_device_of(hidden, logits, with_last(hidden.dims(), layer.vocab_size()))
}

fn to_device_of(tensor: &Tensor, numbers: Array2<f32>, shape: Vec<usize>) -> Result<Tensor> {
    let (numbers, _) = numbers.into_raw_vec_and_offset();
    Tensor::from_vec(numbers, shape, tensor.device())
}

/// Ids of any shape \[..\] → vectors \[.., dim\]: see [`lookup`].
impl Module for DenseEmbedding<'_> {
    fn forward(&self, ids: &Tensor) -> Result<Tensor> {
        lookup(self, ids)
    }
}

/// Ids of any shape \[..\] → vectors \[.., dim\]: see [`lookup`].
impl Module for FactorizedEmbedding {
    fn forward(&self, ids: &Tensor) -> Result<Tensor> {
        lookup(self, ids)
    }
}

/// Ids of any shape \[..\] → vectors \[.., dim\]: see [`lookup`].
impl Module for BlockwiseEmbedding {
    fn forward(&self, ids: &Tensor) -> Result<Tensor> {
        lookup(self, ids)
    }
}

/// Ids of any shape \[..\] → vectors \[.., dim\]: see [`lookup`].
impl Module for QuantizedEmbedding {
    fn forward(&self, ids: &Tensor) -> Result<Tensor> {
        lookup(self, ids)
    }
}

/// Ids of any shape \[..\] → vectors \[.., dim\]: see [`lookup`].
impl Module for dyn Embedding + '_ {
    fn forward(&self, ids: &Tensor) -> Result<Tensor> {
        lookup(self, ids)
    }
}
