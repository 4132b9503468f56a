//! From a table to its codes.

#[cfg(feature = "serde")]
mod stored;

use std::fmt;

use ndarray::ArrayView2;

use super::{
    Budget, Level, QuantizationReport, RotationChoice, RowScale,
    build::{Built, build},
    plan::{Options, Plan, Planner, Rotated},
    rotations::{self, Directions},
    row_scales::ScaleRange,
    search,
    settings::check_groups,
    strata::{Order, Strata, StrataSums},
    table::{Moments, Table, weights_of},
};
use crate::{ArrayRows, Error, QuantizedFactors, Result, RowBlocks, RowWeights};

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
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(try_from = "stored::Quantizer"))]
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
        let build = |table: &mut Table<'_>, plan: &Plan| build(table, norms, &options, plan);
        if let Some(bytes) = self.budget.bytes(shape[0], shape[1]) {
            let plan = options.choose(bytes)?.ok_or_else(|| too_small(&options, bytes))?;
            return report(&options, &plan, build(&mut table, &plan)?, bytes);
        }
        let Budget::RelativeError(error) = self.budget else {
            return Err(Error::InvalidSetting { name: "budget", value: f64::NAN, expected: "one that is known" });
        };
        let (plan, built, bytes) = search::within_error(&options, error, |plan| build(&mut table, plan))?;
        report(&options, &plan, built, bytes)
    }

    /// All that can be known before bits are given out.
    fn options(&self, table: &mut Table<'_>, moments: &Moments) -> Result<Options> {
        let (vocab_size, dim) = (table.vocab_size(), table.dim());
        let strata: Vec<Strata> =
            [Order::Ids, Order::Importance].map(|order| Strata::new(order, table.weights, &moments.norms)).into();
        let mut rotated = Vec::new();
        for Directions { vectors, seed } in rotations::candidates(moments, vocab_size, self.rotation, self.seed)? {
            let sums = StrataSums::of_table(table, &moments.norms, &strata, vectors.view())?;
            rotated.push(Rotated { directions: vectors, seed, sums });
        }
        let importances: Vec<f64> = moments.norms.iter().zip(table.weights).map(|(norm, w)| w * norm * norm).collect();
        Options::new(Planner {
            level: self.level,
            shape: [vocab_size, dim],
            has_mean: table.has_mean(),
            is_weighted: self.row_weights.is_some(),
            energy: table.energy,
            strata,
            rotated,
            num_groups: self.num_groups,
            scale_range: self.row_scale.is_used(dim).then(|| ScaleRange::new(&moments.norms, &importances)),
        })
    }
}

fn report(options: &Options, plan: &Plan, built: Built, bytes: usize) -> Result<Quantization> {
    let report = QuantizationReport::new(options, plan, &built, bytes)?;
    Ok(Quantization { factors: built.factors, report })
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
