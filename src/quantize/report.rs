//! What a quantized table takes and what it lost.

use std::fmt;

use ndarray::Array2;

use super::{
    PartBytes,
    build::Built,
    plan::{Options, Plan},
};
use crate::{QuantizedFactors, Result, factors::CodeGroup};

/// How a table was quantized: where the bytes went, and what was lost.
///
/// Its `Display` is a table to be read.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct QuantizationReport {
    /// Rows and columns of the table.
    pub shape: [usize; 2],
    /// The bytes of each part.
    pub part_bytes: PartBytes,
    /// How many times fewer bytes all parts take than the table in `f32`.
    pub ratio: f64,
    /// Bits of all parts for each number of the table.
    pub bits_per_weight: f64,
    /// ‖E − Ê‖ / ‖E‖, Frobenius norms, measured on what comes back.
    pub relative_error: f64,
    /// The same with the squared norm of each row weighted; the same number where there are no row weights.
    pub weighted_relative_error: f64,
    /// The relative error that was to be expected.
    pub predicted_relative_error: f64,
    /// The weighted relative error that was to be expected.
    pub predicted_weighted_relative_error: f64,
    /// The groups of rows, the most important one first.
    pub groups: Vec<GroupReport>,
    /// Other ratios that would cost almost nothing, or save much; one of each at most.
    pub advice: Vec<Advice>,
}

/// A group of rows and its codes.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct GroupReport {
    /// How many rows are in it.
    pub rows: usize,
    /// Bytes of each of them.
    pub row_bytes: usize,
    /// How many directions have codes of 0, 1, … 8 bits.
    pub directions: [usize; 9],
}

/// What is to be expected at another ratio of bytes.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Advice {
    /// The ratio.
    pub ratio: f64,
    /// How many times the (weighted) error of this table it would have.
    pub error: f64,
}

/// Multiples of the ratio that may be worth it, those that save the most bytes first.
const FEWER_BYTES: [f64; 4] = [4.0, 2.0, 1.5, 1.25];
/// Errors that are larger by no more than this are almost the same.
const ALMOST_THE_SAME: f64 = 1.02;
/// Multiples of the ratio whose bytes may pay, those that cost the least first.
const MORE_BYTES: [f64; 3] = [0.8, 1.0 / 1.5, 0.5];
/// Errors that are so many times smaller pay.
const MUCH_LESS: f64 = 0.6;

impl QuantizationReport {
    /// Of a plan for a file of so many bytes.
    pub(super) fn new(options: &Options, plan: &Plan, built: &Built, bytes: usize) -> Result<Self> {
        let Built { factors, errors } = built;
        let shape = options.planner.shape;
        let predicted = options.relative_errors(plan);
        let numbers = shape[0] as f64 * shape[1] as f64;
        Ok(Self {
            shape,
            part_bytes: factors.part_bytes(),
            ratio: 4.0 * numbers / factors.size_in_bytes() as f64,
            bits_per_weight: 8.0 * factors.size_in_bytes() as f64 / numbers,
            relative_error: errors.plain,
            weighted_relative_error: errors.weighted,
            predicted_relative_error: predicted.plain,
            predicted_weighted_relative_error: predicted.weighted,
            groups: groups(factors),
            advice: advice(options, predicted.weighted, bytes)?,
        })
    }
}

fn groups(factors: &QuantizedFactors) -> Vec<GroupReport> {
    let rows = factors.places().rows_of_groups();
    let row_bytes = factors.groups().iter().map(CodeGroup::row_bytes);
    let widths: Array2<u8> = factors.widths();
    let directions = widths.rows().into_iter().map(|widths| {
        let mut directions = [0; 9];
        widths.iter().for_each(|&width| directions[usize::from(width)] += 1);
        directions
    });
    let parts = rows.into_iter().zip(row_bytes).zip(directions);
    parts.map(|((rows, row_bytes), directions)| GroupReport { rows, row_bytes, directions }).collect()
}

fn advice(options: &Options, expected: f64, bytes: usize) -> Result<Vec<Advice>> {
    if expected == 0.0 {
        return Ok(Vec::new());
    }
    let [vocab_size, dim] = options.planner.shape;
    let ratio = 4.0 * vocab_size as f64 * dim as f64 / bytes as f64;
    let first = |factors: &[f64], is_worth: &dyn Fn(f64) -> bool| -> Result<Option<Advice>> {
        for factor in factors {
            if let Some(plan) = options.choose((bytes as f64 / factor) as usize)? {
                let error = options.relative_errors(&plan).weighted / expected;
                if is_worth(error) {
                    return Ok(Some(Advice { ratio: ratio * factor, error }));
                }
            }
        }
        Ok(None)
    };
    let cheaper = first(&FEWER_BYTES, &|error| error <= ALMOST_THE_SAME)?;
    let better = first(&MORE_BYTES, &|error| error <= MUCH_LESS)?;
    Ok(cheaper.into_iter().chain(better).collect())
}

impl fmt::Display for QuantizationReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let PartBytes { codes, directions, scales, groups, mean } = self.part_bytes;
        let bytes = codes + directions + scales + groups + mean;
        writeln!(f, "{bytes} bytes, 1/{:.1} of f32, {:.2} bits a number", self.ratio, self.bits_per_weight)?;
        for (name, bytes) in [
            ("codes", codes),
            ("directions", directions),
            ("scales", scales),
            ("groups of rows", groups),
            ("mean", mean),
        ] {
            writeln!(f, "  {name:<16}{bytes:>12}")?;
        }
        writeln!(f, "relative error {:.4}, expected {:.4}", self.relative_error, self.predicted_relative_error)?;
        let (measured, expected) = (self.weighted_relative_error, self.predicted_weighted_relative_error);
        writeln!(f, "      weighted {measured:.4}, expected {expected:.4}")?;
        write!(f, "{:>9}{:>13}  directions in codes of 0 to 8 bits", "rows", "bytes a row")?;
        for GroupReport { rows, row_bytes, directions } in &self.groups {
            write!(f, "\n{rows:>9}{row_bytes:>13} ")?;
            directions.iter().try_for_each(|directions| write!(f, "{directions:>6}"))?;
        }
        for advice in &self.advice {
            write!(f, "\n{advice}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Advice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { ratio, error } = self;
        if *error < 1.0 {
            write!(f, "1/{ratio:.1} of f32 would leave {:.0} % of the error", 100.0 * error)
        } else {
            write!(f, "1/{ratio:.1} of f32 would cost {:.1} % more error", 100.0 * (error - 1.0))
        }
    }
}
