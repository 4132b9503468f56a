//! The table of tables, row by row as they are measured.

use std::io::Write;

use crate::{
    benchmark::Measured,
    support::{Result, text::grouped},
    tables::Recipe,
};

/// The dense table is the first row; the others are compared with it.
#[derive(Debug, Default)]
pub(crate) struct Report {
    dense: Option<Measured>,
}

impl Report {
    pub(crate) fn write_header(&self, exponents: &[f64], out: &mut impl Write) -> Result<()> {
        let each = if exponents.len() > 1 { format!("Spearman at p = {}", list(exponents)) } else { String::new() };
        let [bytes, times, spearman, loss] = ["bytes", "times smaller", "Spearman", "loss"];
        write_line(["table", bytes, times, spearman, loss, "lookups, ms", "encoding, s", &each], out)
    }

    /// The means of what came of a table, with each exponent.
    pub(crate) fn write_row(&mut self, recipe: Recipe, measured: &[Measured], out: &mut impl Write) -> Result<()> {
        let Some(&first) = measured.first() else { return Ok(()) };
        let dense = *self.dense.get_or_insert(first);
        let mean = |number: fn(&Measured) -> f64| measured.iter().map(number).sum::<f64>() / measured.len() as f64;
        let bytes = mean(|measured| measured.bytes as f64);
        let spearman = mean(|measured| measured.spearman);
        let each: Vec<String> = measured.iter().map(|measured| format!("{:.4}", measured.spearman)).collect();
        write_line(
            [
                &recipe.to_string(),
                &grouped(bytes.round() as usize),
                &format!("{:.2}", dense.bytes as f64 / bytes),
                &format!("{spearman:.4}"),
                &format!("{:.4}", dense.spearman - spearman),
                &format!("{:.1}", 1e3 * mean(|measured| measured.lookup_seconds)),
                &format!("{:.1}", mean(|measured| measured.seconds)),
                &if each.len() > 1 { each.join(" ") } else { String::new() },
            ],
            out,
        )
    }

    pub(crate) fn write_notes(&self, exponents: &[f64], out: &mut impl Write) -> Result<()> {
        writeln!(
            out,
            "\n(Spearman: rank correlation of cosines with the scores. Lookups: of the vectors of all tokens, a"
        )?;
        writeln!(
            out,
            "median. Encoding: of all sentences, lookups among it. Tables but those of SVD without weights weigh a row"
        )?;
        writeln!(
            out,
            "by how often its token occurs, plus 1, to the power p = {}, those that the tokenizer puts around",
            list(exponents)
        )?;
        writeln!(out, "sentences as often as the most frequent one: means over p.)")?;
        Ok(())
    }
}

fn list(exponents: &[f64]) -> String {
    exponents.iter().map(f64::to_string).collect::<Vec<_>>().join(", ")
}

/// Cells in columns that are wide enough for tables of a GB.
fn write_line(
    [table, bytes, times, spearman, loss, lookups, encoding, each]: [&str; 8],
    out: &mut impl Write,
) -> Result<()> {
    let numbers = format!("{bytes:>13}  {times:>13}  {spearman:>8}  {loss:>7}  {lookups:>11}  {encoding:>11}");
    writeln!(out, "{}", format!("{table:<18}  {numbers}  {each}").trim_end())?;
    Ok(out.flush()?)
}
