//! Rows of a matrix and what is remembered of them, in pieces that several threads can change at a time.

use super::arithmetic::{Arithmetic, Row};
use crate::{
    TokenId,
    kernel::{self, Loop},
};

/// Numbers that one thread changes before it asks for more, about.
const PIECE: usize = 1 << 14;

/// Consecutive rows of a matrix, their gradient and what is remembered of them.
pub(super) struct Rows<'a> {
    /// \[rows, width\]
    pub(super) parameters: &'a mut [f32],
    /// \[rows, width\], \[rows, 1\] or empty
    pub(super) slots: [&'a mut [f32]; 2],
    /// \[k, width\]
    pub(super) gradient: &'a [f32],
    /// Which of the rows have a gradient, in ascending order; `None` for all of them.
    pub(super) ids: Option<&'a [TokenId]>,
    /// The number of the first row.
    pub(super) first: usize,
    /// Of the parameters, and of the slots; a width is not 0 unless the slot is empty.
    pub(super) widths: (usize, [usize; 2]),
}

impl<'a> Rows<'a> {
    /// Rows that have a gradient.
    pub(super) fn touched(&self) -> usize {
        self.gradient.len() / self.widths.0
    }

    /// The same rows in pieces.
    pub(super) fn into_pieces(self) -> impl Iterator<Item = Rows<'a>> {
        let rows = (PIECE / self.widths.0).max(1);
        let mut rest = self;
        std::iter::from_fn(move || rest.split_off(rows))
    }

    /// Takes rows from the front until so many of them have a gradient; none when no gradient is left.
    fn split_off(&mut self, rows: usize) -> Option<Self> {
        let rows = rows.min(self.touched());
        if rows == 0 {
            return None;
        }
        let (width, slot_widths) = self.widths;
        let ids = match &mut self.ids {
            Some(ids) => Some(ids.split_off(..rows)?),
            None => None,
        };
        let (first, end) = match ids {
            Some(ids) => (*ids.first()? as usize, *ids.last()? as usize + 1),
            None => (self.first, self.first + rows),
        };
        let (before, len) = (first - self.first, end - first);
        let cut = |slice: &mut &'a mut [f32], width: usize| {
            slice.split_off_mut(..before * width)?;
            slice.split_off_mut(..len * width)
        };
        let parameters = cut(&mut self.parameters, width)?;
        let [one, two] = &mut self.slots;
        let slots = [cut(one, slot_widths[0])?, cut(two, slot_widths[1])?];
        let gradient = self.gradient.split_off(..rows * width)?;
        self.first = end;
        Some(Rows { parameters, slots, gradient, ids, first, widths: self.widths })
    }

    /// Makes the step of all rows (or only computes it), and says whether all of its results are finite.
    pub(super) fn apply<const WRITE: bool>(self, arithmetic: Arithmetic) -> bool {
        kernel::vectorize(Apply::<WRITE> { rows: self, arithmetic })
    }

    /// Asks for the i-th row that has a gradient, if there is one, and for what is remembered of it: the machine cannot guess where
    /// they are.
    #[inline(always)]
    fn prefetch(&self, i: usize) {
        let Some(&id) = self.ids.and_then(|ids| ids.get(i)) else { return };
        let place = id as usize - self.first;
        let (width, [first, second]) = self.widths;
        kernel::prefetch_row(&self.parameters[place * width..][..width]);
        kernel::prefetch_row(&self.slots[0][place * first..][..first]);
        kernel::prefetch_row(&self.slots[1][place * second..][..second]);
    }

    /// The i-th row that has a gradient.
    #[inline(always)]
    fn row(&mut self, i: usize) -> Row<'_> {
        let (width, slot_widths) = self.widths;
        let number = self.ids.map_or(self.first + i, |ids| ids[i] as usize);
        let place = number - self.first;
        let [first, second] = &mut self.slots;
        Row {
            parameters: &mut self.parameters[place * width..][..width],
            gradient: &self.gradient[i * width..][..width],
            slots: [
                &mut first[place * slot_widths[0]..][..slot_widths[0]],
                &mut second[place * slot_widths[1]..][..slot_widths[1]],
            ],
        }
    }
}

struct Apply<'a, const WRITE: bool> {
    rows: Rows<'a>,
    arithmetic: Arithmetic,
}

impl<const WRITE: bool> Loop for Apply<'_, WRITE> {
    type Output = bool;

    #[inline(always)]
    fn run(self) -> bool {
        let Self { mut rows, arithmetic } = self;
        if rows.ids.is_none() && arithmetic.joins_rows() {
            let Rows { parameters, gradient, slots, .. } = rows;
            return arithmetic.apply::<WRITE>(Row { parameters, gradient, slots });
        }
        let mut finite = true;
        for i in 0..rows.touched() {
            rows.prefetch(i + kernel::AHEAD);
            finite &= arithmetic.apply::<WRITE>(rows.row(i));
        }
        finite
    }
}

#[cfg(test)]
mod tests {
    use super::{Arithmetic, Rows};
    use crate::train::optimizer::{Optimizer, arithmetic::StepContext};

    /// Whatever part of a vector of the instruction set it is.
    #[test]
    fn a_number_that_is_not_finite_is_found_wherever_it_stands() {
        let context = StepContext { learning_rate: 1e-3, step: 3, lazy: false, decays: true };
        let arithmetic = Arithmetic::new(Optimizer::adam_w(0.1), context);
        for len in [1, 7, 15, 16, 17, 63, 64, 65, 200] {
            let mut arrays = [1.0, 0.1, 0.01, 0.2].map(|number| vec![number; len]);
            let check = |[p, m, v, g]: &mut [Vec<f32>; 4]| {
                let slots = [m.as_mut_slice(), v.as_mut_slice()];
                let widths = (len, [len; 2]);
                Rows { parameters: p, slots, gradient: g, ids: None, first: 0, widths }.apply::<false>(arithmetic)
            };
            assert!(check(&mut arrays));
            for place in 0..len {
                for (array, bad) in [(0, f32::INFINITY), (1, f32::NAN), (2, -1.0), (3, f32::MAX)] {
                    let good = std::mem::replace(&mut arrays[array][place], bad);
                    assert!(!check(&mut arrays), "{bad} of array {array} at {place} of {len}");
                    arrays[array][place] = good;
                }
                // Large, but the step is finite: only the whole computation can tell.
                let good = std::mem::replace(&mut arrays[0][place], f32::MAX);
                assert!(check(&mut arrays), "{place} of {len}");
                arrays[0][place] = good;
            }
        }
    }
}
