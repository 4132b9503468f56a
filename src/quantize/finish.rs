//! Scales of rows, and what was lost.

use std::ops::Range;

use ndarray::{Array2, ArrayView2};

use super::{
    row_scales::code,
    table::{Energy, Table},
};
use crate::{
    Result,
    factors::{CodeGroup, RowPlaces, RowScales, write_bits},
    linalg,
    reconstruction::RowError,
};

/// Codes that want the scales of their rows.
pub(super) struct Unscaled<'a> {
    /// V̂ as it is stored \[rank, dim\].
    pub(super) directions: &'a Array2<f32>,
    /// With the scales of directions that are stored.
    pub(super) groups: &'a [CodeGroup],
    pub(super) places: &'a RowPlaces,
    pub(super) row_scales: Option<RowScales>,
}

/// What a block of rows gives.
struct Part {
    first: usize,
    /// The code of the scale of each row.
    scales: Vec<u32>,
    lost: Energy,
}

impl Unscaled<'_> {
    /// Gives each row the scale of least squares, and sums up Σ ‖e − ê‖² and Σ w·‖e − ê‖² of what comes back. Reads the table once.
    ///
    /// # Errors
    /// Those of the source.
    pub(super) fn finish(&self, table: &mut Table<'_>, codes: &mut [u8]) -> Result<Energy> {
        let weights = table.weights;
        let mut lost = Energy::default();
        let mut scales = Vec::new();
        {
            let codes: &[u8] = codes;
            let work = |range: Range<usize>, rows: ArrayView2<'_, f32>| self.block(range, rows, weights, codes);
            table.pass(work, |part| {
                debug_assert!(self.row_scales.is_none() || part.first == scales.len());
                scales.extend(part.scales);
                lost.add(part.lost);
                Ok(())
            })?;
        }
        if self.row_scales.is_some() {
            for (row, &code) in scales.iter().enumerate() {
                let (group, place) = self.places.find(row);
                let group = &self.groups[group];
                write_bits(&mut codes[place..], group.row_scale_start(), group.row_scale_bits, code);
            }
        }
        Ok(lost)
    }

    fn block(&self, range: Range<usize>, rows: ArrayView2<'_, f32>, weights: &[f64], codes: &[u8]) -> Part {
        let mut coordinates = Array2::zeros((rows.nrows(), self.directions.nrows()));
        for (row, mut coordinates) in range.clone().zip(coordinates.rows_mut()) {
            let (group, place) = self.places.find(row);
            let group = &self.groups[group];
            group.decode(&codes[place..][..group.row_bytes()], |direction, value| coordinates[direction] = value);
        }
        let mut approximations = linalg::product(coordinates.view(), self.directions.view());
        let table = self.row_scales.map(RowScales::table);
        let mut part = Part { first: range.start, scales: Vec::with_capacity(rows.nrows()), lost: Energy::default() };
        for ((row, mut approximation), id) in rows.rows().into_iter().zip(approximations.rows_mut()).zip(range) {
            if let Some((scales, table)) = self.row_scales.zip(table.as_ref()) {
                let (mut product, mut square) = (0.0, 0.0);
                for (&number, &approximation) in row.iter().zip(&approximation) {
                    product += f64::from(number) * f64::from(approximation);
                    square += f64::from(approximation) * f64::from(approximation);
                }
                let has_bits = self.groups[self.places.group_of(id)].row_scale_bits > 0;
                let scale = if has_bits && square > 0.0 { code(scales, product / square) } else { 0 };
                approximation *= table[scale as usize];
                part.scales.push(scale);
            }
            let error = RowError::new(row, approximation.view());
            part.lost.add(Energy { plain: error.residual, weighted: weights[id] * error.residual });
        }
        part
    }
}
