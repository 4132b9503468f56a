//! What optimizers remember as a file.

use std::path::Path;

use safetensors::Dtype as FileDtype;

use super::{
    File,
    tensors::{OPTIMIZER, Tensor, save_tensors},
};
use crate::{
    Result,
    train::{Optimizer, OptimizerState},
};

/// What stands before the name of an array in the name of its number of steps.
const STEPS: &str = "steps.";

/// Saves what an optimizer remembers: see [the format](crate::io::safetensors#format-of-optimizer-states).
///
/// Training goes on from the file bit for bit as it would have gone on without. As with
/// [`save_factors`](super::save_factors), the file is there whole or not at all, and the same state always gives the same bytes.
///
/// # Errors
/// [`Io`](crate::Error::Io), also where `path` is a folder or a device: what stood there before is then still there.
///
/// # Examples
///
/// ```
/// use factorized_embedding::{
///     io::safetensors::{load_optimizer, save_optimizer},
///     train::{ArrayOptimizer, Optimizer},
/// };
/// use ndarray::array;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("optimizer.safetensors");
/// let mut weight = array![1.0, 2.0];
/// let mut optimizer = ArrayOptimizer::new(Optimizer::adam())?;
/// optimizer.step(&mut weight, &array![0.5, 0.5], 0.1)?;
/// save_optimizer(&path, optimizer.state())?;
/// assert_eq!(ArrayOptimizer::from_state(load_optimizer(&path)?)?, optimizer);
/// # Ok(())
/// # }
/// ```
pub fn save_optimizer(path: impl AsRef<Path>, state: &OptimizerState) -> Result<()> {
    let (rule, settings) = state.rule().to_settings();
    let mut metadata = vec![("rule".to_owned(), rule.to_owned())];
    metadata.extend(settings.into_iter().map(|(name, value)| (name.to_owned(), value.to_string())));
    metadata.extend(state.steps().map(|(part, steps)| (format!("{STEPS}{part}"), steps.to_string())));
    let metadata: Vec<_> = metadata.iter().map(|(name, value)| (name.as_str(), value.clone())).collect();
    let tensors = state.tensors().map(|(name, numbers)| (name, Tensor::of(numbers))).collect();
    save_tensors(path.as_ref(), OPTIMIZER, &metadata, tensors)
}

/// Loads what [`save_optimizer`] wrote, bit for bit. Whether it is of the layer that is trained, the next step tells.
///
/// # Errors
/// [`Io`](crate::Error::Io), [`InvalidFile`](crate::Error::InvalidFile) also for a file of another format or of tensors that
/// are no such state, [`UnsupportedVersion`](crate::Error::UnsupportedVersion),
/// [`UnsuitableTensor`](crate::Error::UnsuitableTensor).
pub fn load_optimizer(path: impl AsRef<Path>) -> Result<OptimizerState> {
    let file = File::open(path.as_ref())?;
    file.check_format(OPTIMIZER)?;
    let name = file.text(OPTIMIZER, "rule")?;
    let rule = Optimizer::from_settings(name, |name| file.number(OPTIMIZER, name, 0.0..=f64::from(f32::MAX)))?;
    let rule =
        rule.ok_or_else(|| file.invalid(OPTIMIZER, format!("its metadata say rule {name:?}, which is unknown")))?;
    let parts = file.header.metadata.keys().filter_map(|name| Some((name, name.strip_prefix(STEPS)?)));
    let steps = parts.map(|(name, part)| Ok((part.to_owned(), file.number(OPTIMIZER, name, 1..=u64::MAX)?)));
    let steps = steps.collect::<Result<Vec<_>>>()?;
    let tensors = file.header.tensors.keys().map(|name| {
        let numbers = file.array(name, FileDtype::F32, f32::from_le_bytes, "F32")?;
        Ok((name.clone(), numbers))
    });
    let tensors = tensors.collect::<Result<Vec<_>>>()?;
    OptimizerState::from_tensors(rule, steps, tensors).map_err(|error| file.invalid(OPTIMIZER, error.to_string()))
}
