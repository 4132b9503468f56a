//! From a table to its codes.

use std::fmt;

use half::f16;
use ndarray::{Array2, ArrayView2, Axis, s};

use super::{
    Budget, Level, QuantizationReport, RotationChoice, RowScale,
    directions::pack,
    encode::{Coding, stored_scales},
    finish::Unscaled,
    plan::{Options, Plan, Planner, Rotated, used_directions},
    row_scales::ScaleRange,
    settings::check_groups,
    strata::{Order, Strata, StrataSums, stored_groups},
    table::{Energy, Moments, Table, overflow, weights_of},
};
use crate::{
    ArrayRows, Error, QuantizedFactors, Result, RowBlocks, RowWeights,
    factors::{CodeGroup, QuantizedParts, Rotation, RowPlaces, SharedBytes},
    linalg,
};

/// Quantizes tables: the error is the least that is known how to reach in so many bytes, every byte counted.
///
/// 1. The (weighted) mean is taken off, and rows are measured in units of their norms.
/// 2. Rows are put into groups by importance, their weight times the square of their norm.
/// 3. All rows share the singular directions of the weighted table, which are coded themselves, before anything else is.
/// 4. The budget is poured over (group × direction), as many bits for each as its variance deserves: see [`WaterFilling`](super::WaterFilling).
/// 5. Coordinates are those of least squares in the coded directions, and coded as the [`Level`] says; what codes stand for is scaled by
///    least squares, for each direction of each group, and for each row.
///
/// How many groups there are and of which sizes, whether they are ranges of ids, and how finely directions and scales of rows are coded,
/// is what the least error is to be expected of. Results are the same for any number of threads.
///
/// The table is read six times, block by block; what is held of it is a few numbers for each row, and the codes.
///
/// # Examples
///
/// ```
/// use factorized_embedding::quantize::{Budget, Quantizer};
/// use ndarray::Array2;
///
/// # fn main() -> factorized_embedding::Result<()> {
/// let table = Array2::from_shape_fn((2_000, 96), |(i, j)| ((i * 31 + j * j) as f32 * 0.7).sin());
/// let quantization = Quantizer::new(Budget::Ratio(8.0)).quantize(table.view())?;
/// assert!(quantization.factors.size_in_bytes() <= 4 * 2_000 * 96 / 8);
/// assert!(quantization.report.relative_error < 0.1);
/// println!("{}", quantization.report);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, PartialEq)]
pub struct Quantizer {
    budget: Budget,
    row_weights: Option<RowWeights>,
    level: Level,
    num_groups: Option<usize>,
    row_scale: RowScale,
    rotation: RotationChoice,
    seed: u64,
}

/// A quantized table, and how that came about.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Quantization {
    /// The table in codes.
    pub factors: QuantizedFactors,
    /// What it takes and what it lost.
    pub report: QuantizationReport,
}

impl Quantizer {
    /// Within this budget, all rows weighing the same, coded number by number.
    #[must_use]
    pub fn new(budget: Budget) -> Self {
        Self {
            budget,
            row_weights: None,
            level: Level::default(),
            num_groups: None,
            row_scale: RowScale::default(),
            rotation: RotationChoice::default(),
            seed: 0,
        }
    }

    /// An eighth of the bytes of `f32`: what is lost can hardly be measured in what a model does.
    #[must_use]
    pub fn balanced() -> Self {
        Self::new(Budget::Ratio(8.0))
    }

    /// A sixteenth of the bytes of `f32`.
    #[must_use]
    pub fn small() -> Self {
        Self::new(Budget::Ratio(16.0))
    }

    /// A thirty-second of the bytes of `f32`, one bit for each number.
    #[must_use]
    pub fn tiny() -> Self {
        Self::new(Budget::Ratio(32.0))
    }

    /// With a weight for each row: minimises Σᵢ wᵢ · ‖eᵢ − êᵢ‖².
    ///
    /// For the table of a model, counts of tokens with smoothing 1 and exponent 0.4 are a good choice; 0.5 for static word vectors.
    #[must_use]
    pub fn with_row_weights(self, row_weights: RowWeights) -> Self {
        Self { row_weights: Some(row_weights), ..self }
    }

    /// With this way of coding numbers.
    #[must_use]
    pub fn with_level(self, level: Level) -> Self {
        Self { level, ..self }
    }

    /// With so many groups of rows, or fewer where there are too few rows; before this call as many as are best.
    ///
    /// # Errors
    /// [`InvalidSetting`](Error::InvalidSetting) unless there are 1 to 16 groups.
    pub fn with_groups(self, num_groups: usize) -> Result<Self> {
        check_groups(num_groups)?;
        Ok(Self { num_groups: Some(num_groups), ..self })
    }

    /// With a scale for each row, or without.
    #[must_use]
    pub fn with_row_scale(self, row_scale: RowScale) -> Self {
        Self { row_scale, ..self }
    }

    /// With these directions.
    #[must_use]
    pub fn with_rotation(self, rotation: RotationChoice) -> Self {
        Self { rotation, ..self }
    }

    /// With another seed of the Hadamard transform.
    #[must_use]
    pub fn with_seed(self, seed: u64) -> Self {
        Self { seed, ..self }
    }

    /// Quantizes a table.
    ///
    /// # Shapes
    /// `table` \[`vocab_size`, dim\]
    ///
    /// # Errors
    /// [`Empty`](Error::Empty), [`VocabularyTooLarge`](Error::VocabularyTooLarge), [`TableTooLarge`](Error::TableTooLarge),
    /// [`NonFinite`](Error::NonFinite), [`InvalidSetting`](Error::InvalidSetting) for a budget that makes no sense,
    /// [`BudgetTooSmall`](Error::BudgetTooSmall), [`ShapeMismatch`](Error::ShapeMismatch) for weights of another length than the table,
    /// [`AllWeightsZero`](Error::AllWeightsZero), [`NoConvergence`](Error::NoConvergence), [`Overflow`](Error::Overflow).
    pub fn quantize(&self, table: ArrayView2<'_, f32>) -> Result<Quantization> {
        self.quantize_rows(&mut ArrayRows::new(table))
    }

    /// Quantizes a table of any size, block by block.
    ///
    /// # Errors
    /// Those of [`quantize`](Self::quantize) and of the source.
    pub fn quantize_rows(&self, rows: &mut dyn RowBlocks) -> Result<Quantization> {
        self.budget.check()?;
        let shape = [rows.vocab_size(), rows.dim()];
        let weights = weights_of(shape, self.row_weights.as_ref())?;
        let mut table = Table::new(rows, &weights)?;
        let moments = table.moments()?;
        let options = self.options(&mut table, &moments)?;
        let norms = options.planner.scale_range.is_some().then_some(moments.norms.as_slice());
        match self.budget.bytes(shape[0], shape[1]) {
            Some(bytes) => {
                let plan = options.choose(bytes)?;
                let plan = plan.ok_or_else(|| too_small(&options, bytes))?;
                self.code(&mut table, norms, &options, plan)
            }
            None => Err(Error::Overflow { what: "relative error" }),
        }
    }

    /// All that can be known before bits are given out.
    fn options(&self, table: &mut Table<'_>, moments: &Moments) -> Result<Options> {
        let (vocab_size, dim) = (table.vocab_size(), table.dim());
        let strata: Vec<Strata> =
            [Order::Ids, Order::Importance].map(|order| Strata::new(order, table.weights, &moments.norms)).into();
        let mut rotated = Vec::new();
        let mut add = |directions: Array2<f64>, seed| -> Result<()> {
            let sums = StrataSums::of_table(table, &moments.norms, &strata, directions.view())?;
            rotated.push(Rotated { directions, seed, sums });
            Ok(())
        };
        if self.rotation != RotationChoice::Hadamard {
            let eigen = linalg::symmetric_eigen(moments.gram.view())?;
            let rank = vocab_size.min(dim);
            let mut directions = eigen.vectors.slice_move(s![..rank, ..]);
            directions.rows_mut().into_iter().for_each(|row| {
                linalg::orient(row);
            });
            add(directions, None)?;
        }
        if self.rotation == RotationChoice::Hadamard {
            let directions = Rotation::Hadamard { seed: self.seed, dim }.to_matrix().mapv(f64::from);
            add(directions, Some(self.seed))?;
        }
        let importances: Vec<f64> = moments.norms.iter().zip(table.weights).map(|(norm, w)| w * norm * norm).collect();
        Options::new(Planner {
            level: self.level,
            shape: [vocab_size, dim],
            has_mean: table.has_mean(),
            energy: table.energy,
            strata,
            rotated,
            num_groups: self.num_groups,
            scale_range: self.row_scale.is_used(dim).then(|| ScaleRange::new(&moments.norms, &importances)),
        })
    }

    fn code(
        &self,
        table: &mut Table<'_>,
        norms: Option<&[f64]>,
        options: &Options,
        plan: Plan,
    ) -> Result<Quantization> {
        let choice = &plan.problem.choice;
        let all_widths = &plan.allocation.widths;
        let rotated = &options.planner.rotated[choice.rotation];
        let (rotation, stored) = match (rotated.seed, choice.direction_bits) {
            (None, Some(bits)) => {
                let mut used = used_directions(all_widths);
                if used.is_empty() {
                    used.push(0);
                }
                let coded = options.coded(bits);
                let directions: Vec<_> = used.iter().map(|&direction| &coded[direction]).collect();
                (Rotation::Basis(pack(&directions, table.dim(), bits)), used)
            }
            (seed, _) => {
                let rotation = Rotation::Hadamard { seed: seed.unwrap_or_default(), dim: table.dim() };
                (rotation, (0..table.dim()).collect())
            }
        };
        let directions = rotation.to_matrix();
        let widths = all_widths.select(Axis(1), &stored);
        let deviations = plan.problem.deviations().select(Axis(1), &stored);
        let group_of = options.planner.strata[choice.strata].groups_of_rows(&choice.grouping);
        let scale_bits = choice.row_scale_bits.map_or(0, usize::from);
        let groups_with = |scales: &Array2<f16>| -> Vec<CodeGroup> {
            let rows = widths.rows().into_iter().zip(scales.rows());
            rows.map(|(widths, scales)| CodeGroup::new(self.level, widths.to_vec(), scales.to_vec(), scale_bits))
                .collect()
        };
        let scales = stored_scales(&deviations, &Array2::ones(deviations.raw_dim()))?;
        let mut coding = Coding { directions: &directions, groups: groups_with(&scales), group_of: &group_of, norms };
        let deviations = deviations * coding.spreads(table)?;
        coding.groups = groups_with(&stored_scales(&deviations, &Array2::ones(deviations.raw_dim()))?);
        let codes = coding.encode(table)?;
        let scales = stored_scales(&deviations, &codes.gains)?;
        let groups = groups_with(&scales);
        let row_scales = choice.row_scale_bits.map(|bits| {
            let importances: Vec<f64> = codes.scales.iter().zip(table.weights).map(|(s, w)| w * s * s).collect();
            ScaleRange::new(&codes.scales, &importances).scales(bits)
        });
        let row_bytes: Vec<usize> = groups.iter().map(CodeGroup::row_bytes).collect();
        let row_groups = stored_groups(choice.grouping.order, &group_of, &row_bytes).ok_or_else(overflow)?;
        let invalid = |reason| Error::InvalidBytes { what: "quantized table", reason };
        let places = RowPlaces::new(row_groups.clone(), &groups, table.vocab_size()).map_err(invalid)?;
        let unscaled = Unscaled { directions: &directions, groups: &groups, places: &places, row_scales };
        let mut bytes = codes.bytes;
        let lost = unscaled.finish(table, &mut bytes)?;
        bytes.resize(bytes.len() + QuantizedFactors::CODE_PADDING, 0);
        let used_scales =
            widths.iter().zip(&scales).filter(|&(&width, _)| width > 0).map(|(_, &scale)| scale).collect();
        let factors = QuantizedFactors::new(QuantizedParts {
            level: self.level,
            vocab_size: table.vocab_size(),
            unit: table.unit,
            mean: table.has_mean().then(|| table.mean.clone()),
            rotation,
            widths,
            scales: used_scales,
            row_scales,
            row_groups,
            codes: SharedBytes::new(bytes),
        })
        .map_err(invalid)?;
        let share = |lost: f64, all: f64| if lost == 0.0 { 0.0 } else { (lost / all).sqrt() };
        let achieved = Energy {
            plain: share(lost.plain, table.energy.plain),
            weighted: share(lost.weighted, table.energy.weighted),
        };
        let predicted = options.relative_errors(&plan);
        let report = QuantizationReport::new(&factors, predicted, achieved);
        Ok(Quantization { factors, report })
    }
}

/// The error for a budget below that of any plan.
fn too_small(options: &Options, bytes: usize) -> Error {
    match options.min_bytes() {
        Ok(minimum) => Error::BudgetTooSmall { bytes, minimum },
        Err(error) => error,
    }
}

impl fmt::Debug for Quantizer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { budget, row_weights, level, num_groups, row_scale, rotation, seed } = self;
        write!(
            f,
            "Quantizer({budget:?}, {level:?}, groups {num_groups:?}, row scale {row_scale:?}, {rotation:?}, seed {seed}"
        )?;
        if let Some(row_weights) = row_weights {
            write!(f, ", {row_weights:?}")?;
        }
        f.write_str(")")
    }
}
