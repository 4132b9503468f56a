//! What methods can be told beside the rank.

use clap::{Args, ValueEnum};
use factorized_embedding::{
    MeanRemoval,
    quantize::{self, RotationChoice},
};

use crate::{method::Method, support::Result};

/// Options that some methods take; what is not given is left to the method.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Options of some methods")]
pub(crate) struct Settings {
    /// Keep the (weighted) mean of the rows apart, as a bias that lookups add
    ///
    /// Not for als; if-better not for randomized. [default: never]
    #[arg(long, value_enum, value_name = "WHEN", hide_default_value = true, requires = "input")]
    pub(crate) mean: Option<Mean>,

    /// randomized: how often the directions meet the table again [default: 2]
    #[arg(long, value_name = "N", requires = "input")]
    pub(crate) power_iterations: Option<usize>,

    /// randomized: so many directions more than the rank, where the rank is given [default: 10]
    #[arg(long, value_name = "N", requires = "input")]
    pub(crate) oversampling: Option<usize>,

    /// randomized, als: the seed of random directions; quantized: that of a random rotation [default: 0]
    #[arg(long, value_name = "SEED", requires = "input")]
    pub(crate) seed: Option<u64>,

    /// als: ridge term, this times the sum of squares of the factors [default: 0]
    #[arg(long, value_name = "NUMBER", requires = "input")]
    pub(crate) ridge: Option<f64>,

    /// als: at most so many iterations [default: 100]; blockwise: at most so many rounds that move rows to the group that fits
    /// them best [default: 0]
    #[arg(long, value_name = "N", requires = "input")]
    pub(crate) iterations: Option<usize>,

    /// blockwise: so many groups of rows by frequency, each 1.5 times as large as the one before [default: 6]; quantized: so
    /// many by importance, at most 16 [default: by the number of rows]
    #[arg(long, value_name = "N", requires = "input")]
    pub(crate) row_groups: Option<usize>,

    /// quantized: how coordinates are coded [default: scalar]
    #[arg(long, value_enum, value_name = "LEVEL", hide_default_value = true, requires = "input")]
    pub(crate) level: Option<Level>,

    /// quantized: whether every row has a scale of its own [default: auto]
    #[arg(long, value_enum, value_name = "WHEN", hide_default_value = true, requires = "input")]
    pub(crate) row_scale: Option<RowScale>,

    /// quantized: the directions that rows are rotated into [default: auto]
    #[arg(long, value_enum, value_name = "DIRECTIONS", hide_default_value = true, requires = "input")]
    pub(crate) rotation: Option<Rotation>,
}

/// How coordinates are coded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Level {
    /// Each for itself
    Scalar,
    /// All of a row together: less error in the same bytes, slower to make and to read
    Trellis,
}

/// Whether rows have scales.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum RowScale {
    /// For rows of many numbers
    Auto,
    Always,
    Never,
}

/// What rows are rotated into.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Rotation {
    /// Whichever of the others promises less error
    Auto,
    /// The directions of an SVD, which take bytes
    Svd,
    /// A random rotation, which takes none
    Hadamard,
}

/// When the mean is kept apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Mean {
    Never,
    Always,
    /// Where that is the better use of its bytes
    IfBetter,
}

impl Settings {
    pub(crate) fn check(&self, method: Method) -> Result<()> {
        let given = [
            ("--mean", self.mean.is_some()),
            ("--power-iterations", self.power_iterations.is_some()),
            ("--oversampling", self.oversampling.is_some()),
            ("--seed", self.seed.is_some()),
            ("--ridge", self.ridge.is_some()),
            ("--iterations", self.iterations.is_some()),
            ("--row-groups", self.row_groups.is_some()),
            ("--level", self.level.is_some()),
            ("--row-scale", self.row_scale.is_some()),
            ("--rotation", self.rotation.is_some()),
        ];
        let given: Vec<&str> = given.into_iter().filter_map(|(option, given)| given.then_some(option)).collect();
        method.check(&given)?;
        if method == Method::Randomized && self.mean == Some(Mean::IfBetter) {
            return Err("--mean if-better needs all singular values, which --method randomized does not compute: \
                        use never or always, or another method"
                .into());
        }
        Ok(())
    }

    pub(crate) fn mean_removal(&self) -> MeanRemoval {
        match self.mean {
            None | Some(Mean::Never) => MeanRemoval::Never,
            Some(Mean::Always) => MeanRemoval::Always,
            Some(Mean::IfBetter) => MeanRemoval::IfBetter,
        }
    }

    /// A quantizer that is told these.
    pub(crate) fn quantizer(&self, budget: quantize::Budget) -> Result<quantize::Quantizer> {
        let mut quantizer = quantize::Quantizer::new(budget).with_seed(self.seed.unwrap_or_default());
        if let Some(groups) = self.row_groups {
            quantizer = quantizer.with_groups(groups)?;
        }
        if let Some(level) = self.level {
            quantizer = quantizer.with_level(match level {
                Level::Scalar => quantize::Level::Scalar,
                Level::Trellis => quantize::Level::Trellis,
            });
        }
        if let Some(row_scale) = self.row_scale {
            quantizer = quantizer.with_row_scale(match row_scale {
                RowScale::Auto => quantize::RowScale::Automatic,
                RowScale::Always => quantize::RowScale::Always,
                RowScale::Never => quantize::RowScale::Never,
            });
        }
        if let Some(rotation) = self.rotation {
            quantizer = quantizer.with_rotation(match rotation {
                Rotation::Auto => RotationChoice::Automatic,
                Rotation::Svd => RotationChoice::Svd,
                Rotation::Hadamard => RotationChoice::Hadamard,
            });
        }
        Ok(quantizer)
    }
}
