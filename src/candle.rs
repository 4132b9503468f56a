//! The bridge to [candle](https://docs.rs/candle-core): layers among the modules of a model, and inside its autograd.
//!
//! Every layer of this crate is a [`Module`](candle_nn::Module): ids of any shape give vectors of one dimension more,
//! computed by the kernels of this crate from the layer as it stands. Nothing is copied but the vectors.
//!
//! To be trained, a layer goes into an [`AutogradEmbedding`], which candle's `backward` hands ∂L/∂out to. It makes gradients of
//! the rows that were used (of all rows for a head with a softmax), which an optimizer of [`train`](crate::train) follows:
//! candle holds no variable of the table, and of its gradients only those of a fused cross-entropy, until `backward`. The rest of
//! the model has candle's variables, and an optimizer of candle's.
//!
//! Everything is computed on the CPU, in `f32`: what is given in another floating point type or on another device is brought
//! there, gradients go back as candle does it, and outputs are `f32` on the device of what they were made of. Calls return
//! candle's errors, which show those of this crate.
//!
//! # Examples
//!
//! A model of one layer learns to tell two words from their neighbours:
//!
//! ```
//! use candle_core::{DType, Device, Tensor};
//! use candle_nn::{Linear, Module, Optimizer as _, SGD, VarBuilder, VarMap, loss};
//! use factorized_embedding::{
//!     FactorizedEmbedding, Shape,
//!     candle::AutogradEmbedding,
//!     train::{FactorOptimizer, Optimizer},
//! };
//!
//! # fn main() -> candle_core::Result<()> {
//! # let mut rng = <rand::rngs::ChaCha8Rng as rand::SeedableRng>::seed_from_u64(1);
//! let shape = Shape { vocab_size: 10, rank: 2, dim: 8 };
//! let layer = FactorizedEmbedding::random(shape, 0.5, &mut rng)?;
//! let embedding = AutogradEmbedding::new(layer, FactorOptimizer::new(Optimizer::adam())?)?;
//!
//! let variables = VarMap::new();
//! let builder = VarBuilder::from_varmap(&variables, DType::F32, &Device::Cpu);
//! let classifier: Linear = candle_nn::linear(8, 2, builder)?;
//! let mut optimizer = SGD::new(variables.all_vars(), 0.1)?;
//!
//! let (ids, classes) = (Tensor::new(&[3_u32, 7, 1, 4], &Device::Cpu)?, Tensor::new(&[0_u32, 0, 1, 1], &Device::Cpu)?);
//! let loss = || loss::cross_entropy(&classifier.forward(&embedding.forward(&ids)?)?, &classes);
//! let before = loss()?.to_scalar::<f32>()?;
//! for _ in 0..20 {
//!     optimizer.backward_step(&loss()?)?;
//!     let gradients = embedding.take_gradients().expect("the loss depends on the embedding");
//!     embedding.step(&gradients, 0.05)?;
//! }
//! assert!(loss()?.to_scalar::<f32>()? < before / 2.0);
//! # Ok(())
//! # }
//! ```

mod autograd;
mod clip;
mod link;
mod modules;
mod operations;
mod tensors;
mod variables;

pub use autograd::AutogradEmbedding;
pub use clip::clip_global_norm;
pub use link::LayerRef;
pub use modules::{logits, lookup};
pub use tensors::{to_array, to_tensor};
pub use variables::{factors_from_builder, factors_to_variables};
