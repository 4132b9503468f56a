//! The table that is quantized, as the passes over its rows see it.

use std::ops::Range;

use half::f16;
use ndarray::{Array1, Array2, ArrayView2, Axis, s};

use crate::{
    Error, Result, RowBlocks, RowWeights,
    decompose::{
        parallel::map_in_order,
        passes::{check_finite, for_each_block},
    },
    embedding::check,
    linalg,
};

/// Rows that are worked with together.
const BLOCK_ROWS: usize = 1024;
/// How many such blocks of each thread wait for each other.
const PER_THREAD: usize = 2;
/// Rows whose importance adds up to less than this share of all may be larger than scales can say.
const NEGLIGIBLE: f64 = 1e-9;

/// A table less its mean, in a unit in which its numbers are neither too large nor too small for `f16`.
pub(super) struct Table<'a> {
    source: &'a mut dyn RowBlocks,
    /// The weight of each row, 1 on average \[`vocab_size`\].
    pub(super) weights: &'a [f64],
    /// A power of two.
    pub(super) unit: f32,
    /// The weighted mean in that unit \[dim\].
    pub(super) mean: Vec<f16>,
    /// Σ ‖e‖² and Σ w·‖e‖² of the rows, mean and all, in squares of the unit.
    pub(super) energy: Energy,
}

/// Sums of squares over rows.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Energy {
    pub(super) plain: f64,
    pub(super) weighted: f64,
}

impl Energy {
    pub(super) fn add(&mut self, other: Self) {
        self.plain += other.plain;
        self.weighted += other.weighted;
    }

    /// Relative errors, of what is lost of a table of this energy.
    pub(super) fn relative_to(self, all: Self) -> Self {
        let share = |lost: f64, all: f64| if lost <= 0.0 { 0.0 } else { (lost / all).sqrt() };
        Self { plain: share(self.plain, all.plain), weighted: share(self.weighted, all.weighted) }
    }
}

/// What the directions are found from.
pub(super) struct Moments {
    /// ‖x‖ of each row less the mean \[`vocab_size`\].
    pub(super) norms: Vec<f64>,
    /// Σ w·xᵀ·x \[dim, dim\], the lower triangle.
    pub(super) gram: Array2<f64>,
}

impl<'a> Table<'a> {
    /// Reads the table once.
    ///
    /// # Errors
    /// [`NonFinite`](Error::NonFinite), [`Overflow`](Error::Overflow) for a mean that `f16` rounds out of the range of `f32`, and those of
    /// the source.
    pub(super) fn new(source: &'a mut dyn RowBlocks, weights: &'a [f64]) -> Result<Self> {
        let dim = source.dim();
        let (mut sum, mut magnitudes, mut energy) =
            (Array1::<f64>::zeros(dim), Magnitudes::default(), Energy::default());
        for_each_block(source, 0, Some(weights), |first, block, weights| {
            check_finite(block, first)?;
            let weights = weights.unwrap_or_default();
            let work = |range: Range<usize>| {
                let mut part = (Array1::<f64>::zeros(dim), Magnitudes::default(), Energy::default());
                for (row, &weight) in block.slice(s![range.clone(), ..]).rows().into_iter().zip(&weights[range]) {
                    let (mut square, mut largest) = (0.0, 0.0_f64);
                    for (sum, &number) in part.0.iter_mut().zip(row) {
                        let number = f64::from(number);
                        *sum += weight * number;
                        square += number * number;
                        largest = largest.max(number.abs());
                    }
                    part.1.add(largest, weight * square);
                    part.2.add(Energy { plain: square, weighted: weight * square });
                }
                part
            };
            map_in_order(block.nrows(), BLOCK_ROWS, PER_THREAD, work, |part| {
                sum += &part.0;
                magnitudes.merge(&part.1);
                energy.add(part.2);
                Ok(())
            })
        })?;
        let unit = magnitudes.unit(dim);
        let scale = f64::from(unit).recip();
        let weight: f64 = weights.iter().sum();
        let mean: Vec<f16> = sum.iter().map(|sum| f16::from_f64(sum / weight * scale)).collect();
        if !mean.iter().all(|number| (number.to_f32() * unit).is_finite()) {
            return Err(overflow());
        }
        let energy = Energy { plain: energy.plain * scale * scale, weighted: energy.weighted * scale * scale };
        Ok(Self { source, weights, unit, mean, energy })
    }

    pub(super) fn vocab_size(&self) -> usize {
        self.weights.len()
    }

    pub(super) fn dim(&self) -> usize {
        self.mean.len()
    }

    /// Whether the mean is other than zero.
    pub(super) fn has_mean(&self) -> bool {
        self.mean.iter().any(|number| number.to_f32() != 0.0)
    }

    /// Reads the table once: calls `map` with blocks of consecutive rows less the mean, in the unit, several at a time, and `fold` on what
    /// they give, in order. The first argument of `map` is the range of the rows.
    ///
    /// # Errors
    /// Those of the source and of `fold`.
    pub(super) fn pass<T: Send>(
        &mut self,
        map: impl Fn(Range<usize>, ArrayView2<'_, f32>) -> T + Send + Sync,
        mut fold: impl FnMut(T) -> Result<()>,
    ) -> Result<()> {
        let scale = f64::from(self.unit).recip();
        let mean: Vec<f64> = self.mean.iter().map(|&number| f64::from(number)).collect();
        for_each_block(self.source, 0, None, |first, block, _| {
            let work = |range: Range<usize>| {
                let mut rows = block.slice(s![range.clone(), ..]).to_owned();
                for mut row in rows.rows_mut() {
                    row.iter_mut()
                        .zip(&mean)
                        .for_each(|(number, mean)| *number = (f64::from(*number) * scale - mean) as f32);
                }
                map(first + range.start..first + range.end, rows.view())
            };
            map_in_order(block.nrows(), BLOCK_ROWS, PER_THREAD, work, &mut fold)
        })
    }

    /// Reads the table once.
    ///
    /// # Errors
    /// Those of the source.
    pub(super) fn moments(&mut self) -> Result<Moments> {
        let (vocab_size, dim, weights) = (self.vocab_size(), self.dim(), self.weights);
        let mut moments = Moments { norms: Vec::with_capacity(vocab_size), gram: Array2::zeros((dim, dim)) };
        let work = |range: Range<usize>, rows: ArrayView2<'_, f32>| {
            let mut wide = rows.mapv(f64::from);
            let norms: Vec<f64> = wide.rows().into_iter().map(|row| row.dot(&row).sqrt()).collect();
            for (mut row, weight) in wide.axis_iter_mut(Axis(0)).zip(&weights[range]) {
                row *= weight.sqrt();
            }
            (norms, linalg::gram(wide.view()))
        };
        self.pass(work, |(norms, gram)| {
            moments.norms.extend(norms);
            moments.gram += &gram;
            Ok(())
        })?;
        Ok(moments)
    }
}

/// The weight of each row of a table of this shape, 1 on average.
///
/// # Errors
/// [`Empty`](Error::Empty), [`VocabularyTooLarge`](Error::VocabularyTooLarge), [`TableTooLarge`](Error::TableTooLarge),
/// [`ShapeMismatch`](Error::ShapeMismatch), [`AllWeightsZero`](Error::AllWeightsZero).
pub(super) fn weights_of(shape: [usize; 2], weights: Option<&RowWeights>) -> Result<Vec<f64>> {
    check::table("table [vocab_size, dim]", shape)?;
    check::addressable(shape[0], shape[1])?;
    match weights {
        Some(weights) => weights.for_rows(shape[0]),
        None => Ok(vec![1.0; shape[0]]),
    }
}

/// How much rows of each magnitude matter.
#[derive(Clone)]
struct Magnitudes {
    /// Σ w·‖e‖² over the rows whose largest number is 2ᵏ or more, below 2ᵏ⁺¹, for k from [`Self::FIRST`] on.
    importances: [f64; 278],
    largest: usize,
}

impl Default for Magnitudes {
    fn default() -> Self {
        Self { importances: [0.0; 278], largest: 0 }
    }
}

impl Magnitudes {
    /// The exponent of the smallest `f32`.
    const FIRST: i32 = -149;
    /// How many binary orders above the unit numbers may be, so that their squares are far within `f32`.
    const MOST: f64 = 60.0;

    fn add(&mut self, largest: f64, importance: f64) {
        if largest > 0.0 {
            let place = ((largest.log2().floor() as i32 - Self::FIRST).max(0) as usize).min(self.importances.len() - 1);
            self.importances[place] += importance;
            self.largest = self.largest.max(place);
        }
    }

    fn merge(&mut self, other: &Self) {
        self.importances.iter_mut().zip(&other.importances).for_each(|(all, part)| *all += part);
        self.largest = self.largest.max(other.largest);
    }

    /// The power of two in which rows of `dim` numbers fit into `f16` well: all that matter more than next to nothing.
    fn unit(&self, dim: usize) -> f32 {
        let all: f64 = self.importances.iter().sum();
        if all == 0.0 {
            return 1.0;
        }
        let mut above = 0.0;
        let matters = |&place: &usize| {
            above += self.importances[place];
            above > NEGLIGIBLE * all
        };
        let exponent = |place: usize| place as f64 + f64::from(Self::FIRST);
        let place = (0..self.importances.len()).rev().find(matters).unwrap_or(self.largest);
        // A row is at most √dim times as long as its largest number, and a scale no larger than it.
        let headroom = (14.0 - (dim as f64).log2() / 2.0).min(5.0).floor();
        (exponent(place) - headroom).max(exponent(self.largest) - Self::MOST).clamp(-126.0, 126.0).exp2() as f32
    }
}

/// # Errors
/// [`Overflow`](Error::Overflow).
pub(super) fn overflow() -> Error {
    Error::Overflow { what: "quantized table" }
}
