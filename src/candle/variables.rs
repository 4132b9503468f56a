//! Factors among the variables of a model.

use candle_core::{DType, Device, Result, Tensor, Var, bail};
use candle_nn::{VarBuilder, VarMap};
use ndarray::{Array1, ArrayView1};

use super::tensors::{to_array, to_tensor};
use crate::{Factors, Shape};

/// Factors that a model's variables or a checkpoint hold: `u` \[`vocab_size`, rank\] and `v` \[rank, dim\], `diagonal` \[rank\]
/// and `bias` \[dim\] where they are there, below the prefix of the builder.
///
/// Numbers are copied, in `f32`.
///
/// # Errors
/// [`NonFinite`](crate::Error::NonFinite), [`Empty`](crate::Error::Empty), in candle's error; those of candle for tensors that are
/// not there or of another shape.
///
/// # Examples
///
/// ```
/// use candle_core::{DType, Device};
/// use candle_nn::{VarBuilder, VarMap};
/// use factorized_embedding::{
///     Factors,
///     candle::{factors_from_builder, factors_to_variables},
/// };
/// use ndarray::array;
///
/// # fn main() -> candle_core::Result<()> {
/// let factors = Factors::new(array![[1.0], [2.0]], array![[3.0, 4.0, 5.0]])?;
/// let variables = VarMap::new();
/// factors_to_variables(&factors, &variables, "token")?; // token.u, token.v
/// let builder = VarBuilder::from_varmap(&variables, DType::F32, &Device::Cpu);
/// assert_eq!(factors_from_builder(factors.shape(), &builder.pp("token"))?, factors);
/// # Ok(())
/// # }
/// ```
pub fn factors_from_builder(shape: Shape, builder: &VarBuilder<'_>) -> Result<Factors> {
    let Shape { vocab_size, rank, dim } = shape;
    // A `VarMap` would make what it does not have.
    if let Some(missing) = ["u", "v"].into_iter().find(|name| !builder.contains_tensor(name)) {
        bail!("there is no tensor {missing} below “{}”", builder.prefix());
    }
    let vector = |name: &str, len: usize| -> Result<Option<Array1<f32>>> {
        if !builder.contains_tensor(name) {
            return Ok(None);
        }
        Ok(Some(builder.get(len, name)?.to_dtype(DType::F32)?.to_vec1::<f32>()?.into()))
    };
    let (diagonal, bias) = (vector("diagonal", rank)?, vector("bias", dim)?);
    let u = to_array(&builder.get((vocab_size, rank), "u")?)?;
    let mut factors = Factors::new(u, to_array(&builder.get((rank, dim), "v")?)?)?;
    if let Some(diagonal) = diagonal {
        factors = factors.with_diagonal(diagonal)?;
    }
    if let Some(bias) = bias {
        factors = factors.with_bias(bias)?;
    }
    Ok(factors)
}

/// Factors as variables, by the names that [`factors_from_builder`] reads, below a prefix: to be saved with those of a model.
/// An optimizer of candle's that is made of them would train them whole, with moments of \[`vocab_size`, rank\] numbers.
///
/// Variables that are there already, of the same shapes, get the new numbers; the others are made, in `f32` on the CPU. A
/// `diagonal` or `bias` that is there and that the factors do not have is removed.
///
/// # Errors
/// Those of candle for a variable of another shape; nothing is changed then.
///
/// # Examples
///
/// See [`factors_from_builder`].
pub fn factors_to_variables(factors: &Factors, variables: &VarMap, prefix: &str) -> Result<()> {
    let vector = |numbers: ArrayView1<'_, f32>| Tensor::from_iter(numbers.iter().copied(), &Device::Cpu);
    let factors = factors.to_f32();
    let parts = [
        ("u", Some(to_tensor(factors.u().view())?)),
        ("diagonal", factors.diagonal().map(vector).transpose()?),
        ("v", Some(to_tensor(factors.v())?)),
        ("bias", factors.bias().map(vector).transpose()?),
    ];
    let parts =
        parts.map(|(name, part)| (if prefix.is_empty() { name.to_owned() } else { format!("{prefix}.{name}") }, part));
    let mut variables = variables.data().lock().map_err(candle_core::Error::msg)?;
    for (name, part) in &parts {
        if let (Some(part), Some(variable)) = (part, variables.get(name))
            && part.shape() != variable.shape()
        {
            bail!("the variable {name} has shape {:?}, expected {:?}", variable.shape(), part.shape());
        }
    }
    for (name, part) in parts {
        match (part, variables.get(&name)) {
            (Some(part), Some(variable)) => {
                variable.set(&part.to_dtype(variable.dtype())?.to_device(variable.device())?)?;
            }
            (Some(part), None) => {
                variables.insert(name, Var::from_tensor(&part)?);
            }
            (None, _) => {
                variables.remove(&name);
            }
        }
    }
    Ok(())
}
