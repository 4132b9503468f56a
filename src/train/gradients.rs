//! What is done with gradients between the backward pass and the step: norms, clipping, sums over micro-batches.

use ndarray::{Array, Dimension};

use super::{FactorGradients, RowGradient};
use crate::{Error, Result, TokenId, embedding::check};

/// Gradients of a layer, or of an array of the model's own.
///
/// # Examples
///
/// ```
/// use factorized_embedding::train::{Gradients, clip_global_norm};
/// use ndarray::array;
///
/// # fn main() -> factorized_embedding::Result<()> {
/// let (mut weight, mut bias) = (array![[3.0_f32, 0.0]], array![4.0_f32]);
/// let norm = clip_global_norm(&mut [&mut weight, &mut bias], 1.0)?;
/// assert_eq!(norm, 5.0);
/// assert!((weight.squared_norm() + bias.squared_norm() - 1.0).abs() < 1e-5);
/// # Ok(())
/// # }
/// ```
pub trait Gradients {
    /// Σ g² over all numbers, in `f64`.
    #[must_use]
    fn squared_norm(&self) -> f64;

    /// Bytes of the numbers, and of the ids of sparse rows.
    #[must_use]
    fn size_in_bytes(&self) -> usize;

    /// Multiplies every number.
    fn scale(&mut self, factor: f32);

    /// All numbers are finite.
    ///
    /// # Errors
    /// [`NonFinite`](Error::NonFinite).
    fn check_finite(&self) -> Result<()>;

    /// Other gradients of the same parameters could be added.
    ///
    /// # Errors
    /// Those of [`add`](Self::add).
    fn check_addable(&self, other: &Self) -> Result<()>
    where
        Self: Sized;

    /// Adds other gradients of the same parameters, as those of another micro-batch. Of sparse rows, those of either
    /// are there afterwards.
    ///
    /// # Errors
    /// [`ShapeMismatch`](Error::ShapeMismatch), [`IdOutOfRange`](Error::IdOutOfRange) for a row that the gradient of
    /// all rows does not have, [`MissingGradient`](Error::MissingGradient) where a part is frozen in one of them only.
    fn add(&mut self, other: &Self) -> Result<()>
    where
        Self: Sized;

    /// √Σ g² over all numbers: the global norm.
    #[must_use]
    fn global_norm(&self) -> f64 {
        self.squared_norm().sqrt()
    }

    /// Scales all numbers so that their global norm is no more than `max_norm`: [`clip_global_norm`] of these gradients
    /// alone. Returns the norm before.
    ///
    /// # Errors
    /// Those of [`clip_global_norm`].
    fn clip_global_norm(&mut self, max_norm: f64) -> Result<f64>
    where
        Self: Sized,
    {
        clip_global_norm(&mut [self], max_norm)
    }
}

/// Scales all gradients of a model together, so that their global norm is no more than `max_norm` (Pascanu, Mikolov &
/// Bengio 2013, algorithm 1): by `max_norm` / (norm + 10⁻⁶) where that is less than 1, as PyTorch's `clip_grad_norm_`
/// does. Returns the norm before.
///
/// # Errors
/// [`InvalidSetting`](Error::InvalidSetting) for a `max_norm` that is not positive, [`NonFinite`](Error::NonFinite)
/// where a number is not finite; nothing is scaled then.
pub fn clip_global_norm(gradients: &mut [&mut dyn Gradients], max_norm: f64) -> Result<f64> {
    let norm = gradients.iter().map(|part| part.squared_norm()).sum::<f64>().sqrt();
    let factor = clip_factor(norm, max_norm)?;
    if !norm.is_finite() {
        gradients.iter().try_for_each(|part| part.check_finite())?;
    }
    if factor < 1.0 {
        gradients.iter_mut().for_each(|part| part.scale(factor as f32));
    }
    Ok(norm)
}

/// What gradients of this global norm are multiplied with, where it is less than 1.
///
/// # Errors
/// [`InvalidSetting`](Error::InvalidSetting) for a `max_norm` that is not positive.
pub(crate) fn clip_factor(norm: f64, max_norm: f64) -> Result<f64> {
    const EPSILON: f64 = 1e-6;
    if max_norm.is_nan() || max_norm <= 0.0 {
        return Err(Error::InvalidSetting { name: "max_norm", value: max_norm, expected: "a positive number" });
    }
    Ok(max_norm / (norm + EPSILON))
}

impl<D: Dimension> Gradients for Array<f32, D> {
    fn squared_norm(&self) -> f64 {
        match self.as_slice_memory_order() {
            Some(numbers) => squared_norm(numbers),
            None => self.iter().map(|&number| f64::from(number) * f64::from(number)).sum(),
        }
    }

    fn size_in_bytes(&self) -> usize {
        self.len() * size_of::<f32>()
    }

    fn scale(&mut self, factor: f32) {
        *self *= factor;
    }

    fn check_finite(&self) -> Result<()> {
        check::finite("gradient", self)
    }

    fn check_addable(&self, other: &Self) -> Result<()> {
        if self.shape() == other.shape() {
            return Ok(());
        }
        let (expected, actual) = (self.shape().to_vec(), other.shape().to_vec());
        Err(Error::ShapeMismatch { what: "added gradient", expected, actual })
    }

    fn add(&mut self, other: &Self) -> Result<()> {
        self.check_addable(other)?;
        *self += other;
        Ok(())
    }
}

/// Every eighth number adds to a sum of its own, so that they are added side by side.
fn squared_norm(numbers: &[f32]) -> f64 {
    let mut sums = [0.0_f64; 8];
    let (chunks, rest) = numbers.as_chunks::<8>();
    for chunk in chunks {
        sums.iter_mut().zip(chunk).for_each(|(sum, &number)| *sum += f64::from(number) * f64::from(number));
    }
    sums.iter_mut().zip(rest).for_each(|(sum, &number)| *sum += f64::from(number) * f64::from(number));
    sums.iter().sum()
}

impl Gradients for RowGradient {
    fn squared_norm(&self) -> f64 {
        self.values.squared_norm()
    }

    fn size_in_bytes(&self) -> usize {
        self.values.size_in_bytes() + self.ids.as_ref().map_or(0, Vec::len) * size_of::<TokenId>()
    }

    fn scale(&mut self, factor: f32) {
        self.values.scale(factor);
    }

    fn check_finite(&self) -> Result<()> {
        check::finite("gradient [k, width]", &self.values)
    }

    fn check_addable(&self, other: &Self) -> Result<()> {
        check::columns("added gradient [k, width]", other.values.view(), self.values.ncols())?;
        match (&self.ids, &other.ids) {
            (None, None) => self.values.check_addable(&other.values),
            (None, Some(ids)) => check::ids(ids, self.values.nrows()),
            (Some(ids), None) => check::ids(ids, other.values.nrows()),
            (Some(_), Some(_)) => Ok(()),
        }
    }

    fn add(&mut self, other: &Self) -> Result<()> {
        self.check_addable(other)?;
        self.merge(other);
        Ok(())
    }
}

impl Gradients for FactorGradients {
    fn squared_norm(&self) -> f64 {
        let Self { u, diagonal, v, bias } = self;
        let parts = [norm_of(u), norm_of(diagonal), norm_of(v), norm_of(bias)];
        parts.iter().sum()
    }

    fn size_in_bytes(&self) -> usize {
        let Self { u, diagonal, v, bias } = self;
        let parts = [size_of_part(u), size_of_part(diagonal), size_of_part(v), size_of_part(bias)];
        parts.iter().sum()
    }

    fn scale(&mut self, factor: f32) {
        let Self { u, diagonal, v, bias } = self;
        u.iter_mut().for_each(|u| u.scale(factor));
        v.iter_mut().for_each(|v| v.scale(factor));
        [diagonal, bias].into_iter().flatten().for_each(|vector| vector.scale(factor));
    }

    fn check_finite(&self) -> Result<()> {
        let Self { u, diagonal, v, bias } = self;
        u.iter().try_for_each(|u| check::finite("gradient of u [k, rank]", &u.values))?;
        diagonal.iter().try_for_each(|diagonal| check::finite("gradient of diagonal [rank]", diagonal))?;
        v.iter().try_for_each(|v| check::finite("gradient of v [rank, dim]", v))?;
        bias.iter().try_for_each(|bias| check::finite("gradient of bias [dim]", bias))
    }

    fn check_addable(&self, other: &Self) -> Result<()> {
        check_part("u", &self.u, &other.u)?;
        check_part("diagonal", &self.diagonal, &other.diagonal)?;
        check_part("v", &self.v, &other.v)?;
        check_part("bias", &self.bias, &other.bias)
    }

    fn add(&mut self, other: &Self) -> Result<()> {
        self.check_addable(other)?;
        add_part(&mut self.u, &other.u)?;
        add_part(&mut self.diagonal, &other.diagonal)?;
        add_part(&mut self.v, &other.v)?;
        add_part(&mut self.bias, &other.bias)
    }
}

fn norm_of(part: &Option<impl Gradients>) -> f64 {
    part.as_ref().map_or(0.0, Gradients::squared_norm)
}

fn size_of_part(part: &Option<impl Gradients>) -> usize {
    part.as_ref().map_or(0, Gradients::size_in_bytes)
}

fn check_part<G: Gradients>(what: &'static str, part: &Option<G>, other: &Option<G>) -> Result<()> {
    match (part, other) {
        (Some(part), Some(other)) => part.check_addable(other),
        (None, None) => Ok(()),
        _ => Err(Error::MissingGradient { what }),
    }
}

fn add_part<G: Gradients>(part: &mut Option<G>, other: &Option<G>) -> Result<()> {
    part.as_mut().zip(other.as_ref()).map_or(Ok(()), |(part, other)| part.add(other))
}
