//! The tensors of a checkpoint, for candle's modules to take.

use candle_core::{DType, Device, Result, Shape, Tensor, bail};
use candle_nn::{Init, VarBuilder, var_builder::SimpleBackend};
use factorized_embedding::io::hugging_face::Checkpoint;

struct Weights<'a>(&'a Checkpoint);

/// In one file or several, of 32 or 16 bits: as `f32`.
pub(crate) fn builder(checkpoint: &Checkpoint) -> VarBuilder<'_> {
    VarBuilder::from_backend(Box::new(Weights(checkpoint)), DType::F32, Device::Cpu)
}

impl SimpleBackend for Weights<'_> {
    fn get(&self, shape: Shape, name: &str, _: Init, dtype: DType, device: &Device) -> Result<Tensor> {
        let tensor = self.get_unchecked(name, dtype, device)?;
        if *tensor.shape() != shape {
            bail!("{name} has shape {:?}, expected {:?} by config.json", tensor.dims(), shape.dims());
        }
        Ok(tensor)
    }

    fn get_unchecked(&self, name: &str, dtype: DType, device: &Device) -> Result<Tensor> {
        let array = self.0.array(name)?;
        let shape = array.shape().to_vec();
        Tensor::from_vec(array.into_iter().collect(), shape, device)?.to_dtype(dtype)
    }

    fn contains_tensor(&self, name: &str) -> bool {
        self.0.tensors().any(|(known, _)| known == name)
    }
}
