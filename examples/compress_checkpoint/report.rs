//! What was written, as text.

use std::io::Write;

use factorized_embedding::io::hugging_face::{SavedTable, TableErrors};

use crate::support::{
    Result,
    text::{Align, grouped, write_pairs, write_table},
};

pub(crate) struct Report<'a> {
    pub(crate) saved: &'a SavedTable,
    /// Of a table that was compressed.
    pub(crate) errors: Option<TableErrors>,
    pub(crate) seconds: f64,
    pub(crate) peak: Option<usize>,
}

impl Report<'_> {
    pub(crate) fn write(&self, out: &mut impl Write) -> Result<()> {
        let mut pairs = Vec::new();
        if let Some(errors) = self.errors {
            pairs.push(("relative error", format!("{:.6}", errors.relative_error)));
            let weighted = errors.weighted_relative_error;
            pairs.extend(weighted.map(|error| ("weighted relative error", format!("{error:.6}"))));
        }
        pairs.push(("time", format!("{:.2} s", self.seconds)));
        pairs.extend(self.peak.map(|bytes| ("memory at the peak", format!("{:.0} MB", bytes as f64 / 1e6))));
        write_pairs(out, &pairs)?;
        writeln!(out)?;
        write_sizes(self.saved, out)
    }
}

/// Writes the bytes before and after.
fn write_sizes(saved: &SavedTable, out: &mut impl Write) -> Result<()> {
    let full = (size_of::<f32>() * saved.shape[0] * saved.shape[1]) as f64;
    let row = |name: &str, [before, after]: [u64; 2]| -> Result<[String; 4]> {
        let bytes = |bytes: u64| -> Result<String> { Ok(grouped(usize::try_from(bytes)?)) };
        let times = format!("{:.2}", before as f64 / after as f64);
        Ok([name.to_owned(), bytes(before)?, bytes(after)?, times])
    };
    let rows = [
        row(&saved.name, saved.table_bytes.map(|bytes| bytes as u64))?,
        row("all files of tensors", saved.file_bytes)?,
    ];
    let header =
        [("", Align::Left), ("bytes before", Align::Right), ("after", Align::Right), ("times smaller", Align::Right)];
    write_table(out, header, &rows)?;
    let smallest = saved.table_bytes[0].min(saved.table_bytes[1]) as f64;
    writeln!(out, "\nthe compressed table is {:.2} times smaller than as 32-bit floats", full / smallest)?;
    Ok(())
}
