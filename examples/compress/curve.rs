//! The error of every rank, from the singular values.

use factorized_embedding::{Decomposition, Rank, Shape};
use plotters::{coord::Shift, prelude::*};

use crate::support::{
    plot::{
        BLUE, Drawn, FONT, Figure, GREY, LABEL_SIZE, TICK_SIZE, TITLE_SIZE, VERMILION,
        series::{Look, Marker, draw_axes, draw_legend, draw_series},
    },
    text::{short_bytes, shortened},
};

/// Relative error against size, with the chosen rank marked.
#[derive(Debug)]
pub(crate) struct ErrorCurve {
    table: String,
    weighted: bool,
    shape: Shape,
    /// Of rank 1, 2, ….
    errors: Vec<f64>,
}

impl ErrorCurve {
    /// `table` names the table. The curve is weighted when the decomposition was.
    pub(crate) fn new(table: String, weighted: bool, decomposition: &Decomposition) -> Self {
        // By Eckart and Young, the squared error of rank r is the sum of all squared singular values but the first r.
        let values = decomposition.spectrum.singular_values();
        let energies = values.iter().map(|value| value * value);
        let mut tails: Vec<f64> = energies.rev().scan(0.0, |sum, energy| Some(add(sum, energy))).collect();
        let total = tails.pop().unwrap_or_default();
        tails.reverse();
        tails.push(0.0);
        let error = |tail: f64| if total > 0.0 { (tail / total).sqrt() } else { 0.0 };
        let errors = tails.into_iter().map(error).collect();
        Self { table, weighted, shape: decomposition.factors.shape(), errors }
    }

    fn bytes(&self, rank: usize) -> f64 {
        Rank::bytes(Shape { rank, ..self.shape }) as f64
    }
}

fn add(sum: &mut f64, term: f64) -> f64 {
    *sum += term;
    *sum
}

impl Figure for ErrorCurve {
    const SIZE: (u32, u32) = (1400, 900);

    fn draw<DB: DrawingBackend>(&self, area: &DrawingArea<DB, Shift>) -> Drawn<DB> {
        let Shape { vocab_size, rank, dim } = self.shape;
        let error_name = if self.weighted { "weighted relative error" } else { "relative error" };
        let method = if self.weighted { "Row-weighted truncated SVD" } else { "Truncated SVD" };
        let area =
            area.margin(15, 0, 0, 0).titled(&format!("{method}: {error_name} of every rank"), (FONT, TITLE_SIZE))?;
        let area = area.titled(&shortened(&self.table), (FONT, LABEL_SIZE))?;

        let max_rank = self.errors.len();
        let dense_bytes = (size_of::<f32>() * vocab_size * dim) as f64;
        // Room for all ranks and for the whole table.
        let max_bytes = 1.02 * self.bytes(max_rank).max(dense_bytes);
        let max_error = 1.05;
        let mut chart = ChartBuilder::on(&area)
            .margin(15)
            .margin_right(45)
            .x_label_area_size(80)
            .y_label_area_size(105)
            .top_x_label_area_size(80)
            .build_cartesian_2d(0.0..max_bytes, 0.0..max_error)?
            .set_secondary_coord(0.0..max_bytes / self.bytes(1), 0.0..max_error);
        draw_axes(&mut chart, "size of U, D and V", error_name)?;
        chart
            .configure_secondary_axes()
            .x_desc("rank")
            .x_labels(9)
            .x_label_formatter(&|rank| if rank.fract() == 0.0 { format!("{rank}") } else { String::new() })
            .label_style((FONT, TICK_SIZE))
            .axis_desc_style((FONT, LABEL_SIZE))
            .axis_style(GREY)
            .draw()?;

        let curve: Vec<(f64, f64)> = (1..).map(|rank| self.bytes(rank)).zip(self.errors.iter().copied()).collect();
        let look = Look { color: BLUE, dashed: false, marker: Marker::None };
        draw_series(&mut chart, &curve, look, "every rank")?;
        let look = Look { color: GREY, dashed: true, marker: Marker::None };
        let dense = format!("table as 32-bit floats: {}", short_bytes(dense_bytes));
        draw_series(&mut chart, &[(dense_bytes, 0.0), (dense_bytes, max_error)], look, &dense)?;
        if let Some(&chosen) = curve.get(rank - 1) {
            let look = Look { color: VERMILION, dashed: false, marker: Marker::Circle };
            let name = format!("chosen rank {rank}: {}, error {:.4}", short_bytes(chosen.0), chosen.1);
            draw_series(&mut chart, &[chosen], look, &name)?;
        }
        draw_legend(&mut chart, SeriesLabelPosition::UpperRight)
    }
}
