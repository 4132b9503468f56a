//! Lines with markers, and a legend for them.

use plotters::{
    coord::{Shift, types::RangedCoordf64},
    element::DashedPathElement,
    prelude::*,
};

use super::{Drawn, FONT, GREY, LABEL_SIZE, TICK_SIZE};
use crate::support::text::short_bytes;

/// A chart of numbers against numbers.
pub(crate) type Chart<'a, DB> = ChartContext<'a, DB, Cartesian2d<RangedCoordf64, RangedCoordf64>>;

const LINE_WIDTH: u32 = 3;
const LEGEND_WIDTH: i32 = 60;

/// How the points of a series are marked.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Marker {
    None,
    Circle,
    Square,
    Triangle,
}

/// How a series looks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Look {
    pub(crate) color: RGBColor,
    pub(crate) dashed: bool,
    pub(crate) marker: Marker,
}

/// Draws axes and grid of a chart whose x axis is a number of bytes.
pub(crate) fn draw_axes<'a, DB: DrawingBackend + 'a>(chart: &mut Chart<'a, DB>, x: &str, y: &str) -> Drawn<DB> {
    draw_axes_of(chart, x, &|bytes| short_bytes(*bytes), y)
}

/// Draws axes and grid of a chart, with the ticks of the x axis as a function writes them.
pub(crate) fn draw_axes_of<'a, DB: DrawingBackend + 'a>(
    chart: &mut Chart<'a, DB>,
    x: &str,
    tick: &dyn Fn(&f64) -> String,
    y: &str,
) -> Drawn<DB> {
    chart
        .configure_mesh()
        .x_desc(x)
        .y_desc(y)
        .x_labels(6)
        .y_labels(8)
        .x_label_formatter(&tick)
        .y_label_formatter(&|value| format!("{value:.1}"))
        .label_style((FONT, TICK_SIZE))
        .axis_desc_style((FONT, LABEL_SIZE))
        .axis_style(GREY)
        .bold_line_style(GREY.mix(0.25))
        .light_line_style(TRANSPARENT)
        .draw()
}

/// Draws a line through the points, a marker on each, and remembers its name for the legend.
pub(crate) fn draw_series<'a, DB: DrawingBackend + 'a>(
    chart: &mut Chart<'a, DB>,
    points: &[(f64, f64)],
    look: Look,
    name: &str,
) -> Drawn<DB> {
    let marker = move |center| Polygon::new(look.marker.outline(center), look.color);
    chart.draw_series(points.iter().map(|&point| EmptyElement::at(point) + marker((0, 0))))?;
    let drawn = chart.draw_series([line(points.to_vec(), look)])?;
    drawn.label(name).legend(move |start| {
        let ends = vec![(0, 0), (LEGEND_WIDTH, 0)];
        EmptyElement::at(start) + line(ends, look) + marker((LEGEND_WIDTH / 2, 0))
    });
    Ok(())
}

/// Draws the legend of all series so far.
pub(crate) fn draw_legend<'a, DB: DrawingBackend + 'a>(
    chart: &mut Chart<'a, DB>,
    place: SeriesLabelPosition,
) -> Drawn<DB> {
    chart
        .configure_series_labels()
        .position(place)
        .margin(20)
        .legend_area_size(LEGEND_WIDTH + 15)
        .label_font((FONT, TICK_SIZE))
        .background_style(WHITE)
        .border_style(GREY.mix(0.5))
        .draw()
}

/// Draws a line with a marker, as a series has them, and a name beside it; from a place in pixels to the right.
pub(crate) fn draw_key<DB: DrawingBackend>(
    area: &DrawingArea<DB, Shift>,
    (x, y): (i32, i32),
    look: Look,
    name: &str,
) -> Drawn<DB> {
    area.draw(&line(vec![(x, y), (x + 2 * LEGEND_WIDTH, y)], look))?;
    area.draw(&Polygon::new(look.marker.outline((x + LEGEND_WIDTH, y)), look.color))?;
    let text_start = (x + 2 * LEGEND_WIDTH + 25, y - LABEL_SIZE.cast_signed() / 2);
    area.draw(&Text::new(name.to_owned(), text_start, (FONT, LABEL_SIZE)))
}

fn line<C: Clone>(points: Vec<C>, look: Look) -> DashedPathElement<std::vec::IntoIter<C>, i32> {
    // A solid line is one long dash.
    let (dash, gap) = if look.dashed { (12, 8) } else { (i32::MAX, 0) };
    DashedPathElement::new(points, dash, gap, look.color.stroke_width(LINE_WIDTH))
}

impl Marker {
    /// The corners of the marker in pixels; none when there is none.
    fn outline(self, (x, y): (i32, i32)) -> Vec<(i32, i32)> {
        match self {
            Self::None => Vec::new(),
            Self::Square => [(-8, -8), (8, -8), (8, 8), (-8, 8)].map(|(right, down)| (x + right, y + down)).to_vec(),
            Self::Triangle => [(0, -11), (10, 7), (-10, 7)].map(|(right, down)| (x + right, y + down)).to_vec(),
            Self::Circle => {
                const CORNERS: u32 = 40;
                let angles = (0..CORNERS).map(|i| f64::from(i) * std::f64::consts::TAU / f64::from(CORNERS));
                let offset = |length: f64| (8.0 * length).round() as i32;
                angles.map(|angle| (x + offset(angle.cos()), y + offset(angle.sin()))).collect()
            }
        }
    }
}
