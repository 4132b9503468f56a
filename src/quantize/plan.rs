//! Which directions, groups and codes a table gets.

use std::ops::Range;

use ndarray::{Array1, Array2};

use super::{
    BitAllocation, Level, WaterFilling,
    directions::{self, CodedDirection},
    row_scales::ScaleRange,
    strata::{Grouping, Order, Strata, StrataSums, group_bytes},
    table::{Energy, overflow},
};
use crate::{QuantizedFactors, Result, decompose::parallel::map_in_order};

/// Bits of the numbers of directions that are tried.
const DIRECTION_BITS: [u8; 5] = [4, 5, 6, 7, 8];
/// Bits of the scales of rows that are tried.
const ROW_SCALE_BITS: [u8; 3] = [6, 7, 8];
/// Numbers of groups that are tried.
const GROUPS: [usize; 9] = [1, 2, 4, 6, 8, 10, 12, 14, 16];
/// Groups are chosen once, so that more bytes never mean other groups with more error: by what is to be expected of them in so many
/// times fewer bytes than `f32`.
const REFERENCE_RATIO: f64 = 16.0;
/// More groups in the same order, which follow weights more closely than the error they are chosen by can tell, are preferred if it is
/// this little larger.
const NEARLY_THE_SAME: f64 = 1.003;
/// The exponent of the plain error beside the weighted one where the order of rows is chosen: weights are never quite those of the use.
const PLAIN_EXPONENT: f64 = 0.5;

/// Orthonormal directions that coordinates can be measured in, and what the table is like in them.
pub(super) struct Rotated {
    /// \[rank, dim\]
    pub(super) directions: Array2<f64>,
    /// The seed of a Hadamard transform; `None` for directions that are stored.
    pub(super) seed: Option<u64>,
    /// For each of the strata.
    pub(super) sums: Vec<StrataSums>,
}

/// All that is known of a table, and how it is to be coded.
pub(super) struct Planner {
    pub(super) level: Level,
    pub(super) shape: [usize; 2],
    pub(super) has_mean: bool,
    pub(super) is_weighted: bool,
    pub(super) energy: Energy,
    /// Rows by id and by importance.
    pub(super) strata: Vec<Strata>,
    pub(super) rotated: Vec<Rotated>,
    pub(super) num_groups: Option<usize>,
    /// The range of the scales of rows, if they have any.
    pub(super) scale_range: Option<ScaleRange>,
}

/// One way to code a table, of which the widths are not known yet.
#[derive(Clone, Debug)]
pub(super) struct Choice {
    /// Which of the rotations.
    pub(super) rotation: usize,
    /// Which of the strata.
    pub(super) strata: usize,
    pub(super) grouping: Grouping,
    /// Bits of the numbers of directions, where they are stored.
    pub(super) direction_bits: Option<u8>,
    pub(super) row_scale_bits: Option<u8>,
}

/// A choice with what is known of its groups.
pub(super) struct Problem {
    pub(super) choice: Choice,
    /// Sums over the rows of each group.
    sums: StrataSums,
    /// Weighted energies of coordinates in the directions as they are stored \[groups, rank\].
    coded: Array2<f64>,
    water: WaterFilling,
    /// Bytes that do not depend on widths: the header, groups of rows, the mean, …
    fixed_bytes: usize,
    /// What using a direction costs beside the distortion of its codes, where rows do not weigh anything \[groups, rank\].
    plain_surcharges: Array2<f64>,
}

/// A way to code a table.
pub(super) struct Plan {
    pub(super) problem: Problem,
    pub(super) allocation: BitAllocation,
}

/// All choices that there are for a table.
pub(super) struct Options {
    pub(super) planner: Planner,
    choices: Vec<Choice>,
    coded: Vec<(u8, Vec<CodedDirection>)>,
}

impl Options {
    /// # Errors
    /// [`Overflow`](crate::Error::Overflow).
    pub(super) fn new(planner: Planner) -> Result<Self> {
        let mut coded = Vec::new();
        if let Some(svd) = planner.rotated.iter().find(|rotated| rotated.seed.is_none()) {
            coded.extend(DIRECTION_BITS.map(|bits| (bits, directions::code(svd.directions.view(), bits))));
        }
        let mut options = Self { choices: Vec::new(), planner, coded };
        let (strata, grouping) = options.grouping()?;
        let rotations = 0..options.planner.rotated.len();
        let mut choices: Vec<Choice> =
            rotations.clone().flat_map(|rotation| options.choices(rotation, strata, &grouping)).collect();
        // For budgets that are too small for groups, or for rows of any group anywhere.
        let few_bytes = options.planner.strata[0].grouping(options.planner.num_groups.unwrap_or(1));
        if few_bytes != grouping {
            choices.extend(rotations.flat_map(|rotation| options.choices(rotation, 0, &few_bytes)));
        }
        options.choices = choices;
        Ok(options)
    }

    /// All ways to code a table in these directions and groups.
    fn choices(&self, rotation: usize, strata: usize, grouping: &Grouping) -> Vec<Choice> {
        let is_stored = self.planner.rotated[rotation].seed.is_none();
        let direction_bits = if is_stored { DIRECTION_BITS.map(Some).to_vec() } else { vec![None] };
        let has_scales = self.planner.scale_range.is_some();
        let scale_bits = if has_scales { ROW_SCALE_BITS.map(Some).to_vec() } else { vec![None] };
        let choice = |direction_bits, row_scale_bits| Choice {
            rotation,
            strata,
            grouping: grouping.clone(),
            direction_bits,
            row_scale_bits,
        };
        let pairs =
            direction_bits.iter().flat_map(|&bits| scale_bits.iter().map(move |&scale_bits| (bits, scale_bits)));
        pairs.map(|(bits, scale_bits)| choice(bits, scale_bits)).collect()
    }

    /// Which groups are the best, and of which strata they are.
    fn grouping(&self) -> Result<(usize, Grouping)> {
        let [vocab_size, dim] = self.planner.shape;
        let mut bytes = (4.0 * vocab_size as f64 * dim as f64 / REFERENCE_RATIO) as usize;
        loop {
            let mut best: Option<(f64, usize, Grouping)> = None;
            for strata in 0..self.planner.strata.len() {
                let Some((errors, grouping)) = self.grouping_of(strata, bytes)? else { continue };
                let score = errors.weighted * errors.plain.powf(PLAIN_EXPONENT);
                if best.as_ref().is_none_or(|best| score < best.0) {
                    best = Some((score, strata, grouping));
                }
            }
            if let Some((_, strata, grouping)) = best {
                return Ok((strata, grouping));
            }
            // Small tables do not fit into so few bytes.
            bytes = bytes.max(1).saturating_mul(2);
        }
    }

    /// The best groups of rows in an order, within so many bytes, and the errors that are to be expected of them.
    fn grouping_of(&self, strata: usize, bytes: usize) -> Result<Option<(Energy, Grouping)>> {
        let mut tried: Vec<(Energy, Grouping)> = Vec::new();
        for grouping in self.planner.groupings(strata) {
            for rotation in 0..self.planner.rotated.len() {
                let choices = self.choices(rotation, strata, &grouping);
                let typical = &choices[choices.len() / 2];
                if let Some(plan) = self.problem(typical)?.plan(bytes) {
                    tried.push((self.relative_errors(&plan), grouping.clone()));
                }
            }
        }
        let least = tried.iter().map(|(errors, _)| errors.weighted).fold(f64::INFINITY, f64::min);
        let margin = if self.planner.is_weighted { NEARLY_THE_SAME } else { 1.0 };
        let nearly = tried.into_iter().filter(|(errors, _)| errors.weighted <= least * margin);
        Ok(nearly.max_by_key(|(_, grouping)| grouping.strata.len()))
    }

    /// The stored directions in codes of so many bits.
    pub(super) fn coded(&self, bits: u8) -> &[CodedDirection] {
        self.coded.iter().find(|(other, _)| *other == bits).map_or(&[], |(_, directions)| directions)
    }

    /// The fewest bytes of the file of any plan.
    ///
    /// # Errors
    /// [`Overflow`](crate::Error::Overflow).
    pub(super) fn min_bytes(&self) -> Result<usize> {
        let mut min = usize::MAX;
        for choice in &self.choices {
            let problem = self.problem(choice)?;
            min = min.min(problem.fixed_bytes + problem.water.min_bytes());
        }
        Ok(min)
    }

    /// The plan with the least error to be expected, within so many bytes of the file.
    ///
    /// # Errors
    /// [`Overflow`](crate::Error::Overflow).
    pub(super) fn choose(&self, bytes: usize) -> Result<Option<Plan>> {
        let mut best: Option<Plan> = None;
        let plan = |range: Range<usize>| self.problem(&self.choices[range.start]).map(|problem| problem.plan(bytes));
        map_in_order(self.choices.len(), 1, 16, plan, |plan| {
            if let Some(plan) = plan? {
                let is_better = best.as_ref().is_none_or(|best| plan.allocation.error < best.allocation.error);
                best = if is_better { Some(plan) } else { best.take() };
            }
            Ok(())
        })?;
        Ok(best)
    }

    fn problem(&self, choice: &Choice) -> Result<Problem> {
        let planner = &self.planner;
        let [vocab_size, dim] = planner.shape;
        let rows = planner.strata[choice.strata].rows(&choice.grouping);
        let sums = planner.rotated[choice.rotation].sums[choice.strata].of_groups(&choice.grouping);
        let scale_error =
            planner.scale_range.zip(choice.row_scale_bits).map_or(0.0, |(range, bits)| range.squared_error(bits));
        let directions = choice.direction_bits.map(|bits| self.coded(bits));
        let lost = |direction: usize| directions.map_or(0.0, |directions| directions[direction].lost);
        let coded = coded_energies(&sums.weighted, lost, dim);
        let mut water = WaterFilling::new(sums.weighted.view(), &rows, planner.level)
            .map_err(|_| overflow())?
            .with_coded(&coded, &surcharges(&sums.weighted, lost, dim, scale_error))
            .with_row_bits(choice.row_scale_bits.map_or(0, usize::from));
        if let Some(bits) = choice.direction_bits {
            water = water.with_direction_bits(dim * usize::from(bits) + directions::EXTRA_BITS);
        }
        let fixed_bytes = QuantizedFactors::max_header_bytes(vocab_size, dim)
            + QuantizedFactors::CODE_PADDING
            + group_bytes(choice.grouping.order, vocab_size, rows.len())
            + if planner.has_mean { 2 * dim } else { 0 }
            // The seed; or the kinds of directions, which are whole bytes.
            + if choice.direction_bits.is_none() { size_of::<u64>() } else { 1 };
        let plain_surcharges = surcharges(&sums.plain, lost, dim, scale_error);
        Ok(Problem { choice: choice.clone(), sums, coded, water, fixed_bytes, plain_surcharges })
    }

    /// The relative errors to be expected of widths.
    pub(super) fn relative_errors(&self, plan: &Plan) -> Energy {
        let plain = plan.problem.plain_error(&plan.allocation.widths);
        Energy { plain, weighted: plan.allocation.error }.relative_to(self.planner.energy)
    }
}

impl Planner {
    fn groupings(&self, strata: usize) -> Vec<Grouping> {
        let strata = &self.strata[strata];
        let numbers = self.num_groups.map_or(GROUPS.to_vec(), |number| vec![number]);
        let mut groupings: Vec<Grouping> = numbers.iter().map(|&number| strata.grouping(number)).collect();
        groupings.dedup();
        // One group is a range, whatever the order.
        groupings.retain(|grouping| grouping.strata.len() > 1 || grouping.order == Order::Ids);
        groupings
    }
}

impl Problem {
    /// The best widths within so many bytes of the file.
    pub(super) fn plan(self, bytes: usize) -> Option<Plan> {
        let allocation = self.allocate(bytes)?;
        Some(Plan { problem: self, allocation })
    }

    /// The best widths within so many bytes of the file.
    pub(super) fn allocate(&self, bytes: usize) -> Option<BitAllocation> {
        let mut left = bytes.checked_sub(self.fixed_bytes)?;
        if self.choice.grouping.order == Order::Importance {
            // Offsets of rows are numbers of 32 bits.
            left = left.min(u32::MAX as usize);
        }
        self.water.allocate(left)
    }

    /// What the scales of coordinates are to be: their standard deviations \[groups, rank\].
    pub(super) fn deviations(&self) -> Array2<f64> {
        let mut deviations = self.coded.clone();
        for (mut row, mass) in deviations.rows_mut().into_iter().zip(self.masses()) {
            row.mapv_inplace(|energy| if mass.weighted > 0.0 { (energy / mass.weighted).sqrt() } else { 0.0 });
        }
        deviations
    }

    /// What the variances of coordinates are multiplied with to give energies.
    fn masses(&self) -> &[Energy] {
        if self.choice.row_scale_bits.is_some() { &self.sums.squares } else { &self.sums.rows }
    }

    /// Σ ‖e − ê‖² to be expected: as the weighted error, but for what is lost outside of the codes.
    fn plain_error(&self, widths: &Array2<u8>) -> f64 {
        let mut lost = 0.0;
        for (group, (widths, mass)) in widths.rows().into_iter().zip(self.masses()).enumerate() {
            let table = self.water.distortions_of(widths);
            for (direction, &width) in widths.iter().enumerate() {
                let cell = [group, direction];
                lost += match width {
                    0 => self.sums.plain[cell],
                    _ if mass.weighted == 0.0 => self.sums.plain[cell],
                    width => {
                        let variance = self.coded[cell] / mass.weighted;
                        mass.plain * variance * table[usize::from(width)] + self.plain_surcharges[cell]
                    }
                };
            }
        }
        lost
    }
}

/// The energies of coordinates of least squares in directions of which V̂ loses the share ε: Σ ε·E of all directions of the group leaks into
/// the others, the same part of it into each.
fn coded_energies(energies: &Array2<f64>, lost: impl Fn(usize) -> f64, dim: usize) -> Array2<f64> {
    let mut coded = energies.clone();
    for mut row in coded.rows_mut() {
        let leak: f64 = row.iter().enumerate().map(|(direction, energy)| lost(direction) * energy).sum();
        row += leak / dim as f64;
    }
    coded
}

/// What using a direction costs beside the distortion of its codes \[groups, rank\].
///
/// The share ε of a direction of energy E that V̂ loses lies outside of what the group's k directions span, but for k/dim of it, which coordinates of
/// least squares make good: (1 − k/dim) · Σ ε·E over the first k directions in all, if the directions are the first ones. A direction more so costs its own part,
/// and makes good 1/dim of those before it. The scales of rows lose a share of everything.
fn surcharges(energies: &Array2<f64>, lost: impl Fn(usize) -> f64, dim: usize, scale_error: f64) -> Array2<f64> {
    let mut surcharges = Array2::zeros(energies.raw_dim());
    for (mut row, energies) in surcharges.rows_mut().into_iter().zip(energies.rows()) {
        let mut before = 0.0;
        for (direction, surcharge) in row.iter_mut().enumerate() {
            let own = lost(direction) * energies[direction];
            let outside = 1.0 - (direction + 1) as f64 / dim as f64;
            *surcharge = own * outside - before / dim as f64 + scale_error * energies[direction];
            before += own;
        }
    }
    surcharges
}

/// Directions that any group uses, in order.
pub(super) fn used_directions(widths: &Array2<u8>) -> Vec<usize> {
    let is_used: Array1<bool> =
        widths.columns().into_iter().map(|widths| widths.iter().any(|&width| width > 0)).collect();
    (0..is_used.len()).filter(|&direction| is_used[direction]).collect()
}
