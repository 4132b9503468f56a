//! The doors to rows times the packed projection.

#![allow(unsafe_code)]

use ndarray::ArrayViewMut2;

use super::{
    Isa, PackedProjection,
    codes::StoredRows,
    hot::HotRows,
    multiply::{MULTIPLICATIONS_PER_NANOSECOND, Source, multiply},
    output::OutRows,
    parallel::for_each_range,
    plan::{CHUNK, Plan},
    rows::NANOSECONDS_PER_NUMBER,
    tile::Start,
};
use crate::{TokenId, rows::Numbers};

/// What a lookup does with ids that occur in it more than once.
///
/// The result is the same to the bit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case", deny_unknown_fields))]
#[non_exhaustive]
pub enum RepeatedIds {
    /// Computes each row once in every 32,768 ids and copies it where it occurs again, unless finding out costs more than it saves: for few
    /// ids, and where the ids seen so far in the call repeat too seldom.
    #[default]
    Automatic,
    /// Computes each row once in every 32,768 ids and copies it where it occurs again.
    Copy,
    /// Computes the row of every id.
    Compute,
}

/// Whether it pays to look for repeated ids, from what a row takes to compute, to copy and to be looked for, all in
/// nanoseconds, and from the share of repeats that the call has seen so far.
struct Gain {
    compute: f64,
    copy: f64,
    seen: usize,
    repeats: usize,
}

impl Gain {
    /// Looking for one id.
    const FIND: f64 = 8.0;
    /// The share of the time of a call that may go into looking in vain.
    const AT_STAKE: f64 = 0.02;
    /// Fewer ids hardly repeat.
    const FEW_IDS: usize = 32;

    fn new(rank: usize, dim: usize) -> Self {
        let compute = (rank * dim) as f64 / MULTIPLICATIONS_PER_NANOSECOND;
        Self { compute, copy: dim as f64 * NANOSECONDS_PER_NUMBER, seen: 0, repeats: 0 }
    }

    /// Among how many of the next ids to look for repeats, if at all, when there are so many left.
    fn ids_to_try(&self, left: usize) -> Option<usize> {
        if self.seen == 0 {
            let at_stake = Self::AT_STAKE * self.compute * left as f64 / Self::FIND;
            return (left >= Self::FEW_IDS && at_stake >= Self::FEW_IDS as f64).then(|| left.min(at_stake as usize));
        }
        let saved = self.repeats as f64 * (self.compute - self.copy);
        (saved > self.seen as f64 * Self::FIND).then_some(left)
    }
}

/// Row `ids[i]` of a table, in rank space: what [`project_rows`] reads.
#[derive(Clone, Copy)]
pub(crate) struct GatheredRows<'a> {
    /// \[m, rank\]
    pub(crate) rows: StoredRows<'a>,
    pub(crate) ids: &'a [TokenId],
    /// Which row of the output each goes to, \[n\], strictly rising; row i to row i when there are none.
    pub(crate) positions: Option<&'a [u32]>,
    pub(crate) repeated_ids: RepeatedIds,
    pub(crate) hot_rows: Option<&'a HotRows>,
}

/// Row `ids[i]`, times the projection, plus the bias, into row i of `out` \[n, dim\], or into the row of its position.
pub(crate) fn project_rows(
    isa: Isa,
    gathered: GatheredRows<'_>,
    projection: &PackedProjection,
    out: &mut ArrayViewMut2<'_, f32>,
) {
    let GatheredRows { rows, ids, positions, repeated_ids, hot_rows } = gathered;
    match positions {
        Some(positions) => assert_rising(positions, ids.len()),
        None => assert_eq!(out.nrows(), ids.len()),
    }
    let source = Source { ids: Some(ids), ..whole_rows(rows, projection) };
    let mut gain = Gain::new(projection.rank(), projection.dim());
    let mut start = 0;
    while start < ids.len() {
        let left = ids.len() - start;
        let try_repeats = match repeated_ids {
            RepeatedIds::Automatic => gain.ids_to_try(left),
            RepeatedIds::Copy => Some(left),
            RepeatedIds::Compute => None,
        };
        let len =
            if try_repeats.is_none() && hot_rows.is_none() { left } else { try_repeats.unwrap_or(left).min(CHUNK) };
        let ids = &ids[start..start + len];
        let positions = positions.map(|positions| &positions[start..start + len]);
        let mut out = match positions {
            Some(_) => out.view_mut(),
            None => out.slice_mut(ndarray::s![start..start + len, ..]),
        };
        let out = OutRows::new(&mut out);
        if try_repeats.is_none() && hot_rows.is_none() {
            // SAFETY: `out` is borrowed mutably from the caller; positions rise, so that no two are equal.
            unsafe { multiply(isa, Source { ids: Some(ids), positions, ..source }, len, out) };
        } else {
            Plan::with_scratch(|plan| {
                plan.make(ids, positions, hot_rows, try_repeats.is_some());
                gain.seen += len;
                gain.repeats += plan.repeats.len();
                let source = Source { ids: Some(&plan.ids), positions: Some(&plan.positions), ..source };
                // SAFETY: `out` is borrowed mutably from the caller; no two positions are equal.
                unsafe { multiply(isa, source, plan.ids.len(), out) };
                // SAFETY: the rows that have just been computed are read, the others, each named once, are written.
                unsafe { copy_rows(plan, hot_rows, out) };
            });
        }
        start += len;
    }
}

/// Copies the rows that a plan does not compute, on several threads where it pays.
///
/// # Safety
/// Nobody else touches `out`. The rows that the plan computes are there.
unsafe fn copy_rows(plan: &Plan, hot_rows: Option<&HotRows>, out: OutRows<'_>) {
    let nanoseconds = out.columns() as f64 * NANOSECONDS_PER_NUMBER;
    for_each_range(plan.repeats.len(), 1, nanoseconds, |range| {
        for &(place, first) in &plan.repeats[range] {
            // SAFETY: a repeat stands behind the first of its id, which is computed, so that no copy writes it; every place
            // is in the plan once.
            unsafe { out.copy(first as usize, place as usize) };
        }
    });
    let Some(hot_rows) = hot_rows else { return };
    for_each_range(plan.hot.len(), 1, nanoseconds, |range| {
        for &(place, row) in &plan.hot[range] {
            // SAFETY: every place is in the plan once.
            unsafe { out.write(place as usize, hot_rows.row(row)) };
        }
    });
}

/// Each row of `rows` \[n, rank\], times the projection, plus the bias times `bias_weights` \[n\] (1 when there are none),
/// into the same row of `out` \[n, dim\].
pub(crate) fn project<'a>(
    isa: Isa,
    rows: impl Into<StoredRows<'a>>,
    bias_weights: Option<&[f32]>,
    projection: &PackedProjection,
    out: &mut ArrayViewMut2<'_, f32>,
) {
    let source = Source { factors: bias_weights, ..whole_rows(rows.into(), projection) };
    // SAFETY: `out` is borrowed mutably from the caller.
    unsafe { multiply(isa, source, out.nrows(), OutRows::new(out)) };
}

/// Each row of `rows` \[n, rank\], times the projection, without the bias, added to the same row of `out` \[n, dim\], or to
/// the row of its position. The numbers of a row of `out` lie side by side.
pub(crate) fn add_projected(
    isa: Isa,
    rows: Numbers<'_>,
    positions: Option<&[u32]>,
    projection: &PackedProjection,
    out: &mut ArrayViewMut2<'_, f32>,
) {
    let n = positions.map_or(out.nrows(), <[u32]>::len);
    if let Some(positions) = positions {
        assert_rising(positions, n);
    }
    let out = OutRows::new(out);
    assert!(out.has_slices());
    let source = Source { positions, start: Start::Output, ..whole_rows(rows.into(), projection) };
    // SAFETY: `out` is borrowed mutably from the caller; positions rise, so that no two are equal.
    unsafe { multiply(isa, source, n, out) };
}

/// There are `len` positions, and no two are equal.
fn assert_rising(positions: &[u32], len: usize) {
    assert_eq!(positions.len(), len);
    assert!(positions.is_sorted_by(|a, b| a < b), "positions rise");
}

/// All rows in order, times the projection, plus the bias.
pub(super) fn whole_rows<'a>(rows: StoredRows<'a>, projection: &'a PackedProjection) -> Source<'a> {
    Source {
        rows,
        stride: projection.rank(),
        offset: 0,
        ids: None,
        panels: projection.panels(),
        start: projection.bias().map_or(Start::Zero, Start::Bias),
        factors: None,
        positions: None,
    }
}
