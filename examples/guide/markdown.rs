//! Tables as Markdown.

use std::io::Write;

use crate::support::Result;

/// Writes rows of cells under a header, the first column to the left and the others to the right.
pub(crate) fn write_table(out: &mut impl Write, header: &[String], rows: &[Vec<String>]) -> Result<()> {
    writeln!(out, "| {} |", header.join(" | "))?;
    writeln!(out, "| ---{} |", " | ---:".repeat(header.len().saturating_sub(1)))?;
    for row in rows {
        writeln!(out, "| {} |", row.join(" | "))?;
    }
    Ok(())
}

/// Writes a heading, and what the table below it tells.
pub(crate) fn write_heading(out: &mut impl Write, heading: &str, text: &str) -> Result<()> {
    Ok(writeln!(out, "\n## {heading}\n\n{text}\n")?)
}

/// Two errors in a cell.
pub(crate) fn errors(plain: f64, weighted: f64) -> String {
    format!("{plain:.3} / {weighted:.3}")
}

/// A cell with nothing to tell.
pub(crate) fn nothing() -> String {
    "–".to_owned()
}

/// A header of names and of what is written for each value.
pub(crate) fn header<T>(first: &str, values: &[T], name: impl Fn(&T) -> String) -> Vec<String> {
    [first.to_owned()].into_iter().chain(values.iter().map(name)).collect()
}
