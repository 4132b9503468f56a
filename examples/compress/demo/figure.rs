//! Errors and analogy accuracy against size.

use factorized_embedding::{DenseEmbedding, Embedding};
use plotters::{coord::Shift, prelude::*};

use super::{Measured, Method};
use crate::support::{
    plot::{
        BLUE, Drawn, FONT, Figure, GREY, TITLE_SIZE, VERMILION,
        series::{Chart, Look, Marker, draw_axes, draw_legend, draw_series},
    },
    text::grouped,
};

/// Two charts side by side: errors, and accuracy with that of the dense table.
#[derive(Debug)]
pub(super) struct SizeFigure<'a> {
    words: usize,
    dim: usize,
    dense_bytes: f64,
    dense_accuracy: f64,
    measured: &'a [Measured],
    num_questions: usize,
}

impl<'a> SizeFigure<'a> {
    pub(super) fn new(
        dense: &DenseEmbedding<'_>,
        dense_accuracy: f64,
        measured: &'a [Measured],
        num_questions: usize,
    ) -> Self {
        let dense_bytes = dense.size_in_bytes() as f64;
        Self { words: dense.vocab_size(), dim: dense.dim(), dense_bytes, dense_accuracy, measured, num_questions }
    }

    /// A measure of all layers of a method against their size.
    fn points(&self, method: Method, measure: impl Fn(&Measured) -> Option<f64>) -> Vec<(f64, f64)> {
        let rows = self.measured.iter().filter(|row| row.method == method);
        rows.filter_map(|row| Some((row.layer.size_in_bytes() as f64, measure(row)?))).collect()
    }

    fn chart<'b, DB: DrawingBackend>(
        &self,
        area: &'b DrawingArea<DB, Shift>,
        y: &str,
        max_y: f64,
    ) -> Result<Chart<'b, DB>, DrawingAreaErrorKind<DB::ErrorType>> {
        let mut chart = ChartBuilder::on(area)
            .margin(15)
            .margin_right(40)
            .x_label_area_size(80)
            .y_label_area_size(105)
            .build_cartesian_2d(0.0..1.05 * self.dense_bytes, 0.0..max_y)?;
        draw_axes(&mut chart, "size of U, D and V", y)?;
        Ok(chart)
    }

    fn draw_errors<DB: DrawingBackend>(&self, area: &DrawingArea<DB, Shift>) -> Drawn<DB> {
        let mut chart = self.chart(area, "relative error (Frobenius norm)", 1.0)?;
        for method in Method::ALL {
            let name = |error| format!("{} SVD, {error} error", method.name());
            let points = self.points(method, |row| Some(row.comparison.relative_error));
            draw_series(&mut chart, &points, look(method, false), &name("relative"))?;
            let points = self.points(method, |row| row.comparison.weighted_relative_error);
            draw_series(&mut chart, &points, look(method, true), &name("weighted relative"))?;
        }
        draw_legend(&mut chart, SeriesLabelPosition::UpperRight)
    }

    fn draw_accuracy<DB: DrawingBackend>(&self, area: &DrawingArea<DB, Shift>) -> Drawn<DB> {
        let axis = format!("accuracy on {} analogy questions", grouped(self.num_questions));
        let mut chart = self.chart(area, &axis, 0.7)?;
        let dense = [(0.0, self.dense_accuracy), (1.05 * self.dense_bytes, self.dense_accuracy)];
        let reference = Look { color: GREY, dashed: true, marker: Marker::None };
        draw_series(&mut chart, &dense, reference, &format!("dense table, {:.4}", self.dense_accuracy))?;
        for method in Method::ALL {
            let points = self.points(method, |row| Some(row.accuracy));
            draw_series(&mut chart, &points, look(method, false), &format!("{} SVD", method.name()))?;
        }
        draw_legend(&mut chart, SeriesLabelPosition::LowerRight)
    }
}

fn look(method: Method, dashed: bool) -> Look {
    let (color, marker) = match method {
        Method::Plain => (BLUE, Marker::Circle),
        Method::Weighted => (VERMILION, Marker::Triangle),
    };
    Look { color, dashed, marker }
}

impl Figure for SizeFigure<'_> {
    const SIZE: (u32, u32) = (1900, 850);

    fn draw<DB: DrawingBackend>(&self, area: &DrawingArea<DB, Shift>) -> Drawn<DB> {
        let title = format!("Truncated SVD of {} GloVe vectors in {} dimensions", grouped(self.words), self.dim);
        let charts = area.margin(15, 0, 0, 0).titled(&title, (FONT, TITLE_SIZE))?.split_evenly((1, 2));
        if let [left, right] = charts.as_slice() {
            self.draw_errors(left)?;
            self.draw_accuracy(right)?;
        }
        Ok(())
    }
}
