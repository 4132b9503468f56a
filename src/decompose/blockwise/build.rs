//! The factors of the groups, and their errors.

use std::ops::Range;

use ndarray::{Array2, ArrayView2, s};

use super::{
    super::parallel::map_in_order,
    group::{BLOCK_ROWS, Group, Weighted},
};
use crate::{
    Error, Factors, Result, TokenId, linalg,
    reconstruction::{RelativeError, RowError},
};

/// Plain and weighted.
#[derive(Clone, Copy, Default)]
pub(super) struct Errors {
    pub(super) plain: RelativeError,
    pub(super) weighted: RelativeError,
}

/// The factors of a group, whose errors are added; `None` for rank 0.
///
/// # Errors
/// [`Overflow`](Error::Overflow).
pub(super) fn build(
    weighted: &Weighted<'_>,
    group: &Group,
    rank: usize,
    errors: &mut Errors,
) -> Result<Option<Factors>> {
    let narrow = |value: &f64| *value as f32;
    let v = group.v.slice(s![..rank, ..]);
    let columns = v.t().as_standard_layout().into_owned();
    let v = v.map(narrow);
    let mean = group.mean_vector().filter(|_| rank > 0);
    let bias = mean.map(|mean| mean.map(narrow));

    let mut u = Array2::zeros((group.ids.len(), rank));
    let mut next = 0;
    let part = |range: Range<usize>| {
        let ids = &group.ids[range];
        let coordinates = linalg::product(weighted.rows(ids, mean).view(), columns.view()).map(narrow);
        let mut approximations = coordinates.dot(&v);
        if let Some(bias) = &bias {
            approximations += bias;
        }
        let errors = measure(weighted, ids, approximations.view());
        (coordinates, errors)
    };
    map_in_order(group.ids.len(), BLOCK_ROWS, 1, part, |(coordinates, part)| {
        let end = next + coordinates.nrows();
        u.slice_mut(s![next..end, ..]).assign(&coordinates);
        next = end;
        errors.plain.add(part.plain);
        errors.weighted.add(part.weighted);
        Ok(())
    })?;
    if rank == 0 {
        return Ok(None);
    }
    let factors = Factors::new(u, v).and_then(|factors| match bias {
        Some(bias) => factors.with_bias(bias),
        None => Ok(factors),
    });
    // The table is finite: only what is computed from it can be too large for `f32`.
    factors.map(Some).map_err(|_| Error::Overflow { what: "decomposition of the table" })
}

fn measure(weighted: &Weighted<'_>, ids: &[TokenId], approximations: ArrayView2<'_, f32>) -> Errors {
    let mut errors = Errors::default();
    for (&id, approximation) in ids.iter().zip(approximations.rows()) {
        let error = RowError::new(weighted.table.row(id as usize), approximation);
        errors.plain.add_row(error, 1.0);
        errors.weighted.add_row(error, weighted.weight(id));
    }
    errors
}
