//! Rows by importance, in many small strata that groups are put together from.

use std::ops::Range;

use ndarray::{Array2, ArrayView2, Axis, s};

use super::table::{Energy, Table};
use crate::{
    QuantizedFactors, Result,
    factors::{BLOCK_ROWS, RowGroupIds, SharedBytes},
    linalg,
};

/// The fewest rows of a stratum, but where there are fewer in all.
const FEWEST_ROWS: usize = 8;

/// Which rows are next to each other in an order of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    /// From the most important row to the least: a row is in whichever group, by a number of its own.
    Importance,
    /// The order of the ids, where the most important rows may well come first: groups are ranges.
    Ids,
}

/// The rows of a table in an order, cut where groups may begin: at ½, ¼, ⅛, … of all of them.
#[derive(Clone, Debug)]
pub(super) struct Strata {
    pub(super) order: Order,
    /// Where each stratum ends, from the most important rows on \[strata\].
    ends: Vec<usize>,
    /// The stratum of each row \[`vocab_size`\].
    of_row: Vec<u8>,
}

/// Sums over the rows of each stratum.
#[derive(Clone, Debug)]
pub(super) struct StrataSums {
    /// Σ w·y² of each direction \[strata, rank\].
    pub(super) weighted: Array2<f64>,
    /// Σ y² \[strata, rank\].
    pub(super) plain: Array2<f64>,
    /// Σ w·s² and Σ s², for rows whose scale is their norm \[strata\].
    pub(super) squares: Vec<Energy>,
    /// Σ w and the number of rows \[strata\].
    pub(super) rows: Vec<Energy>,
}

/// Neighbouring strata as groups, from the most important rows on.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Grouping {
    pub(super) order: Order,
    /// The strata of each group.
    pub(super) strata: Vec<Range<usize>>,
}

impl Strata {
    /// Rows by the weighted squares of their norms, those with the largest first, equal ones by id; or by id.
    pub(super) fn new(order: Order, weights: &[f64], norms: &[f64]) -> Self {
        let vocab_size = norms.len();
        let halves = (0..QuantizedFactors::MAX_GROUPS).map(|k| vocab_size >> k);
        let mut ends: Vec<usize> = halves.take_while(|&end| end >= FEWEST_ROWS.min(vocab_size)).collect();
        ends.reverse();
        ends.dedup();
        let importance = |id: u32| weights[id as usize] * norms[id as usize] * norms[id as usize];
        let mut ids: Vec<u32> = (0..vocab_size as u32).collect();
        if order == Order::Importance {
            ids.sort_by(|&a, &b| importance(b).total_cmp(&importance(a)));
        }
        let mut of_row = vec![0; vocab_size];
        let mut start = 0;
        for (stratum, &end) in (0..).zip(&ends) {
            ids[start..end].iter().for_each(|&id| of_row[id as usize] = stratum);
            start = end;
        }
        Self { order, ends, of_row }
    }

    fn len(&self) -> usize {
        self.ends.len()
    }

    /// So many groups, or as many as there are strata: each but the first holds half of the rows that are as important or more so.
    pub(super) fn grouping(&self, num_groups: usize) -> Grouping {
        let first = self.len().saturating_sub(num_groups);
        let others = (first + 1..self.len()).map(|stratum| stratum..stratum + 1);
        Grouping { order: self.order, strata: std::iter::once(0..first + 1).chain(others).collect() }
    }

    /// How many rows each group has.
    pub(super) fn rows(&self, grouping: &Grouping) -> Vec<usize> {
        let start = |stratum: usize| if stratum == 0 { 0 } else { self.ends[stratum - 1] };
        grouping.strata.iter().map(|strata| start(strata.end) - start(strata.start)).collect()
    }

    /// The group of each row \[`vocab_size`\].
    pub(super) fn groups_of_rows(&self, grouping: &Grouping) -> Vec<u8> {
        let mut group_of = vec![0; self.len()];
        for (group, strata) in (0..).zip(&grouping.strata) {
            group_of[strata.clone()].fill(group);
        }
        self.of_row.iter().map(|&stratum| group_of[usize::from(stratum)]).collect()
    }
}

impl StrataSums {
    fn new(len: usize, rank: usize) -> Self {
        let zeros = || vec![Energy::default(); len];
        Self {
            weighted: Array2::zeros((len, rank)),
            plain: Array2::zeros((len, rank)),
            squares: zeros(),
            rows: zeros(),
        }
    }

    /// Σ over the rows of a table, for strata of both orders, of coordinates in orthonormal directions \[rank, dim\].
    ///
    /// # Errors
    /// Those of the source.
    pub(super) fn of_table(
        table: &mut Table<'_>,
        norms: &[f64],
        strata: &[Strata],
        directions: ArrayView2<'_, f64>,
    ) -> Result<Vec<Self>> {
        let weights = table.weights;
        let rank = directions.nrows();
        let columns = directions.t().mapv(|number| number as f32).as_standard_layout().into_owned();
        let mut sums: Vec<Self> = strata.iter().map(|strata| Self::new(strata.len(), rank)).collect();
        let work = |range: Range<usize>, rows: ArrayView2<'_, f32>| {
            let coordinates = linalg::product(rows, columns.view());
            let first = range.start;
            let parts: Vec<_> =
                strata.iter().map(|strata| Part::new(strata, range.clone(), &coordinates, weights)).collect();
            (first, coordinates.nrows(), parts)
        };
        table.pass(work, |(first, len, parts)| {
            for ((sums, strata), part) in sums.iter_mut().zip(strata).zip(parts) {
                part.add_to(sums);
                for row in first..first + len {
                    let (stratum, weight, square) =
                        (usize::from(strata.of_row[row]), weights[row], norms[row] * norms[row]);
                    sums.squares[stratum].add(Energy { plain: square, weighted: weight * square });
                    sums.rows[stratum].add(Energy { plain: 1.0, weighted: weight });
                }
            }
            Ok(())
        })?;
        Ok(sums)
    }

    /// Sums over the strata of each group.
    pub(super) fn of_groups(&self, grouping: &Grouping) -> Self {
        let mut groups = Self::new(grouping.strata.len(), self.plain.ncols());
        for (group, strata) in grouping.strata.iter().enumerate() {
            let sum = |sums: &Array2<f64>| sums.slice(s![strata.clone(), ..]).sum_axis(Axis(0));
            groups.weighted.row_mut(group).assign(&sum(&self.weighted));
            groups.plain.row_mut(group).assign(&sum(&self.plain));
            self.squares[strata.clone()].iter().for_each(|&square| groups.squares[group].add(square));
            self.rows[strata.clone()].iter().for_each(|&rows| groups.rows[group].add(rows));
        }
        groups
    }
}

/// Sums over a block of rows, of those strata only that it has rows of.
struct Part {
    strata: Vec<usize>,
    weighted: Array2<f64>,
    plain: Array2<f64>,
}

impl Part {
    fn new(strata: &Strata, range: Range<usize>, coordinates: &Array2<f32>, weights: &[f64]) -> Self {
        let of_row = &strata.of_row[range.clone()];
        let mut present: Vec<usize> = of_row.iter().map(|&stratum| usize::from(stratum)).collect();
        present.sort_unstable();
        present.dedup();
        let zeros = || Array2::<f64>::zeros((present.len(), coordinates.ncols()));
        let (mut weighted, mut plain) = (zeros(), zeros());
        for ((row, &stratum), weight) in coordinates.rows().into_iter().zip(of_row).zip(&weights[range]) {
            let Ok(place) = present.binary_search(&usize::from(stratum)) else { continue };
            let sums = weighted.row_mut(place).into_iter().zip(plain.row_mut(place));
            for ((weighted, plain), &number) in sums.zip(row) {
                let square = f64::from(number) * f64::from(number);
                *weighted += weight * square;
                *plain += square;
            }
        }
        Self { strata: present, weighted, plain }
    }

    fn add_to(&self, sums: &mut StrataSums) {
        for (place, &stratum) in self.strata.iter().enumerate() {
            let mut weighted = sums.weighted.row_mut(stratum);
            weighted += &self.weighted.row(place);
            let mut plain = sums.plain.row_mut(stratum);
            plain += &self.plain.row(place);
        }
    }
}

/// The group of each row as it is stored, with codes of so many bytes in the rows of each group; `None` where there are too many bytes
/// for an offset.
pub(super) fn stored_groups(order: Order, group_of: &[u8], row_bytes: &[usize]) -> Option<RowGroupIds> {
    if order == Order::Ids {
        let first = |group: usize| group_of.partition_point(|&other| usize::from(other) < group) as u32;
        return Some(RowGroupIds::Ranges((0..row_bytes.len()).map(first).collect()));
    }
    let mut numbers = vec![0; group_of.len().div_ceil(2)];
    let (mut offsets, mut start) = (Vec::new(), 0);
    for (row, &group) in group_of.iter().enumerate() {
        if row % BLOCK_ROWS == 0 {
            offsets.extend(u32::try_from(start).ok()?.to_le_bytes());
        }
        numbers[row / 2] |= group << (4 * (row % 2));
        start += row_bytes[usize::from(group)];
    }
    Some(RowGroupIds::Numbers { numbers: SharedBytes::new(numbers), offsets: SharedBytes::new(offsets) })
}

/// Bytes of the groups of rows as they are stored.
pub(super) fn group_bytes(order: Order, vocab_size: usize, num_groups: usize) -> usize {
    match order {
        Order::Ids => 4 * num_groups,
        Order::Importance => vocab_size.div_ceil(2) + 4 * vocab_size.div_ceil(BLOCK_ROWS),
    }
}
