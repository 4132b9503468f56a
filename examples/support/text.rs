//! Numbers and aligned tables as text.

use std::io::{self, Write};

/// On which side of its column a cell stands.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Align {
    Left,
    Right,
}

/// Writes rows of cells under a header, each column as wide as its widest cell.
pub(crate) fn write_table<const N: usize>(
    out: &mut impl Write,
    header: [(&str, Align); N],
    rows: &[[String; N]],
) -> io::Result<()> {
    let titles = header.map(|(title, _)| title.to_owned());
    let width = |column: usize| {
        let cells = rows.iter().chain([&titles]).map(|row| row[column].chars().count());
        cells.max().unwrap_or(0)
    };
    for row in [&titles].into_iter().chain(rows) {
        let cells = row.iter().zip(header).enumerate().map(|(column, (cell, (_, align)))| match align {
            Align::Left => format!("{cell:<0$}", width(column)),
            Align::Right => format!("{cell:>0$}", width(column)),
        });
        writeln!(out, "{}", cells.collect::<Vec<_>>().join("  ").trim_end())?;
    }
    Ok(())
}

/// Writes names and their values, one pair a line.
pub(crate) fn write_pairs(out: &mut impl Write, pairs: &[(&str, String)]) -> io::Result<()> {
    let width = pairs.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
    pairs.iter().try_for_each(|(name, value)| writeln!(out, "{name:<width$}  {value}"))
}

/// 1234567 as 1,234,567.
pub(crate) fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// A number of bytes in the unit that suits it, for the ticks of an axis: 0, 500 kB, 1.5 MB.
pub(crate) fn short_bytes(bytes: f64) -> String {
    let (unit, name) = match bytes {
        bytes if bytes >= 1e9 => (1e9, "GB"),
        bytes if bytes >= 1e6 => (1e6, "MB"),
        bytes if bytes >= 1e3 => (1e3, "kB"),
        _ => (1.0, "B"),
    };
    // Two decimals at most, and none that say nothing.
    let rounded = (bytes / unit * 100.0).round() / 100.0;
    if rounded == 0.0 { "0".to_owned() } else { format!("{rounded} {name}") }
}

/// The words of a text in lines of at most `width` characters (one word at least).
pub(crate) fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

/// A long name without its middle, so that it fits above the chart.
pub(crate) fn shortened(name: &str) -> String {
    const SIDE: usize = 38;
    let characters: Vec<char> = name.chars().collect();
    if characters.len() <= 2 * SIDE {
        return name.to_owned();
    }
    let (start, end) = (&characters[..SIDE], &characters[characters.len() - SIDE..]);
    start.iter().chain(&['…']).chain(end).collect()
}
