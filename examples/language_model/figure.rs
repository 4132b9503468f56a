//! Loss curves.

use std::ops::Range;

use plotters::{coord::Shift, prelude::*};

use crate::{
    outcome::Trained,
    plan::CONTEXT,
    support::plot::{
        BLUE, Drawn, FONT, Figure, GREEN, GREY, TITLE_SIZE, VERMILION,
        series::{Chart, Look, Marker, draw_axes_of, draw_legend, draw_series},
    },
};

/// Points of a curve, each the mean of as many steps.
const POINTS: usize = 60;

/// The training losses of a seed, validation losses after its epochs, and the validation loss of a trigram.
#[derive(Debug)]
pub(crate) struct LossCurves<'a> {
    pub(crate) models: &'a [Trained],
    pub(crate) trigram: f64,
}

impl LossCurves<'_> {
    /// From the least loss of all curves to the largest, with some room.
    fn losses(&self) -> Range<f64> {
        let curves = self.models.iter().flat_map(|Trained { course, .. }| {
            let training = smoothed(&course.losses).into_iter().map(|(_, loss)| loss);
            training.chain(course.perplexities.iter().map(|perplexity| perplexity.ln()))
        });
        let (least, most) =
            curves.fold((self.trigram, self.trigram), |(least, most), loss| (least.min(loss), most.max(loss)));
        least - 0.2..most + 0.2
    }
}

/// Means of consecutive losses, at the steps in their middle.
fn smoothed(losses: &[f64]) -> Vec<(f64, f64)> {
    let len = losses.len().div_ceil(POINTS).max(1);
    let chunks = losses.chunks(len).enumerate();
    chunks
        .map(|(i, chunk)| {
            let middle = (i * len) as f64 + chunk.len() as f64 / 2.0;
            (middle, chunk.iter().sum::<f64>() / chunk.len() as f64)
        })
        .collect()
}

impl Figure for LossCurves<'_> {
    const SIZE: (u32, u32) = (1400, 900);

    fn draw<DB: DrawingBackend>(&self, area: &DrawingArea<DB, Shift>) -> Drawn<DB> {
        let steps = self.models.iter().map(|model| model.course.losses.len()).max().unwrap_or(1) as f64;
        let area = area
            .margin(15, 0, 0, 0)
            .titled("A language model with its table dense or in factors", (FONT, TITLE_SIZE))?;
        let mut chart: Chart<'_, DB> = ChartBuilder::on(&area)
            .margin(15)
            .margin_right(40)
            .x_label_area_size(80)
            .y_label_area_size(105)
            .build_cartesian_2d(0.0..steps * 1.02, self.losses())?;
        let step = |step: &f64| format!("{step:.0}");
        let y = format!("cross-entropy of a token, context {CONTEXT}");
        draw_axes_of(&mut chart, "steps", &step, &y)?;
        let looks = [GREY, VERMILION, BLUE, GREEN];
        for (Trained { table, course, .. }, color) in self.models.iter().zip(looks) {
            let line = Look { color, dashed: false, marker: Marker::None };
            draw_series(&mut chart, &smoothed(&course.losses), line, &format!("{table}: training"))?;
            let epoch = course.losses.len() as f64 / course.perplexities.len() as f64;
            let validation: Vec<_> = course
                .perplexities
                .iter()
                .zip(1..)
                .map(|(perplexity, n)| (epoch * f64::from(n), perplexity.ln()))
                .collect();
            let marked = Look { color, dashed: true, marker: Marker::Circle };
            draw_series(&mut chart, &validation, marked, &format!("{table}: validation"))?;
        }
        let dashed = Look { color: BLACK, dashed: true, marker: Marker::None };
        draw_series(&mut chart, &[(0.0, self.trigram), (steps, self.trigram)], dashed, "trigram: validation")?;
        draw_legend(&mut chart, SeriesLabelPosition::UpperRight)
    }
}
