//! From rows to codes.

use std::ops::Range;

use half::f16;
use ndarray::{Array2, ArrayView2, Axis};

use super::{Level, table::Table, trellis::TrellisEncoder};
use crate::{
    Result,
    factors::{CodeGroup, write_bits},
    linalg,
};

/// How the rows of a table are to be coded.
pub(super) struct Coding<'a> {
    /// V̂ as it is stored \[rank, dim\].
    pub(super) directions: &'a Array2<f32>,
    pub(super) groups: Vec<CodeGroup>,
    /// The group of each row \[`vocab_size`\].
    pub(super) group_of: &'a [u8],
    /// What each row is divided by \[`vocab_size`\]; `None` where rows have no scales.
    pub(super) norms: Option<&'a [f64]>,
}

/// Codes of all rows, and what is to be multiplied with what they stand for so that the error is least.
pub(super) struct Codes {
    /// The scales of rows are zeros yet.
    pub(super) bytes: Vec<u8>,
    /// For each direction of each group \[groups, rank\].
    pub(super) gains: Array2<f64>,
    /// The scale of each row \[`vocab_size`\], where rows have any.
    pub(super) scales: Vec<f64>,
}

/// From a row to its coordinates in the directions of a group, in the order of their codes \[dim, codes\].
pub(super) type Projection = Array2<f32>;

/// What a block of rows gives.
struct Part {
    bytes: Vec<u8>,
    /// Σ ω·u·q and Σ ω·q² of coordinates u and the codes q they get \[groups\]\[codes\].
    sums: Vec<Vec<(f64, f64)>>,
    scales: Vec<f64>,
}

impl Coding<'_> {
    /// Reads the table once.
    ///
    /// # Errors
    /// Those of the source, and [`NoConvergence`](crate::Error::NoConvergence).
    pub(super) fn encode(&self, table: &mut Table<'_>) -> Result<Codes> {
        let projections = self.projections()?;
        let weights = table.weights;
        let rank = self.directions.nrows();
        let mut bytes = Vec::new();
        let mut scales = Vec::new();
        let mut sums: Vec<Vec<(f64, f64)>> = self.no_sums();
        let work = |range: Range<usize>, rows: ArrayView2<'_, f32>| self.block(range, rows, weights, &projections);
        table.pass(work, |part| {
            bytes.extend_from_slice(&part.bytes);
            scales.extend_from_slice(&part.scales);
            for (sums, part) in sums.iter_mut().flatten().zip(part.sums.into_iter().flatten()) {
                *sums = (sums.0 + part.0, sums.1 + part.1);
            }
            Ok(())
        })?;
        let mut gains = Array2::ones((self.groups.len(), rank));
        for ((group, sums), mut gains) in self.groups.iter().zip(&sums).zip(gains.axis_iter_mut(Axis(0))) {
            for (&direction, &(product, square)) in group.order.iter().zip(sums) {
                if square > 0.0 {
                    gains[direction as usize] = product / square;
                }
            }
        }
        Ok(Codes { bytes, gains, scales })
    }

    /// # Errors
    /// [`NoConvergence`](crate::Error::NoConvergence).
    pub(super) fn projections(&self) -> Result<Vec<Projection>> {
        self.groups.iter().map(|group| self.projection(group)).collect()
    }

    /// What a row is divided by.
    pub(super) fn norm(&self, row: usize) -> f64 {
        self.norms.map_or(1.0, |norms| norms[row])
    }

    /// Calls `work` with every group that codes anything and that any of the rows is in: its number, the group, which of the rows these
    /// are, and their coordinates in the order of codes.
    pub(super) fn for_each_group(
        &self,
        range: Range<usize>,
        rows: ArrayView2<'_, f32>,
        is_wanted: impl Fn(usize) -> bool,
        projections: &[Projection],
        mut work: impl FnMut(usize, &CodeGroup, &[usize], ArrayView2<'_, f32>),
    ) {
        for (number, (group, projection)) in self.groups.iter().zip(projections).enumerate() {
            let is_member = |&row: &usize| {
                let id = range.start + row;
                usize::from(self.group_of[id]) == number && is_wanted(id)
            };
            let members: Vec<usize> = (0..rows.nrows()).filter(is_member).collect();
            if !group.order.is_empty() && !members.is_empty() {
                let coordinates = linalg::product(rows.select(Axis(0), &members).view(), projection.view());
                work(number, group, &members, coordinates.view());
            }
        }
    }

    fn no_sums(&self) -> Vec<Vec<(f64, f64)>> {
        self.groups.iter().map(|group| vec![(0.0, 0.0); group.order.len()]).collect()
    }

    /// V̂ᵀ·(V̂·V̂ᵀ)⁻¹ for the directions that a group uses: coordinates of least squares.
    ///
    /// # Errors
    /// [`NoConvergence`](crate::Error::NoConvergence).
    fn projection(&self, group: &CodeGroup) -> Result<Projection> {
        let used: Vec<usize> = group.order.iter().map(|&direction| direction as usize).collect();
        if used.is_empty() {
            return Ok(Array2::zeros((self.directions.ncols(), 0)));
        }
        let directions = self.directions.select(Axis(0), &used).mapv(f64::from);
        let gram = linalg::product(directions.view(), directions.t());
        let solution = linalg::solve_gram(gram.view(), 0.0, directions.view())?;
        Ok(solution.t().mapv(|number| number as f32).as_standard_layout().into_owned())
    }

    fn block(
        &self,
        range: Range<usize>,
        rows: ArrayView2<'_, f32>,
        weights: &[f64],
        projections: &[Projection],
    ) -> Part {
        let group_of = &self.group_of[range.clone()];
        let mut starts = Vec::with_capacity(rows.nrows());
        let mut len = 0;
        for &group in group_of {
            starts.push(len);
            len += self.groups[usize::from(group)].row_bytes();
        }
        let mut part = Part { bytes: vec![0; len], sums: self.no_sums(), scales: vec![0.0; rows.nrows()] };
        let first = range.start;
        self.for_each_group(
            range,
            rows,
            |_| true,
            projections,
            |number, group, members, coordinates| {
                let mut coder = Coder::new(group);
                for (&row, coordinates) in members.iter().zip(coordinates.rows()) {
                    let norm = self.norm(first + row);
                    let bytes = &mut part.bytes[starts[row]..][..group.row_bytes()];
                    coder.code(coordinates.as_slice().unwrap_or_default(), norm, bytes);
                    let (product, square) = coder.add_sums(weights[first + row] * norm * norm, &mut part.sums[number]);
                    part.scales[row] = if square > 0.0 { (norm * product / square).max(0.0) } else { norm };
                }
            },
        );
        part
    }
}

/// Codes rows of one group.
struct Coder<'a> {
    group: &'a CodeGroup,
    /// The scale of each code \[codes\].
    scales: Vec<f32>,
    /// Between which numbers which code is the nearest, for each run that is no trellis.
    thresholds: Vec<Vec<f32>>,
    /// The first of the codes that are steps of the trellis, if any are.
    first_step: Option<usize>,
    trellis: TrellisEncoder,
    /// The width of each code, and what the square of an error in it is multiplied with.
    widths: Vec<u8>,
    squares: Vec<f32>,
    /// The coordinates of a row of norm 1, in units of their scales, and what their codes stand for.
    coordinates: Vec<f32>,
    targets: Vec<f32>,
    values: Vec<f32>,
}

impl<'a> Coder<'a> {
    fn new(group: &'a CodeGroup) -> Self {
        let scales: Vec<f32> = group.order.iter().map(|&direction| group.scales[direction as usize].to_f32()).collect();
        let thresholds = group.runs.iter().map(|run| {
            let levels = if run.is_trellis { &[] } else { Level::Scalar.codebook(run.width) };
            levels.windows(2).map(|pair| f32::midpoint(pair[0], pair[1])).collect()
        });
        let is_step = group.runs.iter().flat_map(|run| std::iter::repeat_n(run.is_trellis, run.count));
        let zeros = || vec![0.0; scales.len()];
        Self {
            group,
            thresholds: thresholds.collect(),
            first_step: is_step.into_iter().position(|is_step| is_step),
            trellis: TrellisEncoder::new(),
            widths: group.order.iter().map(|&direction| group.widths[direction as usize]).collect(),
            squares: scales.iter().map(|scale| scale * scale).collect(),
            coordinates: zeros(),
            targets: zeros(),
            values: zeros(),
            scales,
        }
    }

    /// Into bytes that are zeros.
    fn code(&mut self, coordinates: &[f32], norm: f64, bytes: &mut [u8]) {
        for (code, &coordinate) in coordinates.iter().enumerate() {
            let scale = self.scales[code];
            self.coordinates[code] = if norm > 0.0 { (f64::from(coordinate) / norm) as f32 } else { 0.0 };
            self.targets[code] = if scale > 0.0 { self.coordinates[code] / scale } else { 0.0 };
        }
        let (mut code, mut start) = (0, 0);
        for (run, thresholds) in self.group.runs.iter().zip(&self.thresholds).take_while(|(run, _)| !run.is_trellis) {
            let (width, levels) = (usize::from(run.width), Level::Scalar.codebook(run.width));
            for code in code..code + run.count {
                let number = thresholds.partition_point(|&threshold| threshold < self.targets[code]);
                write_bits(bytes, start, width, number as u32);
                self.values[code] = levels[number] * self.scales[code];
                start += width;
            }
            code += run.count;
        }
        if let Some(first) = self.first_step {
            let (targets, squares) = (&self.targets[first..], &self.squares[first..]);
            self.trellis.encode(targets, squares, &self.widths[first..], bytes, start);
            let steps = self.values[first..].iter_mut().zip(&self.scales[first..]).zip(self.trellis.values());
            steps.for_each(|((value, scale), level)| *value = level * scale);
        }
    }

    /// Adds ω·u·q and ω·q² of the row that was coded last to those of its group; Σ u·q and Σ q² of the row.
    fn add_sums(&self, importance: f64, sums: &mut [(f64, f64)]) -> (f64, f64) {
        let (mut product, mut square) = (0.0, 0.0);
        for ((sums, &coordinate), &value) in sums.iter_mut().zip(&self.coordinates).zip(&self.values) {
            let (coordinate, value) = (f64::from(coordinate), f64::from(value));
            let (own_product, own_square) = (coordinate * value, value * value);
            *sums = (sums.0 + importance * own_product, sums.1 + importance * own_square);
            product += own_product;
            square += own_square;
        }
        (product, square)
    }
}

/// Scales as they are stored. Only rows that matter next to nothing are beyond the range, see the unit of a [`Table`].
pub(super) fn stored_scales(scales: &Array2<f64>) -> Array2<f16> {
    scales.mapv(|scale| f16::from_f64(scale.clamp(f16::MIN.into(), f16::MAX.into())))
}
