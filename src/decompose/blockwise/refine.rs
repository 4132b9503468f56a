//! Rows move to the group that fits them best.

use std::ops::Range;

use ndarray::{Array2, Axis, s};

use super::{
    super::parallel::map_in_order,
    group::{BLOCK_ROWS, Group, Weighted},
    ranks::Ranks,
};
use crate::{Result, TokenId, linalg};

/// What a row costs in a group: its residual, and the bytes of its row of U.
struct Candidate<'a> {
    group: &'a Group,
    rank: usize,
    /// Directions as columns \[dim, k\].
    directions: Array2<f64>,
    /// Whether they are those that are dropped, where these are fewer than those that are kept.
    dropped: bool,
}

impl<'a> Candidate<'a> {
    fn new(group: &'a Group, rank: usize) -> Self {
        let (all, dim) = group.v.dim();
        // All directions there are: what is not kept is dropped.
        let dropped = all == dim && 2 * rank > dim;
        let directions = if dropped { group.v.slice(s![rank.., ..]) } else { group.v.slice(s![..rank, ..]) };
        Self { group, rank, directions: directions.t().as_standard_layout().into_owned(), dropped }
    }

    /// ‖e − ê‖² of each row.
    fn residuals(&self, weighted: &Weighted<'_>, ids: &[TokenId]) -> Vec<f64> {
        let mean = self.group.mean_vector().filter(|_| self.rank > 0);
        let rows = weighted.rows(ids, mean);
        let norms = |array: &Array2<f64>| array.map_axis(Axis(1), |row| row.dot(&row)).to_vec();
        let parts = norms(&linalg::product(rows.view(), self.directions.view()));
        if self.dropped {
            return parts;
        }
        norms(&rows).into_iter().zip(parts).map(|(all, kept)| (all - kept).max(0.0)).collect()
    }
}

/// The group of each row that minimises its weighted residual plus λ times the bytes of its row of U: for fixed
/// directions and ranks, the best choice in the rate–distortion problem whose multiplier λ is. A row only moves where
/// that is less than in its group.
pub(super) fn reassign(weighted: &Weighted<'_>, group_of: &[u8], groups: &[Group], ranks: &Ranks) -> Result<Vec<u8>> {
    let candidates: Vec<Candidate<'_>> =
        groups.iter().zip(&ranks.of_group).map(|(group, &rank)| Candidate::new(group, rank)).collect();
    let best_groups = |range: Range<usize>| {
        let ids: Vec<TokenId> = range.clone().map(|id| id as TokenId).collect();
        let cost_of = |candidate: &Candidate<'_>| -> Vec<f64> {
            let price = ranks.price * (candidate.rank * size_of::<f32>()) as f64;
            let residuals = candidate.residuals(weighted, &ids);
            ids.iter().zip(residuals).map(|(&id, residual)| weighted.weight(id) * residual + price).collect()
        };
        let costs: Vec<Vec<f64>> = candidates.iter().map(cost_of).collect();
        let best = |(row, &own): (usize, &u8)| {
            (0..=u8::MAX).zip(&costs).fold((own, costs[usize::from(own)][row]), |best, (group, costs)| {
                if costs[row] < best.1 { (group, costs[row]) } else { best }
            })
        };
        group_of[range].iter().enumerate().map(|row| best(row).0).collect::<Vec<u8>>()
    };
    let mut moved = Vec::with_capacity(group_of.len());
    map_in_order(group_of.len(), BLOCK_ROWS, 1, best_groups, |groups| {
        moved.extend(groups);
        Ok(())
    })?;
    Ok(moved)
}
