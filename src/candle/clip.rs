//! One norm for all gradients of a model.

use candle_core::{DType, Result, Var, backprop::GradStore, bail};

use crate::train::{Gradients, clip_factor};

/// Scales the gradients of a model's variables and of its embeddings together, so that their global norm is no more than
/// `max_norm`: [`train::clip_global_norm`](crate::train::clip_global_norm) on both sides of the bridge. Returns the norm
/// before. Variables without a gradient have none afterwards.
///
/// # Errors
/// [`InvalidSetting`](crate::Error::InvalidSetting) for a `max_norm` that is not positive and
/// [`NonFinite`](crate::Error::NonFinite) for an embedding's gradient that is not finite, in candle's error; those of candle,
/// also for a variable's gradient that is not finite. Nothing is scaled then.
///
/// # Examples
///
/// ```
/// use candle_core::{Device, Module, Tensor, Var};
/// use factorized_embedding::{
///     DenseEmbedding,
///     candle::{AutogradEmbedding, clip_global_norm},
///     train::{Optimizer, TableOptimizer},
/// };
/// use ndarray::array;
///
/// # fn main() -> candle_core::Result<()> {
/// let layer = DenseEmbedding::new(array![[1.0], [2.0]])?;
/// let embedding = AutogradEmbedding::new(layer, TableOptimizer::new(Optimizer::sgd())?)?;
/// let weight = Var::new(&[[4.0_f32]], &Device::Cpu)?;
///
/// let vector = embedding.forward(&Tensor::new(&[1_u32], &Device::Cpu)?)?; // [[2.0]]
/// let mut store = vector.mul(&weight)?.sum_all()?.backward()?; // gradients: 4 of the vector, 2 of the weight
/// let mut gradient = embedding.take_gradients().expect("the output depends on the table");
/// let norm = clip_global_norm(&mut store, &[weight.clone()], &mut [&mut gradient], 1.0)?;
/// assert!((norm - 20.0_f64.sqrt()).abs() < 1e-6);
/// assert!((f64::from(gradient.values()[[0, 0]]) - 4.0 / norm).abs() < 1e-6);
/// # Ok(())
/// # }
/// ```
pub fn clip_global_norm(
    store: &mut GradStore,
    variables: &[Var],
    embeddings: &mut [&mut dyn Gradients],
    max_norm: f64,
) -> Result<f64> {
    let mut squares = embeddings.iter().map(|gradients| gradients.squared_norm()).sum::<f64>();
    for gradient in variables.iter().filter_map(|variable| store.get(variable)) {
        squares += gradient.to_dtype(DType::F64)?.sqr()?.sum_all()?.to_scalar::<f64>()?;
    }
    let norm = squares.sqrt();
    if !norm.is_finite() {
        embeddings.iter().try_for_each(|gradients| gradients.check_finite())?;
        bail!("the norm of the gradients of the variables is {norm}, expected a finite number");
    }
    let factor = clip_factor(norm, max_norm)?;
    if factor < 1.0 {
        let scaled = |variable: &Var| Some((variable.clone(), store.get(variable)? * factor));
        for (variable, gradient) in variables.iter().filter_map(scaled).collect::<Vec<_>>() {
            store.insert(&variable, gradient?);
        }
        embeddings.iter_mut().for_each(|gradients| gradients.scale(factor as f32));
    }
    Ok(norm)
}
