//! What is remembered of factors that are made anew, or grow.

#[cfg(feature = "decompose")]
use ndarray::{ArrayD, ArrayViewD};

use super::OptimizerState;
#[cfg(feature = "decompose")]
use crate::train::Optimizer;
use crate::train::optimizer::part::Part;
use crate::{Error, Result, embedding::check};

impl OptimizerState {
    /// Keeps what is remembered of the part of an array that it has in common with one of another shape; the rest of that is
    /// what a first step begins with.
    pub(in crate::train::optimizer) fn resize(&mut self, part: &Part, shape: &[usize]) {
        let Some(state) = self.parts.get_mut(part.name) else { return };
        for (slot, old) in self.rule.slots().into_iter().zip(&mut state.slots) {
            let mut new = slot.begin(shape);
            let common: Vec<usize> = old.shape().iter().zip(new.shape()).map(|(&old, &new)| old.min(new)).collect();
            let range = |axis: ndarray::AxisDescription| (..common[axis.axis.index()]).into();
            new.slice_each_axis_mut(range).assign(&old.slice_each_axis(range));
            *old = new;
        }
    }

    /// Keeps what is remembered of the rows of a matrix, and begins with more.
    ///
    /// # Errors
    /// [`ShapeMismatch`](Error::ShapeMismatch) for fewer rows, [`TableTooLarge`](Error::TableTooLarge).
    pub(in crate::train::optimizer) fn grow_rows(&mut self, part: &Part, rows: usize) -> Result<()> {
        let Some(state) = self.parts.get(part.name) else { return Ok(()) };
        let widest = state.slots.iter().map(|slot| slot.shape().to_vec()).max_by_key(Vec::len);
        let Some(mut shape) = widest else { return Ok(()) };
        let actual = shape.clone();
        shape[0] = rows;
        if rows < actual[0] {
            return Err(Error::ShapeMismatch { what: part.state, expected: shape, actual });
        }
        check::addressable(rows, shape.iter().skip(1).product())?;
        self.resize(part, &shape);
        Ok(())
    }

    /// Whether steps depend on how many there were before.
    #[cfg(feature = "decompose")]
    pub(in crate::train::optimizer) fn corrects_bias(&self) -> bool {
        matches!(self.rule, Optimizer::Adam { .. } | Optimizer::AdamW { .. })
    }

    /// Whether squares of gradients are remembered.
    #[cfg(feature = "decompose")]
    pub(in crate::train::optimizer) fn has_squares(&self) -> bool {
        self.rule.slots().iter().any(|slot| slot.squares)
    }

    /// Forgets all about a part.
    #[cfg(feature = "decompose")]
    pub(in crate::train::optimizer) fn forget(&mut self, part: &Part) {
        self.parts.remove(part.name);
    }

    /// The momentum of a part, if the rule has momentum and the part has made a step.
    #[cfg(feature = "decompose")]
    pub(in crate::train::optimizer) fn momentum(&self, part: &Part) -> Option<ArrayViewD<'_, f32>> {
        match self.rule {
            Optimizer::Sgd { .. } => self.parts.get(part.name)?.slots.first().map(|momentum| momentum.view()),
            _ => None,
        }
    }

    /// Another momentum in the place of the one that there is, if there is one.
    #[cfg(feature = "decompose")]
    pub(in crate::train::optimizer) fn set_momentum(&mut self, part: &Part, momentum: ArrayD<f32>) {
        let state = self.parts.get_mut(part.name);
        if let Some(old) = state.and_then(|state| state.slots.first_mut()) {
            *old = momentum;
        }
    }

    /// What is remembered of a part, and whether it is of squares; nothing before its first step.
    #[cfg(feature = "decompose")]
    pub(in crate::train::optimizer) fn remembered(
        &self,
        part: &Part,
    ) -> impl Iterator<Item = (bool, ArrayViewD<'_, f32>)> {
        let arrays = self.parts.get(part.name).into_iter().flat_map(|state| &state.slots);
        self.rule.slots().into_iter().zip(arrays).map(|(slot, array)| (slot.squares, array.view()))
    }

    /// Other arrays of the same shapes in the place of those that are remembered of a part.
    #[cfg(feature = "decompose")]
    pub(in crate::train::optimizer) fn replace(&mut self, part: &Part, arrays: Vec<ArrayD<f32>>) {
        let slots = self.parts.get_mut(part.name).into_iter().flat_map(|state| &mut state.slots);
        slots.zip(arrays).for_each(|(slot, array)| *slot = array);
    }
}
