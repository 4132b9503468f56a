//! How far codes are spread out.
//!
//! The levels of a quantizer for Gaussian numbers err least for these when they are scaled with the standard deviation. Numbers that are
//! far out more often want a larger scale, the more so the finer the codes are: it is looked for among a few, on a sample of rows.

use std::ops::Range;

use ndarray::{Array2, ArrayView2};

use super::{Level, encode::Coding, table::Table};
use crate::{Result, factors::CodeGroup};

/// Scales that are tried, in units of the standard deviation.
const SPREADS: [f64; 12] = [0.92, 1.0, 1.09, 1.18, 1.3, 1.42, 1.56, 1.7, 1.9, 2.1, 2.35, 2.6];
/// The most rows of a group that are looked at.
const SAMPLE: usize = 1500;

/// Σ ω·(u − q)² of coordinates u and their codes q, with each of the scales \[codes\].
type Errors = Vec<[f64; SPREADS.len()]>;

impl Coding<'_> {
    /// What the scales of the coding are best multiplied with \[groups, rank\]. Reads the table once.
    ///
    /// # Errors
    /// Those of the source, and [`NoConvergence`](crate::Error::NoConvergence).
    pub(super) fn spreads(&self, table: &mut Table<'_>) -> Result<Array2<f64>> {
        let projections = self.projections()?;
        let sampled = self.sample();
        let weights = table.weights;
        let mut errors: Vec<Errors> = self.no_errors();
        let work = |range: Range<usize>, rows: ArrayView2<'_, f32>| {
            let mut errors = self.no_errors();
            self.for_each_group(
                range.clone(),
                rows,
                |row| sampled[row],
                &projections,
                |number, group, members, coordinates| {
                    let tried = Tried::new(group);
                    for (&row, coordinates) in members.iter().zip(coordinates.rows()) {
                        let norm = self.norm(range.start + row);
                        let importance = weights[range.start + row] * norm * norm;
                        if norm > 0.0 {
                            tried.add(
                                coordinates.as_slice().unwrap_or_default(),
                                norm,
                                importance,
                                &mut errors[number],
                            );
                        }
                    }
                },
            );
            errors
        };
        table.pass(work, |part| {
            for (errors, part) in errors.iter_mut().flatten().zip(part.into_iter().flatten()) {
                errors.iter_mut().zip(part).for_each(|(error, part)| *error += part);
            }
            Ok(())
        })?;
        let mut spreads = Array2::ones((self.groups.len(), self.directions.nrows()));
        for (number, (group, errors)) in self.groups.iter().zip(&errors).enumerate() {
            for (&direction, errors) in group.order.iter().zip(errors) {
                let best = (0..SPREADS.len()).min_by(|&a, &b| errors[a].total_cmp(&errors[b]));
                if let Some(best) = best.filter(|&best| errors[best] > 0.0) {
                    spreads[[number, direction as usize]] = SPREADS[best];
                }
            }
        }
        Ok(spreads)
    }

    fn no_errors(&self) -> Vec<Errors> {
        self.groups.iter().map(|group| vec![[0.0; SPREADS.len()]; group.order.len()]).collect()
    }

    /// Whether each row is looked at: of every group the same share of all parts of the table.
    fn sample(&self) -> Vec<bool> {
        let mut sizes = vec![0_usize; self.groups.len()];
        self.group_of.iter().for_each(|&group| sizes[usize::from(group)] += 1);
        let mut seen = vec![0_usize; self.groups.len()];
        let is_sampled = |&group: &u8| {
            let group = usize::from(group);
            seen[group] += 1;
            (seen[group] - 1).is_multiple_of(sizes[group].div_ceil(SAMPLE))
        };
        self.group_of.iter().map(is_sampled).collect()
    }
}

/// Codes of a group that are tried with all scales.
struct Tried {
    scales: Vec<f32>,
    widths: Vec<u8>,
    /// Between which numbers which code is the nearest, for each width.
    thresholds: Vec<Vec<f32>>,
}

impl Tried {
    fn new(group: &CodeGroup) -> Self {
        let thresholds = |width: u8| -> Vec<f32> {
            Level::Scalar.codebook(width).windows(2).map(|pair| f32::midpoint(pair[0], pair[1])).collect()
        };
        let widths = group.runs.iter().flat_map(|run| {
            // Steps of a trellis reach as far as codes of one bit more.
            let width = if run.is_trellis { run.width + 1 } else { run.width };
            std::iter::repeat_n(width, run.count)
        });
        Self {
            scales: group.order.iter().map(|&direction| group.scales[direction as usize].to_f32()).collect(),
            widths: widths.collect(),
            thresholds: (0..=Level::MAX_WIDTH).map(thresholds).collect(),
        }
    }

    fn add(&self, coordinates: &[f32], norm: f64, importance: f64, errors: &mut Errors) {
        for (code, (&coordinate, errors)) in coordinates.iter().zip(errors).enumerate() {
            let (width, scale) = (self.widths[code], self.scales[code]);
            let levels = Level::Scalar.codebook(width);
            let thresholds = &self.thresholds[usize::from(width)];
            let coordinate = (f64::from(coordinate) / norm) as f32;
            for (error, spread) in errors.iter_mut().zip(SPREADS) {
                let scale = scale * spread as f32;
                let target = if scale > 0.0 { coordinate / scale } else { 0.0 };
                let level = levels[thresholds.partition_point(|&threshold| threshold < target)];
                let difference = f64::from(coordinate - level * scale);
                *error += importance * difference * difference;
            }
        }
    }
}
