//! Gradients of bags: what a bag's vector is the sum of.

use ndarray::{Array1, Array2, ArrayView2, ArrayViewMut2, s};

use super::table::{OVERFLOW, Rows, Sums, TableGradient, check_unused};
use crate::{Bags, Embedding, Error, Isa, Pooling, Result, TokenId, embedding::check, train::occurrences::Occurrences};

const WHAT: &str = "grad_out [b, dim]";

impl<'a> TableGradient<'a> {
    /// Of bags: for each id the sum of ∂L/∂out over the bags that it is in, times its weight there.
    ///
    /// # Errors
    /// Those of [`Backward::bag`](super::Backward).
    pub(super) fn of_bag(
        table: &impl Embedding,
        isa: Isa,
        bags: &Bags<'a>,
        grad_out: ArrayView2<'a, f32>,
    ) -> Result<Self> {
        check::shape(WHAT, &grad_out, (bags.len(), table.dim()))?;
        check::ids(bags.ids(), table.vocab_size())?;
        let used = Occurrences::of(bags.ids(), table.padding_id(), table.dim())?;
        let counted = |bag| bags.ids()[bags.range(bag)].iter().filter(|id| Some(**id) != table.padding_id()).count();
        let counts: Vec<usize> = (0..bags.len()).map(counted).collect();
        let rows = match bags.pooling() {
            Pooling::Max => {
                check::finite(WHAT, &grad_out)?;
                let rows = maxima(table, &used, bags, grad_out)?;
                check::finite(WHAT, &rows).map_err(|_| OVERFLOW)?;
                Rows::Made(rows)
            }
            _ => {
                let unused = counts.iter().zip(grad_out.rows()).filter(|(count, _)| **count == 0);
                check_unused(WHAT, grad_out, unused.map(|(_, row)| row))?;
                Rows::Sums(sums(&used, bags, &counts, grad_out)?)
            }
        };
        Ok(Self::new(isa, used, rows))
    }
}

/// Of sums and means.
fn sums<'a>(used: &Occurrences, bags: &Bags<'a>, counts: &[usize], grad_out: ArrayView2<'a, f32>) -> Result<Sums<'a>> {
    let (num_bags, dim) = grad_out.dim();
    let num_bags = u32::try_from(num_bags).map_err(|_| Error::TableTooLarge { vocab_size: num_bags, dim })?;
    let bag_of: Vec<u32> = bags.ranges().zip(0..num_bags).flat_map(|(range, bag)| range.map(move |_| bag)).collect();
    let sources: Vec<u32> = used.places.iter().map(|&place| bag_of[place as usize]).collect();
    let weights: Option<Vec<f32>> = match (bags.pooling(), bags.weights()) {
        (Pooling::Mean, _) => Some(sources.iter().map(|&bag| 1.0 / counts[bag as usize] as f32).collect()),
        (_, Some(weights)) => Some(used.places.iter().map(|&place| weights[place as usize]).collect()),
        (_, None) => None,
    };
    Ok(Sums { sources: Some(sources), weights, given_weights: bags.weights(), ..Sums::new(WHAT, grad_out) })
}

/// Of maxima: each number goes to the row that holds the maximum of its column, the first one in the bag if there are
/// several.
fn maxima(
    table: &impl Embedding,
    used: &Occurrences,
    bags: &Bags<'_>,
    grad_out: ArrayView2<'_, f32>,
) -> Result<Array2<f32>> {
    // Each row once: the numbers are those that the bags were made of, to the bit.
    let rows = table.lookup(&used.ids)?;
    let slots = used.slots(bags.ids().len());
    let mut sums = Array2::zeros(rows.dim());
    let mut best = vec![0.0; table.dim()];
    let mut best_slots = vec![0_u32; table.dim()];
    for (range, gradient) in bags.ranges().zip(grad_out.rows()) {
        let counted = |place: &usize| Some(bags.ids()[*place]) != table.padding_id();
        let mut slots = range.filter(counted).map(|place| slots[place]);
        let Some(first) = slots.next() else { continue };
        best_slots.fill(first);
        best.iter_mut().zip(rows.row(first as usize)).for_each(|(best, &number)| *best = number);
        for slot in slots {
            let row = rows.row(slot as usize);
            for ((best, best_slot), &number) in best.iter_mut().zip(&mut best_slots).zip(row) {
                *best_slot = if number > *best { slot } else { *best_slot };
                *best = if number > *best { number } else { *best };
            }
        }
        for (column, (&slot, number)) in best_slots.iter().zip(gradient).enumerate() {
            sums[[slot as usize, column]] += number;
        }
    }
    Ok(sums)
}

/// What [`weight_gradients`] is asked for makes sense.
pub(super) fn check_weighted(table: &impl Embedding, bags: &Bags<'_>, grad_out: ArrayView2<'_, f32>) -> Result<()> {
    if bags.pooling() != Pooling::Sum {
        return Err(Error::WeightsNeedSum { pooling: bags.pooling() });
    }
    check::shape(WHAT, &grad_out, (bags.len(), table.dim()))?;
    check::ids(bags.ids(), table.vocab_size())?;
    check::finite(WHAT, &grad_out)
}

/// The gradient of the weight of each id in its bag's sum: ∂L/∂out of the bag times the row of the id, 0 for padding.
///
/// `fill` writes the rows of ids \[m, width\], which are multiplied with `vectors` \[b, width\]; `constants` \[b\] are
/// added.
pub(super) fn weight_gradients(
    bags: &Bags<'_>,
    padding_id: Option<TokenId>,
    fill: impl Fn(&[TokenId], ArrayViewMut2<'_, f32>) -> Result<()>,
    vectors: ArrayView2<'_, f32>,
    constants: Option<&[f32]>,
) -> Result<Array1<f32>> {
    /// Ids whose rows are made together.
    const TOGETHER: usize = 64;
    let mut gradients = vec![0.0; bags.ids().len()];
    let mut rows = Array2::zeros((TOGETHER.min(gradients.len()), vectors.ncols()));
    for (bag, (range, vector)) in bags.ranges().zip(vectors.rows()).enumerate() {
        let constant = constants.map_or(0.0, |constants| constants[bag]);
        for start in range.clone().step_by(TOGETHER) {
            let range = start..range.end.min(start + TOGETHER);
            let ids = &bags.ids()[range.clone()];
            let mut rows = rows.slice_mut(s![..ids.len(), ..]);
            fill(ids, rows.view_mut())?;
            for ((gradient, row), id) in gradients[range].iter_mut().zip(rows.rows()).zip(ids) {
                *gradient = if Some(*id) == padding_id { 0.0 } else { row.dot(&vector) + constant };
            }
        }
    }
    Ok(gradients.into())
}
