//! What is remembered of factors that are made anew.

use ndarray::{ArrayD, ArrayViewD};

use super::OptimizerState;
use crate::train::{Optimizer, optimizer::part::Part};

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

    /// Whether squares of gradients are remembered.
    pub(in crate::train::optimizer) fn has_squares(&self) -> bool {
        self.rule.slots().iter().any(|slot| slot.squares)
    }

    /// Forgets all about a part.
    pub(in crate::train::optimizer) fn forget(&mut self, part: &Part) {
        self.parts.remove(part.name);
    }

    /// The momentum of a part, if the rule has momentum and the part has made a step.
    pub(in crate::train::optimizer) fn momentum(&self, part: &Part) -> Option<ArrayViewD<'_, f32>> {
        match self.rule {
            Optimizer::Sgd { .. } => self.parts.get(part.name)?.slots.first().map(|momentum| momentum.view()),
            _ => None,
        }
    }

    /// Another momentum in the place of the one that there is, if there is one.
    pub(in crate::train::optimizer) fn set_momentum(&mut self, part: &Part, momentum: ArrayD<f32>) {
        let state = self.parts.get_mut(part.name);
        if let Some(old) = state.and_then(|state| state.slots.first_mut()) {
            *old = momentum;
        }
    }
}
