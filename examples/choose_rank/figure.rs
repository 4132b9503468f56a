//! Singular values, energy, error and bytes of every rank, with the recommended ranks marked.

use std::ops::Range;

use factorized_embedding::Spectrum;
use plotters::{
    coord::{Shift, types::RangedCoordf64},
    element::DashedPathElement,
    prelude::*,
    style::text_anchor::{HPos, Pos, VPos},
};

use crate::{
    flags::{Flag, rows},
    recommendations::{Kind, Recommendation, dense_bytes},
    support::{
        Result,
        plot::{BLUE, Drawn, FONT, Figure, GREEN, GREY, LABEL_SIZE, TICK_SIZE, TITLE_SIZE, VERMILION},
        text::{grouped, short_bytes, shortened},
    },
};

type Chart<'a, DB> = ChartContext<'a, DB, Cartesian2d<RangedCoordf64, RangedCoordf64>>;

const LEFT: u32 = 165;
const MARGIN: u32 = 25;
/// Room for the names of the curves, and for the flags of the last ranks.
const RIGHT: u32 = 330;
const FLAG_HEIGHT: i32 = 34;
const TITLE_HEIGHT: i32 = 110;
const X_AXIS_HEIGHT: u32 = 75;
const GAP: u32 = 18;
const LINE_WIDTH: u32 = 4;

/// Three charts, one below the other, over the same ranks.
#[derive(Debug)]
pub(crate) struct SpectrumFigure<'a> {
    title: String,
    subtitle: String,
    weighted: bool,
    spectrum: &'a Spectrum,
    threshold: f64,
    recommendations: &'a [Recommendation],
}

/// A curve, its color and its name, which stands at a height of its own beside the chart.
struct Curve<'a> {
    points: Vec<(f64, f64)>,
    color: RGBColor,
    name: &'a str,
    name_at: f64,
    dashed: bool,
}

impl<'a> SpectrumFigure<'a> {
    pub(crate) fn new(
        name: &str,
        weighted: bool,
        spectrum: &'a Spectrum,
        recommendations: &'a [Recommendation],
    ) -> Result<Self> {
        let [vocab_size, dim] = spectrum.shape();
        let title = format!("Which rank for {} × {dim}?", grouped(vocab_size));
        let rows = if weighted { ", rows weighted by frequency" } else { "" };
        let subtitle = format!("{}{rows}", shortened(name));
        Ok(Self { title, subtitle, weighted, spectrum, threshold: spectrum.hard_threshold()?, recommendations })
    }

    fn last_rank(&self) -> f64 {
        self.spectrum.singular_values().len() as f64
    }

    /// Draws a chart over all ranks, with the marked ranks behind its curves.
    fn chart<'b, DB: DrawingBackend>(
        &self,
        area: &'b DrawingArea<DB, Shift>,
        heights: Range<f64>,
        y: (&str, &dyn Fn(&f64) -> String),
        is_last: bool,
    ) -> std::result::Result<Chart<'b, DB>, DrawingAreaErrorKind<DB::ErrorType>> {
        let mut chart = ChartBuilder::on(area)
            .margin_top(GAP)
            .margin_left(MARGIN)
            .margin_right(RIGHT)
            .y_label_area_size(LEFT - MARGIN)
            .x_label_area_size(if is_last { X_AXIS_HEIGHT } else { 0 })
            .build_cartesian_2d(0.0..self.last_rank(), heights.clone())?;
        let mut mesh = chart.configure_mesh();
        mesh.y_desc(y.0)
            .y_labels(6)
            .y_label_formatter(&y.1)
            .x_labels(11)
            .x_label_formatter(&|rank| if rank.fract() == 0.0 { format!("{rank}") } else { String::new() })
            .label_style((FONT, TICK_SIZE))
            .axis_desc_style((FONT, LABEL_SIZE))
            .axis_style(GREY)
            .bold_line_style(GREY.mix(0.2))
            .light_line_style(TRANSPARENT);
        if is_last {
            mesh.x_desc("rank");
        }
        mesh.draw()?;
        for same in self.marked() {
            let rank = same[0].rank as f64;
            chart.draw_series([pole(vec![(rank, heights.start), (rank, heights.end)], same[0].kind)])?;
        }
        Ok(chart)
    }

    fn draw_curve<DB: DrawingBackend>(&self, chart: &mut Chart<'_, DB>, curve: Curve<'_>) -> Drawn<DB> {
        let Curve { points, color, name, name_at, dashed } = curve;
        let style = color.stroke_width(if dashed { LINE_WIDTH / 2 } else { LINE_WIDTH });
        if dashed {
            chart.draw_series([DashedPathElement::new(points, 12, 8, style)])?;
        } else {
            chart.draw_series(LineSeries::new(points.clone(), style))?;
            let marked = |rank: usize| points.iter().find(|point| point.0 == rank as f64);
            let marked = self.recommendations.iter().filter_map(|recommendation| marked(recommendation.rank));
            let dot = |&point: &(f64, f64)| Circle::new(point, 7, color.filled());
            chart.draw_series(marked.map(dot))?;
        }
        let style = TextStyle::from((FONT, TICK_SIZE)).color(&color).pos(Pos::new(HPos::Left, VPos::Center));
        let name = move |at| EmptyElement::at(at) + Text::new(name.to_owned(), (14, 0), style.clone());
        chart.plotting_area().draw(&name((self.last_rank(), name_at)))
    }

    fn draw_values<DB: DrawingBackend>(&self, area: &DrawingArea<DB, Shift>) -> Drawn<DB> {
        let values = self.spectrum.singular_values();
        let largest = values.first().copied().filter(|&value| value > 0.0).unwrap_or(1.0);
        let top = 1.05 * largest.max(self.threshold);
        let mut chart = self.chart(area, 0.0..top, ("singular value", &|value| short(*value, top)), false)?;
        let points = (1..).map(f64::from).zip(values.iter().copied()).collect();
        let last = values.last().copied().unwrap_or_default();
        // The names stay apart.
        let apart = 0.12 * top;
        let threshold_at = self.threshold.max(last.max(0.04 * top) + apart);
        let name_at = last.max(0.04 * top).min(threshold_at - apart);
        let name = if self.weighted { "weighted values" } else { "singular values" };
        self.draw_curve(&mut chart, Curve { points, color: BLUE, name, name_at, dashed: false })?;
        let points = vec![(0.0, self.threshold), (self.last_rank(), self.threshold)];
        let (name, name_at) = ("hard threshold", threshold_at);
        self.draw_curve(&mut chart, Curve { points, color: GREY, name, name_at, dashed: true })
    }

    fn draw_shares<DB: DrawingBackend>(&self, area: &DrawingArea<DB, Shift>) -> Drawn<DB> {
        let percent = |share: &f64| format!("{:.0} %", 100.0 * share);
        let y = if self.weighted { "weighted share" } else { "share" };
        let mut chart = self.chart(area, 0.0..1.03, (y, &percent), false)?;
        let curves = [
            (self.spectrum.energy_curve(), GREEN, "energy kept", 1.0),
            (self.spectrum.error_curve(), VERMILION, "relative error", 0.03),
        ];
        for (curve, color, name, name_at) in curves {
            let points = (0..).map(f64::from).zip(curve).collect();
            self.draw_curve(&mut chart, Curve { points, color, name, name_at, dashed: false })?;
        }
        Ok(())
    }

    fn draw_bytes<DB: DrawingBackend>(&self, area: &DrawingArea<DB, Shift>) -> Drawn<DB> {
        let last = self.spectrum.singular_values().len();
        let (dense, factors) = (dense_bytes(self.spectrum) as f64, self.spectrum.bytes_at(last) as f64);
        let top = 1.1 * dense.max(factors);
        let mut chart = self.chart(area, 0.0..top, ("bytes", &|bytes| short_bytes(*bytes)), true)?;
        let points = (0..=last).map(|rank| (rank as f64, self.spectrum.bytes_at(rank) as f64)).collect();
        let apart = 0.08 * top;
        let (higher, lower) = if factors >= dense { (factors, dense) } else { (dense, factors) };
        let middle = f64::midpoint(higher, lower);
        let (higher, lower) = (higher.max(middle + apart).min(0.97 * top), lower.min(middle - apart));
        let (factors_at, dense_at) = if factors >= dense { (higher, lower) } else { (lower, higher) };
        let name = "factors, 32-bit";
        self.draw_curve(&mut chart, Curve { points, color: BLUE, name, name_at: factors_at, dashed: false })?;
        let points = vec![(0.0, dense), (self.last_rank(), dense)];
        let name = format!("table, 32-bit: {}", short_bytes(dense));
        self.draw_curve(&mut chart, Curve { points, color: GREY, name: &name, name_at: dense_at, dashed: true })
    }

    /// The recommendations of each marked rank.
    fn marked(&self) -> impl Iterator<Item = &[Recommendation]> {
        self.recommendations.chunk_by(|a, b| a.rank == b.rank)
    }

    fn flags<DB: DrawingBackend>(
        &self,
        area: &DrawingArea<DB, Shift>,
        x_of: impl Fn(usize) -> i32,
    ) -> std::result::Result<Vec<Flag>, DrawingAreaErrorKind<DB::ErrorType>> {
        let mut flags = Vec::new();
        for same in self.marked() {
            let rank = same[0].rank;
            let mut lines: Vec<(String, Kind)> = same.iter().map(|rule| (rule.name.to_owned(), rule.kind)).collect();
            lines[0].0 = format!("{rank}: {}", lines[0].0);
            let mut width = 0;
            for (line, _) in &lines {
                width = width.max(area.estimate_text_size(line, &TextStyle::from((FONT, TICK_SIZE)))?.0 as i32);
            }
            flags.push(Flag { lines, x: x_of(rank), width: width + 30 });
        }
        Ok(flags)
    }
}

impl Figure for SpectrumFigure<'_> {
    const SIZE: (u32, u32) = (1500, 1560);

    fn draw<DB: DrawingBackend>(&self, area: &DrawingArea<DB, Shift>) -> Drawn<DB> {
        let (width, height) = (Self::SIZE.0 as i32, Self::SIZE.1 as i32);
        // As charts place their points: from the first pixel to the last, rounded down.
        let (left, right) = (LEFT as i32, width - RIGHT as i32);
        let pixels = f64::from(right - left - 1) / self.last_rank();
        let x_of = |rank: usize| left + (pixels * rank as f64 + 1e-3) as i32;
        let flags = self.flags(area, x_of)?;
        let rows = rows(&flags);
        let tops = flags.iter().zip(rows).map(|(flag, row)| (row + flag.lines.len()) as i32);
        let tops: Vec<i32> = tops.collect();
        let num_rows = tops.iter().copied().max().unwrap_or(0);
        let top = TITLE_HEIGHT + num_rows * FLAG_HEIGHT + FLAG_HEIGHT / 2;

        let middle = Pos::new(HPos::Center, VPos::Top);
        let title = TextStyle::from((FONT, TITLE_SIZE)).pos(middle);
        area.draw(&Text::new(self.title.clone(), (width / 2, 18), title))?;
        let subtitle = TextStyle::from((FONT, LABEL_SIZE)).color(&GREY).pos(middle);
        area.draw(&Text::new(self.subtitle.clone(), (width / 2, 66), subtitle))?;
        for (flag, row) in flags.iter().zip(tops) {
            let mut y = top - FLAG_HEIGHT * row;
            area.draw(&pole(vec![(flag.x, y + 4), (flag.x, top + GAP as i32)], flag.lines[0].1))?;
            for (line, kind) in &flag.lines {
                let color = color(*kind);
                let style = TextStyle::from((FONT, TICK_SIZE)).color(&color).pos(Pos::new(HPos::Left, VPos::Top));
                area.draw(&Text::new(line.clone(), (flag.x + 8, y), style))?;
                y += FLAG_HEIGHT;
            }
        }

        let (_, charts) = area.split_vertically(top);
        let heights = height - top - X_AXIS_HEIGHT as i32;
        let (values, rest) = charts.split_vertically(heights * 30 / 100);
        let (shares, bytes) = rest.split_vertically(heights * 42 / 100);
        self.draw_values(&values)?;
        self.draw_shares(&shares)?;
        self.draw_bytes(&bytes)
    }
}

fn color(kind: Kind) -> RGBColor {
    match kind {
        Kind::Energy => GREEN,
        Kind::Shape => BLUE,
        Kind::Size => GREY,
    }
}

fn pole<C>(points: Vec<C>, kind: Kind) -> PathElement<C> {
    PathElement::new(points, color(kind).mix(0.5).stroke_width(2))
}

/// A number on an axis that ends at `top`.
fn short(value: f64, top: f64) -> String {
    if value == 0.0 {
        return "0".to_owned();
    }
    match top {
        1e5.. | ..1e-2 => format!("{value:.0e}"),
        10.0.. => format!("{value:.0}"),
        _ => format!("{value:.2}"),
    }
}
