//! A plan, carried out.

use half::f16;
use ndarray::{Array2, Axis};

use super::{
    directions::pack,
    encode::{Coding, stored_scales},
    finish::Unscaled,
    plan::{Options, Plan, used_directions},
    row_scales::ScaleRange,
    strata::stored_groups,
    table::{Energy, Table, overflow},
};
use crate::{
    Error, QuantizedFactors, Result,
    factors::{CodeGroup, QuantizedParts, Rotation, RowPlaces, SharedBytes},
};

/// A table in codes, and the relative errors of what comes back.
pub(super) struct Built {
    pub(super) factors: QuantizedFactors,
    pub(super) errors: Energy,
}

/// Codes a table. `norms` are what rows are divided by, where they have scales \[`vocab_size`\].
///
/// # Errors
/// Those of the source, [`NoConvergence`](Error::NoConvergence), [`Overflow`](Error::Overflow).
pub(super) fn build(table: &mut Table<'_>, norms: Option<&[f64]>, options: &Options, plan: &Plan) -> Result<Built> {
    let (choice, level) = (&plan.problem.choice, options.planner.level);
    let (rotation, stored) = rotation(table.dim(), options, plan);
    let directions = rotation.to_matrix();
    let widths = plan.allocation.widths.select(Axis(1), &stored);
    let deviations = plan.problem.deviations().select(Axis(1), &stored);
    let group_of = options.planner.strata[choice.strata].groups_of_rows(&choice.grouping);
    let scale_bits = choice.row_scale_bits.map_or(0, usize::from);
    let groups_with = |scales: &Array2<f16>| -> Vec<CodeGroup> {
        let rows = widths.rows().into_iter().zip(scales.rows());
        rows.map(|(widths, scales)| CodeGroup::new(level, widths.to_vec(), scales.to_vec(), scale_bits)).collect()
    };
    let deviations = stored_scales(&deviations);
    let groups = groups_with(&deviations);
    let mut coding = Coding { directions: &directions, groups, group_of: &group_of, norms };
    let spread = stored_scales(&(deviations.mapv(f64::from) * coding.spreads(table)?));
    coding.groups = groups_with(&spread);
    let codes = coding.encode(table)?;
    let scales = stored_scales(&(spread.mapv(f64::from) * &codes.gains));
    let groups = groups_with(&scales);
    let row_scales = choice.row_scale_bits.map(|bits| {
        let importances: Vec<f64> = codes.scales.iter().zip(table.weights).map(|(s, w)| w * s * s).collect();
        ScaleRange::new(&codes.scales, &importances).scales(bits)
    });
    let row_bytes: Vec<usize> = groups.iter().map(CodeGroup::row_bytes).collect();
    let row_groups = stored_groups(choice.grouping.order, &group_of, &row_bytes).ok_or_else(overflow)?;
    let invalid = |reason| Error::InvalidBytes { what: "quantized table", reason };
    let places = RowPlaces::new(row_groups.clone(), &groups, table.vocab_size()).map_err(invalid)?;
    let mut bytes = codes.bytes;
    let unscaled = Unscaled { directions: &directions, groups: &groups, places: &places, row_scales };
    let lost = unscaled.finish(table, &mut bytes)?;
    bytes.resize(bytes.len() + QuantizedFactors::CODE_PADDING, 0);
    let used = widths.iter().zip(&scales).filter(|&(&width, _)| width > 0);
    let parts = QuantizedParts {
        level,
        vocab_size: table.vocab_size(),
        unit: table.unit,
        mean: table.has_mean().then(|| table.mean.clone()),
        rotation,
        scales: used.map(|(_, &scale)| scale).collect(),
        widths,
        row_scales,
        row_groups,
        codes: SharedBytes::new(bytes),
    };
    Ok(Built { factors: QuantizedFactors::new(parts).map_err(invalid)?, errors: lost.relative_to(table.energy) })
}

/// The directions as they are stored, and which of all they are.
fn rotation(dim: usize, options: &Options, plan: &Plan) -> (Rotation, Vec<usize>) {
    let choice = &plan.problem.choice;
    let seed = options.planner.rotated[choice.rotation].seed;
    match (seed, choice.direction_bits) {
        (None, Some(bits)) => {
            let mut used = used_directions(&plan.allocation.widths);
            if used.is_empty() {
                used.push(0);
            }
            let coded = options.coded(bits);
            let directions: Vec<_> = used.iter().map(|&direction| &coded[direction]).collect();
            (Rotation::Basis(pack(&directions, dim, bits)), used)
        }
        (seed, _) => (Rotation::Hadamard { seed: seed.unwrap_or_default(), dim }, (0..dim).collect()),
    }
}
