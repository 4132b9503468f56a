//! What an optimizer remembers.

mod changed;

use std::{collections::BTreeMap, fmt};

use ndarray::{ArrayD, ArrayViewD, IxDyn};

use super::{
    Momentum, Optimizer,
    arithmetic::Arithmetic,
    check_not_negative,
    part::{Change, Part, row_width},
};
use crate::{Error, Result, embedding::check, memory};

/// The rule of an optimizer and all that it remembers of the arrays that it has changed: tensors with names, and how many
/// steps each array has made.
///
/// A tensor is named by its array and what it is of it: `u.first_moment`. It has the shape of the array, or one number for each
/// row of it (`u.sum` \[`vocab_size`\] of [row-wise Adagrad](Optimizer::RowwiseAdagrad)). An array that has made no step yet has
/// none.
#[derive(Clone, PartialEq)]
pub struct OptimizerState {
    rule: Optimizer,
    parts: BTreeMap<String, PartState>,
}

/// What is remembered of one array.
#[derive(Clone, PartialEq)]
pub(crate) struct PartState {
    /// At least 1 once a step is made.
    steps: u64,
    /// As many as the rule has, row-major.
    slots: Vec<ArrayD<f32>>,
}

/// A kind of number that a rule remembers.
#[derive(Clone, Copy)]
pub(crate) struct Slot {
    pub(crate) name: &'static str,
    /// One for each row, instead of one for each parameter.
    by_row: bool,
    /// Sums and means of squares are not negative.
    squares: bool,
    initial: f32,
}

impl Optimizer {
    fn slots(self) -> Vec<Slot> {
        let slot = |name, squares| Slot { name, by_row: false, squares, initial: 0.0 };
        match self {
            Self::Sgd { momentum: Momentum::None } => vec![],
            Self::Sgd { .. } => vec![slot("momentum", false)],
            Self::Adagrad { initial_accumulator, .. } => {
                vec![Slot { initial: initial_accumulator as f32, ..slot("sum", true) }]
            }
            Self::RowwiseAdagrad { initial_accumulator, .. } => {
                vec![Slot { initial: initial_accumulator as f32, by_row: true, ..slot("sum", true) }]
            }
            Self::Adam { .. } | Self::AdamW { .. } => vec![slot("first_moment", false), slot("second_moment", true)],
        }
    }
}

impl Slot {
    fn shape(self, parameters: &[usize]) -> &[usize] {
        if self.by_row { &parameters[..parameters.len().min(1)] } else { parameters }
    }

    /// What a first step begins with.
    pub(super) fn begin(self, parameters: &[usize]) -> ArrayD<f32> {
        in_huge_pages(ArrayD::from_elem(IxDyn(self.shape(parameters)), self.initial))
    }

    fn check(self, name: &str, numbers: &ArrayD<f32>) -> Result<()> {
        check::finite("optimizer state", numbers)?;
        match numbers.iter().find(|&&number| self.squares && number < 0.0) {
            None => Ok(()),
            Some(number) => Err(invalid(format!("{name:?} holds {number}, which is no sum or mean of squares"))),
        }
    }
}

/// Steps read and write rows here and there. Zeros that no step has written to are no memory yet: faults for pages of single
/// rows took longer than the arithmetic of the first steps.
fn in_huge_pages(row_major: ArrayD<f32>) -> ArrayD<f32> {
    memory::prefer_huge_pages(row_major.as_slice().unwrap_or_default());
    row_major
}

fn invalid(reason: String) -> Error {
    Error::InvalidOptimizerState { reason }
}

impl PartState {
    /// Numbers that a row has in each slot.
    pub(super) fn row_widths(&self) -> [usize; 2] {
        [0, 1].map(|slot| self.slots.get(slot).map_or(0, |slot| row_width(slot.shape())))
    }

    pub(super) fn slots_mut(&mut self) -> [&mut [f32]; 2] {
        let mut slots = self.slots.iter_mut().map(|slot| slot.as_slice_mut().unwrap_or_default());
        [slots.next().unwrap_or_default(), slots.next().unwrap_or_default()]
    }
}

impl OptimizerState {
    /// Nothing remembered yet.
    ///
    /// # Errors
    /// [`InvalidSetting`](Error::InvalidSetting).
    pub(super) fn new(rule: Optimizer) -> Result<Self> {
        rule.check()?;
        Ok(Self { rule, parts: BTreeMap::new() })
    }

    /// A state that was [taken apart](Self::tensors).
    ///
    /// # Errors
    /// [`InvalidSetting`](Error::InvalidSetting) of the rule, [`InvalidOptimizerState`](Error::InvalidOptimizerState) for
    /// arrays of no steps, tensors that are missing, too many, of different shapes, or of negative squares,
    /// [`NonFinite`](Error::NonFinite).
    pub fn from_tensors(
        rule: Optimizer,
        steps: impl IntoIterator<Item = (String, u64)>,
        tensors: impl IntoIterator<Item = (String, ArrayD<f32>)>,
    ) -> Result<Self> {
        let Self { rule, mut parts } = Self::new(rule)?;
        let mut named = BTreeMap::new();
        for (name, numbers) in tensors {
            if named.contains_key(&name) {
                return Err(invalid(format!("the tensor {name:?} is there twice")));
            }
            named.insert(name, numbers);
        }
        for (part, steps) in steps {
            if steps == 0 {
                return Err(invalid(format!("{part:?} has made no steps")));
            }
            let take = |slot: Slot| {
                let name = format!("{part}.{}", slot.name);
                let numbers = named.remove(&name).ok_or_else(|| invalid(format!("there is no tensor {name:?}")))?;
                slot.check(&name, &numbers)?;
                let row_major = numbers.is_standard_layout();
                Ok(in_huge_pages(if row_major { numbers } else { numbers.as_standard_layout().into_owned() }))
            };
            let slots = rule.slots().into_iter().map(take).collect::<Result<Vec<_>>>()?;
            if let Some(shapes) = slots.windows(2).find(|pair| pair[0].shape() != pair[1].shape()) {
                let [one, other] = [shapes[0].shape(), shapes[1].shape()];
                return Err(invalid(format!("the tensors of {part:?} have shapes {one:?} and {other:?}")));
            }
            if parts.contains_key(&part) {
                return Err(invalid(format!("the steps of {part:?} are there twice")));
            }
            parts.insert(part, PartState { steps, slots });
        }
        match named.keys().next() {
            None => Ok(Self { rule, parts }),
            Some(name) => Err(invalid(format!("the tensor {name:?} is of no array that has made steps by this rule"))),
        }
    }

    /// The same if it is of no other arrays than these.
    ///
    /// # Errors
    /// [`InvalidOptimizerState`](Error::InvalidOptimizerState).
    pub(super) fn of_parts(self, parts: &[&Part]) -> Result<Self> {
        for (name, state) in &self.parts {
            let Some(part) = parts.iter().find(|part| part.name == name) else {
                let names: Vec<&str> = parts.iter().map(|part| part.name).collect();
                return Err(invalid(format!("it is of {name:?}, expected {names:?}")));
            };
            let Some(num_dimensions) = part.num_dimensions else { continue };
            for (slot, numbers) in self.rule.slots().into_iter().zip(&state.slots) {
                let expected = if slot.by_row { 1 } else { num_dimensions };
                if numbers.ndim() != expected {
                    let (kind, shape) = (slot.name, numbers.shape());
                    return Err(invalid(format!(
                        "\"{name}.{kind}\" has shape {shape:?}, expected {expected} dimension(s)"
                    )));
                }
            }
        }
        Ok(self)
    }

    /// The rule and its settings.
    #[must_use]
    pub fn rule(&self) -> Optimizer {
        self.rule
    }

    /// All tensors with their names, in the order of the names of their arrays.
    pub fn tensors(&self) -> impl Iterator<Item = (String, ArrayViewD<'_, f32>)> {
        let slots = self.rule.slots();
        self.parts.iter().flat_map(move |(part, state)| {
            let names: Vec<String> = slots.iter().map(|slot| format!("{part}.{}", slot.name)).collect();
            names.into_iter().zip(state.slots.iter().map(|numbers| numbers.view()))
        })
    }

    /// The arrays that have made a step, and how many each has made.
    pub fn steps(&self) -> impl Iterator<Item = (&str, u64)> {
        self.parts.iter().map(|(part, state)| (part.as_str(), state.steps))
    }

    /// Bytes of all tensors.
    #[must_use]
    pub fn size_in_bytes(&self) -> usize {
        self.parts.values().flat_map(|part| &part.slots).map(|slot| slot.len() * size_of::<f32>()).sum()
    }

    /// Makes a step of all of these arrays, or of none.
    ///
    /// # Errors
    /// [`InvalidSetting`](Error::InvalidSetting) of the learning rate, [`ShapeMismatch`](Error::ShapeMismatch) of what is
    /// remembered, [`NonFinite`](Error::NonFinite), [`Overflow`](Error::Overflow).
    pub(super) fn step(&mut self, learning_rate: f64, mut changes: Vec<Change<'_>>) -> Result<()> {
        check_not_negative("learning_rate", learning_rate)?;
        let result = self.check(learning_rate, &mut changes);
        if result.is_ok() {
            for change in &mut changes {
                let Some((state, arithmetic)) = self.ready(learning_rate, change) else { continue };
                change.write(state, arithmetic);
                state.steps = state.steps.saturating_add(1);
            }
        } else {
            // What was made for a first step.
            self.parts.retain(|_, state| state.steps > 0);
        }
        result
    }

    fn check(&mut self, learning_rate: f64, changes: &mut [Change<'_>]) -> Result<()> {
        changes.iter().try_for_each(|change| self.prepare(change.part, change.shape()))?;
        changes.iter_mut().try_for_each(|change| match self.ready(learning_rate, change) {
            Some((state, arithmetic)) => change.check(state, arithmetic),
            None => Ok(()),
        })
    }

    /// What a prepared array needs to make its next step.
    fn ready(&mut self, learning_rate: f64, change: &Change<'_>) -> Option<(&mut PartState, Arithmetic)> {
        let state = self.parts.get_mut(change.part.name)?;
        let arithmetic = Arithmetic::new(self.rule, change.context(learning_rate, state.steps.saturating_add(1)));
        Some((state, arithmetic))
    }

    /// Sees to it that there is a state for an array of this shape.
    fn prepare(&mut self, part: &Part, shape: &[usize]) -> Result<()> {
        if self.parts.contains_key(part.name) {
            return self.check_shape(part, shape);
        }
        let slots = self.rule.slots().into_iter().map(|slot| slot.begin(shape)).collect();
        self.parts.insert(part.name.to_owned(), PartState { steps: 0, slots });
        Ok(())
    }

    /// What is remembered of a part is of an array of this shape, if anything is.
    ///
    /// # Errors
    /// [`ShapeMismatch`](Error::ShapeMismatch).
    pub(super) fn check_shape(&self, part: &Part, shape: &[usize]) -> Result<()> {
        let remembered = self.parts.get(part.name).map_or(&[][..], |state| &state.slots);
        for (slot, numbers) in self.rule.slots().into_iter().zip(remembered) {
            let expected = slot.shape(shape);
            if numbers.shape() != expected {
                let (expected, actual) = (expected.to_vec(), numbers.shape().to_vec());
                return Err(Error::ShapeMismatch { what: part.state, expected, actual });
            }
        }
        Ok(())
    }
}

impl fmt::Debug for OptimizerState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OptimizerState({:?}", self.rule)?;
        self.tensors().try_for_each(|(name, tensor)| write!(f, ", {name} {:?}", tensor.shape()))?;
        f.write_str(")")
    }
}
