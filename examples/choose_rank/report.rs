//! What every rank keeps and costs, as text.

use std::io::Write;

use factorized_embedding::Spectrum;

use crate::{
    recommendations::{NOTES, Recommendation, dense_bytes},
    support::{
        Result,
        text::{Align, grouped, wrapped, write_table},
    },
};

/// About as many ranks are shown besides the recommended ones.
const SHOWN: usize = 12;
const LINE_WIDTH: usize = 100;

#[derive(Debug)]
pub(crate) struct Report<'a> {
    pub(crate) name: &'a str,
    pub(crate) weighted: bool,
    pub(crate) spectrum: &'a Spectrum,
    pub(crate) recommendations: &'a [Recommendation],
}

impl Report<'_> {
    pub(crate) fn write(&self, out: &mut impl Write) -> Result<()> {
        let ([vocab_size, dim], bytes) = (self.spectrum.shape(), grouped(dense_bytes(self.spectrum)));
        writeln!(out, "{}: {} × {dim}, {bytes} bytes as 32-bit floats", self.name, grouped(vocab_size))?;
        if self.weighted {
            writeln!(out, "Rows are weighted by their frequencies: singular values, energy and error are weighted.")?;
        }
        writeln!(out)?;
        self.write_ranks(out)?;
        writeln!(out, "\nWhat the rules assume, and where they mislead:\n")?;
        let indent = NOTES.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0) + 2;
        for (name, note) in NOTES {
            for (line, text) in wrapped(note, LINE_WIDTH - indent).iter().enumerate() {
                writeln!(out, "{:<indent$}{text}", if line == 0 { name } else { "" })?;
            }
        }
        writeln!(out, "\nNo rule knows what the table is for: try some ranks where it is used.\n")?;
        Ok(())
    }

    fn write_ranks(&self, out: &mut impl Write) -> Result<()> {
        let values = self.spectrum.singular_values();
        let (energies, errors) = (self.spectrum.energy_curve(), self.spectrum.error_curve());
        let row = |rank: usize| {
            let bytes = self.spectrum.bytes_at(rank);
            let names = self.recommendations.iter().filter(|recommendation| recommendation.rank == rank);
            [
                rank.to_string(),
                significant(values[rank - 1]),
                format!("{:.2} %", 100.0 * energies[rank]),
                format!("{:.4}", errors[rank]),
                grouped(bytes),
                format!("{:.2}", dense_bytes(self.spectrum) as f64 / bytes as f64),
                names.map(|recommendation| recommendation.name).collect::<Vec<_>>().join(", "),
            ]
        };
        let header = [
            ("rank", Align::Right),
            ("singular value", Align::Right),
            (if self.weighted { "weighted energy kept" } else { "energy kept" }, Align::Right),
            (if self.weighted { "weighted relative error" } else { "relative error" }, Align::Right),
            ("bytes", Align::Right),
            ("times smaller", Align::Right),
            ("recommended by", Align::Left),
        ];
        let rows: Vec<_> = self.ranks().into_iter().map(row).collect();
        write_table(out, header, &rows)?;
        Ok(())
    }

    /// The first, the last, multiples of a round number between them, and those that are recommended.
    fn ranks(&self) -> Vec<usize> {
        let last = self.spectrum.singular_values().len();
        let step = round_step(last / SHOWN);
        let mut ranks: Vec<usize> = (step..last).step_by(step).chain([1, last]).collect();
        ranks.extend(self.recommendations.iter().map(|recommendation| recommendation.rank));
        ranks.sort_unstable();
        ranks.dedup();
        ranks
    }
}

/// The first of 1, 2, 5, 10, 20, 50, … that is not below the least step.
fn round_step(least: usize) -> usize {
    let mut power = 1;
    loop {
        for digit in [1, 2, 5] {
            if digit * power >= least {
                return digit * power;
            }
        }
        power *= 10;
    }
}

/// Four significant digits.
fn significant(value: f64) -> String {
    if value == 0.0 {
        return "0".to_owned();
    }
    match value.log10().floor() as i32 {
        magnitude @ -4..=3 => format!("{value:.*}", (3 - magnitude) as usize),
        4..=8 => format!("{value:.0}"),
        _ => format!("{value:.3e}"),
    }
}
