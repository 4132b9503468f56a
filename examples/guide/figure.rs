//! Errors against size, and against how frequent a token is.

use std::ops::Range;

use factorized_embedding::Embedding;
use plotters::{coord::Shift, prelude::*};

use crate::{
    input::Input,
    losses::Losses,
    sizes::{CLOSER, Measured},
    support::{
        plot::{
            Drawn, FONT, Figure, TITLE_SIZE,
            series::{Chart, draw_axes_of, draw_key, draw_series},
        },
        schemes::Scheme,
        text::{grouped, shortened},
    },
};

/// Points of a curve for each power of ten of tokens.
const POINTS: f64 = 3.0;

/// Three charts, two errors against size and one against frequency, and a key.
#[derive(Debug)]
pub(crate) struct GuideFigure<'a> {
    input: &'a Input,
    measured: &'a [Measured],
}

/// A chart without its curves.
struct Axes<'a> {
    range: Range<f64>,
    name: &'a str,
    tick: &'a dyn Fn(&f64) -> String,
    error: &'a str,
}

impl<'a> GuideFigure<'a> {
    pub(crate) fn new(input: &'a Input, measured: &'a [Measured]) -> Self {
        Self { input, measured }
    }

    fn of(&self, scheme: Scheme) -> impl Iterator<Item = &'a Measured> {
        self.measured.iter().filter(move |made| made.scheme == scheme)
    }

    fn draw_chart<DB: DrawingBackend>(
        area: &DrawingArea<DB, Shift>,
        axes: Axes<'_>,
        points: impl Fn(Scheme) -> Vec<(f64, f64)>,
    ) -> Drawn<DB> {
        let mut chart: Chart<'_, DB> = ChartBuilder::on(area)
            .margin(15)
            .margin_right(40)
            .x_label_area_size(80)
            .y_label_area_size(105)
            .build_cartesian_2d(axes.range, 0.0..1.05)?;
        draw_axes_of(&mut chart, axes.name, axes.tick, axes.error)?;
        Scheme::ALL.into_iter().try_for_each(|scheme| draw_series(&mut chart, &points(scheme), scheme.look(), ""))
    }

    fn draw_sizes<DB: DrawingBackend>(
        &self,
        area: &DrawingArea<DB, Shift>,
        error: &str,
        measure: impl Fn(&Measured) -> f64,
    ) -> Drawn<DB> {
        let dense_bytes = self.input.dense.size_in_bytes() as f64;
        let tick = |doublings: &f64| whole(*doublings, format!("{}×", doublings.exp2().round()));
        let doublings = |made: &Measured| (dense_bytes / made.bytes as f64).log2();
        // A file may be much smaller than it is to be, where ranks are few.
        let end = self.measured.iter().map(|made| doublings(made) + 0.2).fold(6.4, f64::max);
        let axes = Axes { range: 0.7..end, name: "times smaller than 32-bit floats", tick: &tick, error };
        Self::draw_chart(area, axes, |scheme| self.of(scheme).map(|made| (doublings(made), measure(made))).collect())
    }

    fn draw_tokens<DB: DrawingBackend>(&self, area: &DrawingArea<DB, Shift>) -> Drawn<DB> {
        let tokens = &self.input.most_used;
        let last = (tokens.len() as f64).log10();
        let steps = (POINTS * last).ceil() as usize;
        let end = |step: usize| {
            ((step as f64 / POINTS).min(last), tokens.len().min(10_f64.powf(step as f64 / POINTS).round() as usize))
        };
        let tick = |tens: &f64| whole(*tens, grouped(10_f64.powf(*tens).round() as usize));
        let error = format!("error of tokens at {CLOSER}×");
        let axes = Axes { range: 0.0..last + 0.1, name: "tokens, the most frequent first", tick: &tick, error: &error };
        Self::draw_chart(area, axes, |scheme| {
            let made = self.of(scheme).find(|made| made.ratio == CLOSER);
            let point = |losses: &Losses, step: usize| {
                let ((from, start), (to, end)) = (end(step), end(step + 1));
                (start < end).then(|| (from.midpoint(to), losses.error_of(&tokens[start..end])))
            };
            made.map_or_else(Vec::new, |made| (0..steps).filter_map(|step| point(&made.losses, step)).collect())
        })
    }

    fn draw_keys<DB: DrawingBackend>(&self, area: &DrawingArea<DB, Shift>) -> Drawn<DB> {
        let schemes = Scheme::ALL.into_iter().filter(|scheme| self.of(*scheme).next().is_some());
        schemes
            .zip((110..).step_by(62))
            .try_for_each(|(scheme, y)| draw_key(area, (200, y), scheme.look(), &scheme.name()))
    }
}

/// What stands at a whole number of an axis.
fn whole(number: f64, tick: String) -> String {
    if (number - number.round()).abs() < 1e-6 { tick } else { String::new() }
}

impl Figure for GuideFigure<'_> {
    const SIZE: (u32, u32) = (1900, 1500);

    fn draw<DB: DrawingBackend>(&self, area: &DrawingArea<DB, Shift>) -> Drawn<DB> {
        let Input { name, dense, .. } = self.input;
        let title = format!("{}, {} × {}", shortened(name), grouped(dense.vocab_size()), dense.dim());
        let charts = area.margin(15, 0, 0, 0).titled(&title, (FONT, TITLE_SIZE))?.split_evenly((2, 2));
        if let [error, weighted_error, tokens, keys] = charts.as_slice() {
            self.draw_sizes(error, "relative error (Frobenius norm)", |made| made.error)?;
            self.draw_sizes(weighted_error, "error weighted by frequency", |made| made.weighted_error)?;
            self.draw_tokens(tokens)?;
            self.draw_keys(keys)?;
        }
        Ok(())
    }
}
