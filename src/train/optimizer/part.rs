//! One array of parameters that makes a step.

use std::sync::atomic::{AtomicBool, Ordering};

use ndarray::{ArrayView, ArrayViewMut, ArrayViewMut2, CowArray, Dimension, IxDyn};

use super::{
    arithmetic::{Arithmetic, StepContext},
    rows::Rows,
    state::PartState,
};
use crate::{Error, Result, TokenId, embedding::check, kernel, train::RowGradient};

/// What a number of a step takes, about: once to be checked and once to be written.
const NANOSECONDS_PER_NUMBER: f64 = 1.0;

/// An array that is trained: what it and what belongs to it are called.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) name: &'static str,
    pub(super) parameters: &'static str,
    pub(super) gradient: &'static str,
    pub(super) state: &'static str,
    pub(super) updated: &'static str,
    /// Of its shape; `None` if it may have any number of them.
    pub(super) num_dimensions: Option<usize>,
    /// Whether weight decay is for it.
    pub(super) decays: bool,
}

/// The parameters of a part and their gradient, of shapes and ids that fit.
pub(super) struct Change<'a> {
    pub(super) part: &'static Part,
    /// Row-major.
    parameters: ArrayViewMut<'a, f32, IxDyn>,
    /// Row-major.
    gradient: CowArray<'a, f32, IxDyn>,
    ids: Option<&'a [TokenId]>,
    /// What the learning rate is multiplied with.
    rate: f64,
}

impl<'a> Change<'a> {
    /// Of a row-major matrix \[rows, width\].
    ///
    /// # Errors
    /// [`ShapeMismatch`](Error::ShapeMismatch), [`IdOutOfRange`](Error::IdOutOfRange).
    pub(super) fn of_rows(
        part: &'static Part,
        parameters: ArrayViewMut2<'a, f32>,
        gradient: &'a RowGradient,
    ) -> Result<Self> {
        let (rows, width) = parameters.dim();
        let touched = gradient.ids().map_or(rows, <[_]>::len);
        check_shape(part, &[touched, width], gradient.values().shape())?;
        check::ids(gradient.ids().unwrap_or_default(), rows)?;
        Ok(Self::new(part, parameters, gradient.values(), gradient.ids()))
    }

    /// Of a row-major array.
    ///
    /// # Errors
    /// [`ShapeMismatch`](Error::ShapeMismatch).
    pub(super) fn of_array<D: Dimension>(
        part: &'static Part,
        parameters: ArrayViewMut<'a, f32, D>,
        gradient: ArrayView<'a, f32, D>,
    ) -> Result<Self> {
        check_shape(part, parameters.shape(), gradient.shape())?;
        Ok(Self::new(part, parameters, gradient, None))
    }

    fn new<D: Dimension>(
        part: &'static Part,
        parameters: ArrayViewMut<'a, f32, D>,
        gradient: ArrayView<'a, f32, D>,
        ids: Option<&'a [TokenId]>,
    ) -> Self {
        let gradient = gradient.into_dyn();
        let gradient = if gradient.is_standard_layout() {
            gradient.into()
        } else {
            gradient.as_standard_layout().into_owned().into()
        };
        Self { part, parameters: parameters.into_dyn(), gradient, ids, rate: 1.0 }
    }

    /// At another rate than other parts.
    pub(super) fn at_rate(self, rate: f64) -> Self {
        Self { rate, ..self }
    }

    /// Of the parameters.
    pub(super) fn shape(&self) -> &[usize] {
        self.parameters.shape()
    }

    /// What the step is in formulas.
    pub(super) fn context(&self, learning_rate: f64, step: u64) -> StepContext {
        StepContext {
            learning_rate: self.rate * learning_rate,
            step,
            lazy: self.ids.is_some(),
            decays: self.part.decays,
        }
    }

    /// Computes the step without making it.
    ///
    /// # Errors
    /// [`NonFinite`](Error::NonFinite), [`Overflow`](Error::Overflow).
    pub(super) fn check(&mut self, state: &mut PartState, arithmetic: Arithmetic) -> Result<()> {
        let finite = AtomicBool::new(true);
        let rows = self.rows(state);
        let nanoseconds = rows.gradient.len() as f64 * NANOSECONDS_PER_NUMBER;
        kernel::for_each_item(rows.into_pieces(), nanoseconds, |piece| {
            if !piece.apply::<false>(arithmetic) {
                finite.store(false, Ordering::Relaxed);
            }
        });
        if finite.into_inner() { Ok(()) } else { Err(self.what_is_not_finite()) }
    }

    /// Makes the step.
    pub(super) fn write(&mut self, state: &mut PartState, arithmetic: Arithmetic) {
        let rows = self.rows(state);
        let nanoseconds = rows.gradient.len() as f64 * NANOSECONDS_PER_NUMBER;
        kernel::for_each_item(rows.into_pieces(), nanoseconds, |piece| {
            piece.apply::<true>(arithmetic);
        });
    }

    fn rows<'s>(&'s mut self, state: &'s mut PartState) -> Rows<'s> {
        let (width, slot_widths) = (row_width(self.parameters.shape()), state.row_widths());
        Rows {
            parameters: self.parameters.as_slice_mut().unwrap_or_default(),
            slots: state.slots_mut(),
            gradient: self.gradient.as_slice().unwrap_or_default(),
            ids: self.ids,
            first: 0,
            widths: (width, slot_widths),
        }
    }

    fn what_is_not_finite(&self) -> Error {
        let not_finite = || -> Result<()> {
            check::finite(self.part.gradient, &self.gradient)?;
            match self.ids {
                None => check::finite(self.part.parameters, &self.parameters),
                Some(ids) => ids.iter().map(|&id| id as usize).try_for_each(|id| {
                    let row = self.parameters.index_axis(ndarray::Axis(0), id);
                    match row.iter().position(|number| !number.is_finite()) {
                        None => Ok(()),
                        Some(column) => Err(Error::NonFinite {
                            what: self.part.parameters,
                            index: vec![id, column],
                            value: f64::from(row[column]),
                        }),
                    }
                }),
            }
        };
        not_finite().err().unwrap_or(Error::Overflow { what: self.part.updated })
    }
}

/// Numbers of a row of an array, whose first dimension is that of the rows; a number alone, and an array without numbers, has
/// rows of one.
pub(super) fn row_width(shape: &[usize]) -> usize {
    shape.iter().skip(1).product::<usize>().max(1)
}

fn check_shape(part: &Part, expected: &[usize], actual: &[usize]) -> Result<()> {
    if expected == actual {
        return Ok(());
    }
    Err(Error::ShapeMismatch { what: part.gradient, expected: expected.to_vec(), actual: actual.to_vec() })
}
