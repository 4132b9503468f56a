//! A rank for each group under one budget.

use super::group::Group;

/// Ranks, and what they lose.
pub(super) struct Ranks {
    /// The rank of each group.
    pub(super) of_group: Vec<usize>,
    /// The energy that is lost in all groups.
    pub(super) lost: f64,
    /// λ: the energy per byte of the best step that did not fit, 0 if all did. What a byte more would have kept.
    pub(super) price: f64,
}

/// A direction more for a group, the first one together with the mean.
struct Step {
    group: usize,
    energy_per_byte: f64,
    bytes: usize,
}

/// Gives out bytes greedily, always to the step that keeps the most energy per byte. When one does not fit any more,
/// its group is done, and smaller steps of other groups take what is left.
///
/// Energies of a group never increase, so that this is the best choice up to the step that did not fit (the knapsack
/// problem whose items can be divided: Dantzig 1957).
pub(super) fn choose(groups: &[Group], bytes: usize) -> Ranks {
    let mut steps: Vec<Step> = groups.iter().enumerate().flat_map(|(index, group)| steps_of(index, group)).collect();
    // Stable: of equal steps the lower group first, and steps of a group in their order.
    steps.sort_by(|a, b| b.energy_per_byte.total_cmp(&a.energy_per_byte));
    let mut of_group = vec![0; groups.len()];
    let mut done = vec![false; groups.len()];
    let (mut left, mut price) = (bytes, 0.0);
    for step in steps {
        if done[step.group] {
            continue;
        }
        if step.bytes <= left {
            left -= step.bytes;
            of_group[step.group] += 1;
        } else {
            done[step.group] = true;
            price = f64::max(price, step.energy_per_byte);
        }
    }
    let lost = groups.iter().zip(&of_group).map(|(group, &rank)| group.lost(rank)).sum();
    Ranks { of_group, lost, price }
}

fn steps_of(index: usize, group: &Group) -> impl Iterator<Item = Step> {
    let significant = group.energies.iter().take_while(|&&energy| energy > 0.0);
    significant.enumerate().scan(f64::INFINITY, move |before, (rank, energy)| {
        let (energy, bytes) = match rank {
            0 => (energy + group.mean_energy(), group.direction_bytes() + group.mean_bytes()),
            _ => (*energy, group.direction_bytes()),
        };
        // Rounding must not put a step before the one that it comes after.
        *before = before.min(energy / bytes as f64);
        Some(Step { group: index, energy_per_byte: *before, bytes })
    })
}
