//! The error of every rank, from the singular values.

use factorized_embedding::Spectrum;
use plotters::{coord::Shift, prelude::*};

use crate::{
    decomposed::{Decomposed, Kept},
    method::Method,
    support::{
        plot::{
            BLUE, Drawn, FONT, Figure, GREY, LABEL_SIZE, TICK_SIZE, TITLE_SIZE, VERMILION,
            series::{Look, Marker, draw_axes, draw_legend, draw_series},
        },
        text::{short_bytes, shortened},
    },
};

/// Relative error against size, with the chosen rank marked.
#[derive(Debug)]
pub(crate) struct ErrorCurve<'a> {
    table: String,
    method: Method,
    weighted: bool,
    spectrum: &'a Spectrum,
    decomposed: &'a Decomposed,
}

impl<'a> ErrorCurve<'a> {
    /// `table` names the table; nothing for what has no spectrum.
    pub(crate) fn new(table: String, method: Method, weighted: bool, decomposed: &'a Decomposed) -> Option<Self> {
        match &decomposed.kept {
            Kept::Factors(spectrum) => Some(Self { table, method, weighted, spectrum, decomposed }),
            Kept::Codes(_) => None,
        }
    }

    /// Bytes and error of every rank that the decomposition knows.
    fn points(&self) -> Vec<(f64, f64)> {
        let spectrum = self.spectrum;
        let points = spectrum.error_curve().into_iter().enumerate().skip(1);
        points.map(|(rank, error)| (spectrum.bytes_at(rank) as f64, error)).collect()
    }

    /// What was saved.
    fn chosen(&self) -> ((f64, f64), String) {
        let Decomposed { ranks, bytes, relative_error, weighted_relative_error, .. } = self.decomposed;
        let (bytes, error) = (*bytes as f64, weighted_relative_error.unwrap_or(*relative_error));
        let rank = match ranks.as_slice() {
            [rank] if !self.is_blockwise() => format!("rank {rank}"),
            ranks => format!("ranks of {} groups", ranks.len()),
        };
        ((bytes, error), format!("chosen {rank}: {}, error {error:.4}", short_bytes(bytes)))
    }

    fn is_blockwise(&self) -> bool {
        self.decomposed.group_sizes.is_some()
    }
}

impl Figure for ErrorCurve<'_> {
    const SIZE: (u32, u32) = (1400, 900);

    fn draw<DB: DrawingBackend>(&self, area: &DrawingArea<DB, Shift>) -> Drawn<DB> {
        let spectrum = self.spectrum;
        let [vocab_size, dim] = spectrum.shape();
        let error_name = if self.weighted { "weighted relative error" } else { "relative error" };
        let of_what = if self.is_blockwise() { "against size" } else { "of every rank" };
        let title = format!("{}: {error_name} {of_what}", self.method.title(self.weighted));
        let area = area.margin(15, 0, 0, 0).titled(&title, (FONT, TITLE_SIZE))?;
        let area = area.titled(&shortened(&self.table), (FONT, LABEL_SIZE))?;

        let (curve, (chosen, chosen_name)) = (self.points(), self.chosen());
        let dense_bytes = (size_of::<f32>() * vocab_size * dim) as f64;
        // Room for all ranks and for the whole table.
        let max_bytes = 1.02 * curve.iter().fold(dense_bytes.max(chosen.0), |max, point| max.max(point.0));
        // Ranks beside bytes, which begin with those of the bias.
        let [no_rank, first] = [0, 1].map(|rank| spectrum.bytes_at(rank) as f64);
        let rank_of = |bytes: f64| (bytes - no_rank) / (first - no_rank);
        let max_error = 1.05;
        let mut chart = ChartBuilder::on(&area)
            .margin(15)
            .margin_right(45)
            .x_label_area_size(80)
            .y_label_area_size(105)
            .top_x_label_area_size(80)
            .build_cartesian_2d(0.0..max_bytes, 0.0..max_error)?
            .set_secondary_coord(rank_of(0.0)..rank_of(max_bytes), 0.0..max_error);
        draw_axes(&mut chart, "size of U, D and V", error_name)?;
        // Directions of groups take different numbers of bytes.
        if !self.is_blockwise() {
            chart
                .configure_secondary_axes()
                .x_desc("rank")
                .x_labels(9)
                .x_label_formatter(&|rank| if rank.fract() == 0.0 { format!("{}", rank.abs()) } else { String::new() })
                .label_style((FONT, TICK_SIZE))
                .axis_desc_style((FONT, LABEL_SIZE))
                .axis_style(GREY)
                .draw()?;
        }

        let every = if self.is_blockwise() { "directions of all groups, by singular value" } else { "every rank" };
        let look = Look { color: BLUE, dashed: false, marker: Marker::None };
        draw_series(&mut chart, &curve, look, every)?;
        let look = Look { color: GREY, dashed: true, marker: Marker::None };
        let dense = format!("table as 32-bit floats: {}", short_bytes(dense_bytes));
        draw_series(&mut chart, &[(dense_bytes, 0.0), (dense_bytes, max_error)], look, &dense)?;
        let look = Look { color: VERMILION, dashed: false, marker: Marker::Circle };
        draw_series(&mut chart, &[chosen], look, &chosen_name)?;
        draw_legend(&mut chart, SeriesLabelPosition::UpperRight)
    }
}
