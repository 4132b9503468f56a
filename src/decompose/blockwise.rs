//! Block-wise low rank: rows in groups, a rank for each group under one byte budget.

mod build;
mod group;
mod ranks;
mod refine;
mod row_groups;

use ndarray::ArrayView2;

pub use row_groups::RowGroups;

use self::{
    build::{Errors, build},
    group::{Group, Weighted},
    ranks::{Ranks, choose},
    refine::reassign,
};
use super::{Decompose, Decomposition, MeanRemoval, Spectrum};
use crate::{BlockFactors, Error, Result, RowWeights, TokenId, embedding::check};

/// Rounds of refinement in a row that may bring nothing.
const PATIENCE: usize = 3;

/// Truncated SVDs of groups of rows, with the ranks that lose the least under a byte budget (`GroupReduce`: Chen, Si,
/// Li, Chelba, Hsieh 2018, "`GroupReduce`: Block-Wise Low-Rank Approximation for Neural Language Model Shrinking").
///
/// Tokens that are used often are few: with [groups by frequency](RowGroups::by_frequency) and
/// [row weights](Self::with_row_weights) they keep nearly all of their directions, and the many others pay for it.
///
/// 1. For each group, the singular values and directions of its (weighted) rows, in `f64`.
/// 2. Ranks by greedy choice: always the direction that keeps the most energy per byte, σ² / (4·(rows of the group plus
///    dim)), until no more fits. A group may get rank 0: its rows are zero.
/// 3. U = E·Vᵀ for the rows of each group, with orthonormal rows of V and no diagonal, which would only take bytes.
///
/// The paper chooses ranks by frequency; here they minimise the error itself. Its refinement moves rows to the group
/// that fits them best: see [`with_refinement`](Self::with_refinement).
///
/// [`BlockFactors::size_in_bytes`] never exceeds the budget. The spectrum is that of all groups together (of the
/// block-diagonal matrix that they make), the largest values first, whatever their bytes, while ranks are chosen by energy
/// per byte: it lists what the groups hold, not the choices of this method. Directions of less than dim·ε of
/// the energy of their group (ε of `f64`) count as zero. Rows of weight 0 cost nothing to lose: give them
/// [smoothing](RowWeights::with_smoothing) if they matter.
///
/// A block of rows is held in `f64` at a time, and dim² numbers for each group; time O(`vocab_size` · dim²), and in
/// each round of refinement as much again, and O(`vocab_size` · dim) times the sum of the ranks.
///
/// # Examples
///
/// ```
/// use factorized_embedding::{BlockwiseSvd, Decompose, RowGroups, RowWeights};
/// use ndarray::array;
///
/// # fn main() -> factorized_embedding::Result<()> {
/// let table = array![[3.0, 0.0], [0.0, 2.0], [1.0, 1.0], [2.0, 2.0]];
/// let counts = RowWeights::new([40.0, 30.0, 2.0, 1.0])?;
/// let groups = RowGroups::from_group_of([0, 0, 1, 1])?;
/// // The rows used most span two directions of 4·(2 + 2) bytes, the others one; a byte a row names its group.
/// let method = BlockwiseSvd::new(groups, 3 * 16 + 4).with_row_weights(counts);
/// let decomposition = method.decompose(table.view())?;
/// assert_eq!(decomposition.factors.ranks(), [2, 1]);
/// assert!(decomposition.relative_error < 1e-6);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(deny_unknown_fields))]
pub struct BlockwiseSvd {
    groups: RowGroups,
    byte_budget: usize,
    row_weights: Option<RowWeights>,
    #[cfg_attr(feature = "serde", serde(default))]
    max_rounds: usize,
    #[cfg_attr(feature = "serde", serde(default))]
    mean_removal: MeanRemoval,
}

impl BlockwiseSvd {
    /// With these groups and so many bytes for all of [`BlockFactors`], the byte a row that names its group included;
    /// all rows weighing the same.
    #[must_use]
    pub fn new(groups: RowGroups, byte_budget: usize) -> Self {
        Self { groups, byte_budget, row_weights: None, max_rounds: 0, mean_removal: MeanRemoval::Never }
    }

    /// With a weight for each row.
    #[must_use]
    pub fn with_row_weights(self, row_weights: RowWeights) -> Self {
        Self { row_weights: Some(row_weights), ..self }
    }

    /// With at most so many rounds of refinement (there are none before this call).
    ///
    /// A round moves each row to the group where its weighted residual plus λ times the bytes of its row of U is least,
    /// with the energy per byte at the budget as λ; then directions and ranks are made anew. The best round is kept, so
    /// that the error is never larger than without; three rounds that bring nothing are the last ones. The
    /// decomposition's losses are Σᵢ wᵢ·‖eᵢ − êᵢ‖² after each round: they may rise, since the budget is met anew each
    /// time.
    #[must_use]
    pub fn with_refinement(self, max_rounds: usize) -> Self {
        Self { max_rounds, ..self }
    }

    /// With the (weighted) mean of each group as the bias of its factors and the rest decomposed: of every group whose
    /// rows are not all equal, or, for [`MeanRemoval::IfBetter`], of those where a byte of the mean keeps more energy
    /// than a byte of the first direction. A group of rank 0 has no mean.
    ///
    /// The spectrum is then that of groups less their means, and its bytes count all of them.
    #[must_use]
    pub fn with_mean_removal(self, mean_removal: MeanRemoval) -> Self {
        Self { mean_removal, ..self }
    }

    /// The groups that it starts from.
    #[must_use]
    pub fn groups(&self) -> &RowGroups {
        &self.groups
    }

    fn check(&self, table: ArrayView2<'_, f32>) -> Result<()> {
        let (vocab_size, dim) = table.dim();
        check::table("table [vocab_size, dim]", [vocab_size, dim])?;
        if self.groups.vocab_size() != vocab_size {
            return Err(Error::ShapeMismatch {
                what: "row groups [vocab_size]",
                expected: vec![vocab_size],
                actual: vec![self.groups.vocab_size()],
            });
        }
        let smallest = self.groups.sizes().into_iter().filter(|&rows| rows > 0).min().unwrap_or(vocab_size);
        let mean = if self.mean_removal == MeanRemoval::Never { 0 } else { dim };
        let minimum = vocab_size + size_of::<f32>() * (smallest + dim + mean);
        if self.byte_budget < minimum {
            return Err(Error::BudgetTooSmall { bytes: self.byte_budget, minimum });
        }
        check::finite("table [vocab_size, dim]", &table)
    }

    /// The directions of these groups, and the ranks that the budget allows.
    fn solve(&self, weighted: &Weighted<'_>, group_of: Vec<u8>) -> Result<Solution> {
        let mut ids: Vec<Vec<TokenId>> = vec![Vec::new(); self.groups.num_groups()];
        for (id, &group) in (0..).zip(&group_of) {
            ids[usize::from(group)].push(id);
        }
        let groups: Vec<Group> =
            ids.into_iter().map(|ids| Group::new(weighted, ids, self.mean_removal)).collect::<Result<_>>()?;
        let ranks = choose(&groups, self.byte_budget - group_of.len());
        Ok(Solution { group_of, groups, ranks })
    }

    /// The best solution of all rounds, and the loss after each one.
    fn refine(&self, weighted: &Weighted<'_>, first: Solution) -> Result<(Solution, Vec<f64>)> {
        let mut losses = Vec::new();
        let mut best = first;
        // The last one, while it is worse than the best.
        let mut worse: Option<Solution> = None;
        let mut in_vain = 0;
        while losses.len() < self.max_rounds && in_vain < PATIENCE {
            let Solution { group_of, groups, ranks } = worse.as_ref().unwrap_or(&best);
            let moved = reassign(weighted, group_of, groups, ranks)?;
            if moved == *group_of {
                break;
            }
            let next = self.solve(weighted, moved)?;
            losses.push(next.ranks.lost);
            if next.ranks.lost < best.ranks.lost {
                (best, worse, in_vain) = (next, None, 0);
            } else {
                worse = Some(next);
                in_vain += 1;
            }
        }
        Ok((best, losses))
    }
}

impl Decompose<BlockFactors> for BlockwiseSvd {
    fn decompose(&self, table: ArrayView2<'_, f32>) -> Result<Decomposition<BlockFactors>> {
        self.check(table)?;
        let (vocab_size, dim) = table.dim();
        let weights = match &self.row_weights {
            Some(weights) => Some(weights.for_rows(vocab_size)?),
            None => None,
        };
        let weighted = Weighted { table, weights: weights.as_deref() };
        let first = self.solve(&weighted, self.groups.group_of().to_vec())?;
        let (Solution { group_of, groups, ranks }, losses) = self.refine(&weighted, first)?;

        let mut errors = Errors::default();
        let factors_of = |(group, &rank): (&Group, &usize)| build(&weighted, group, rank, &mut errors);
        let blocks = groups.iter().zip(&ranks.of_group).map(factors_of).collect::<Result<_>>()?;
        let factors = BlockFactors::new(group_of, blocks, dim)?;
        Ok(Decomposition {
            factors,
            spectrum: spectrum(&groups, [vocab_size, dim]),
            relative_error: errors.plain.value(),
            weighted_relative_error: weights.map(|_| errors.weighted.value()),
            losses,
        })
    }
}

/// Groups, their directions and their ranks.
struct Solution {
    group_of: Vec<u8>,
    groups: Vec<Group>,
    ranks: Ranks,
}

/// Of the block-diagonal matrix of all groups.
fn spectrum(groups: &[Group], shape: [usize; 2]) -> Spectrum {
    let of_group = |group: &Group| {
        let bytes = group.direction_bytes();
        group.energies.iter().map(|energy| (energy.sqrt(), bytes)).collect::<Vec<_>>()
    };
    let directions = groups.iter().flat_map(of_group).collect();
    let fixed_bytes = shape[0] + groups.iter().map(Group::mean_bytes).sum::<usize>();
    let total_energy = groups.iter().map(Group::energy).sum();
    Spectrum::of_blocks(directions, total_energy, fixed_bytes, shape)
}
