//! What the rules for the rank choose.

use std::io::Write;

use factorized_embedding::{Decompose, Embedding, Rank, Spectrum, TruncatedSvd};

use crate::{
    input::Input,
    markdown::{header, nothing, write_heading, write_table},
    sizes::that_fits,
    support::Result,
};

/// Writes rank, error and size by every rule, of the table and of its weighted rows.
pub(crate) fn write(input: &Input, out: &mut impl Write) -> Result<()> {
    write_heading(
        out,
        "Rules for the rank",
        "The rank, its relative error, and how many times smaller 32-bit factors are; then the same of rows weighted by frequency, \
         with the weighted error.",
    )?;
    let table = input.dense.to_array();
    let svd = TruncatedSvd::new(Rank::Fixed(1));
    let spectra = [svd.clone(), svd.with_row_weights(input.weights.clone())]
        .map(|svd| svd.decompose(table.view()).map(|decomposition| decomposition.spectrum));
    let [plain, weighted] = spectra;
    let spectra = [plain?, weighted?];
    let bytes = input.dense.size_in_bytes();
    let rules = [
        ("`Energy(0.5)`", Rank::Energy(0.5)),
        ("`Energy(0.8)`", Rank::Energy(0.8)),
        ("`Energy(0.9)`", Rank::Energy(0.9)),
        ("`Energy(0.95)`", Rank::Energy(0.95)),
        ("`RelativeError(0.5)`", Rank::RelativeError(0.5)),
        ("`RelativeError(0.1)`", Rank::RelativeError(0.1)),
        ("`Bytes`, half of the table", Rank::Bytes(bytes / 2)),
        ("`Bytes`, an eighth", Rank::Bytes(bytes / 8)),
        ("`Knee`", Rank::Knee),
        ("`HardThreshold`", Rank::HardThreshold),
        ("`Effective`", Rank::Effective),
    ];
    let mut rows = Vec::new();
    for (name, rule) in rules {
        let mut row = vec![name.to_owned()];
        for spectrum in &spectra {
            let rank = that_fits(rule.select(spectrum).map_err(Into::into))?;
            row.extend(rank.map_or_else(|| [nothing(), nothing(), nothing()], |rank| cells(spectrum, rank, bytes)));
        }
        rows.push(row);
    }
    let names = ["rank", "error", "times smaller", "weighted rank", "weighted error", "times smaller"];
    write_table(out, &header("rule", &names, ToString::to_string), &rows)
}

fn cells(spectrum: &Spectrum, rank: usize, bytes: usize) -> [String; 3] {
    let times = bytes as f64 / spectrum.bytes_at(rank) as f64;
    [rank.to_string(), format!("{:.3}", spectrum.error_at(rank)), format!("{times:.2}")]
}
