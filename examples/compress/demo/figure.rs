//! Errors and analogy accuracy against size.

use factorized_embedding::{DenseEmbedding, Embedding};
use plotters::{coord::Shift, prelude::*};

use super::sizes::Measured;
use crate::support::{
    plot::{
        Drawn, FONT, Figure, GREY, TITLE_SIZE,
        series::{Chart, Look, Marker, draw_axes_of, draw_key, draw_series},
    },
    schemes::Scheme,
    text::{grouped, short_bytes},
};

/// Three charts, two errors and the accuracy with that of the dense table, and a key.
#[derive(Debug)]
pub(super) struct SizeFigure<'a> {
    words: usize,
    dim: usize,
    dense_bytes: f64,
    dense_accuracy: f64,
    measured: &'a [Measured],
    num_questions: usize,
}

const DENSE: Look = Look { color: GREY, dashed: true, marker: Marker::None };

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

    /// A measure of all layers of a scheme against how often their size is halved.
    fn points(&self, scheme: Scheme, measure: impl Fn(&Measured) -> f64) -> Vec<(f64, f64)> {
        let layers = self.measured.iter().filter(|layer| layer.scheme == scheme);
        layers.map(|layer| ((layer.bytes as f64 / self.dense_bytes).log2(), measure(layer))).collect()
    }

    fn draw_measure<DB: DrawingBackend>(
        &self,
        area: &DrawingArea<DB, Shift>,
        name: &str,
        max: f64,
        dense: f64,
        measure: impl Fn(&Measured) -> f64,
    ) -> Drawn<DB> {
        let sizes = -5.8..0.2;
        let mut chart: Chart<'_, DB> = ChartBuilder::on(area)
            .margin(15)
            .margin_right(40)
            .x_label_area_size(80)
            .y_label_area_size(105)
            .build_cartesian_2d(sizes.clone(), 0.0..max)?;
        let bytes = |halvings: &f64| short_bytes(self.dense_bytes * halvings.exp2());
        draw_axes_of(&mut chart, "size of the file", &bytes, name)?;
        draw_series(&mut chart, &[(sizes.start, dense), (sizes.end, dense)], DENSE, "")?;
        for scheme in Scheme::ALL {
            draw_series(&mut chart, &self.points(scheme, &measure), scheme.look(), "")?;
        }
        Ok(())
    }

    fn draw_keys<DB: DrawingBackend>(&self, area: &DrawingArea<DB, Shift>) -> Drawn<DB> {
        let keys = Scheme::ALL.map(|scheme| (scheme.name(), scheme.look()));
        let dense = (format!("dense table, {}", short_bytes(self.dense_bytes)), DENSE);
        let keys = keys.into_iter().chain([dense]);
        keys.zip((80..).step_by(60)).try_for_each(|((name, look), y)| draw_key(area, (200, y), look, &name))
    }
}

impl Figure for SizeFigure<'_> {
    const SIZE: (u32, u32) = (1900, 1500);

    fn draw<DB: DrawingBackend>(&self, area: &DrawingArea<DB, Shift>) -> Drawn<DB> {
        let title = format!("{} GloVe vectors in {} dimensions, in smaller files", grouped(self.words), self.dim);
        let charts = area.margin(15, 0, 0, 0).titled(&title, (FONT, TITLE_SIZE))?.split_evenly((2, 2));
        let accuracy = format!("accuracy on {} analogy questions", grouped(self.num_questions));
        if let [error, weighted_error, answers, keys] = charts.as_slice() {
            self.draw_measure(error, "relative error (Frobenius norm)", 1.05, 0.0, |layer| layer.relative_error)?;
            let measure = |layer: &Measured| layer.weighted_relative_error;
            self.draw_measure(weighted_error, "error weighted by frequency", 1.05, 0.0, measure)?;
            self.draw_measure(answers, &accuracy, 0.65, self.dense_accuracy, |layer| layer.accuracy)?;
            self.draw_keys(keys)?;
        }
        Ok(())
    }
}
