//! What bits and groups of rows bring.

use std::io::Write;

use factorized_embedding::{
    QuantizedEmbedding,
    quantize::{Budget, Level, Quantizer},
};

use crate::{
    input::Input,
    losses::Losses,
    markdown::{errors, header, nothing, write_heading, write_table},
    sizes::that_fits,
    support::{Result, progress},
};

/// Bits of the file for each number of the table.
const BITS: [f64; 7] = [0.5, 1.0, 2.0, 3.0, 4.0, 6.0, 8.0];
/// Wider codes are no trellis.
const MAX_TRELLIS_BITS: f64 = 4.0;
const GROUPS: [Option<usize>; 6] = [Some(1), Some(2), Some(4), Some(8), Some(16), None];
/// Of the files with different groups.
const RATIO: f64 = 16.0;

/// Writes the errors of every number of bits, then of every number of groups.
pub(crate) fn write(input: &Input, full: bool, out: &mut impl Write) -> Result<()> {
    write_heading(
        out,
        "Bits",
        "Relative error of files of so many bits for each number of the table, all tokens weighing the same.",
    )?;
    let levels = [("scalar", Level::Scalar), ("trellis", Level::Trellis)];
    let mut rows = Vec::new();
    for (name, level) in levels.into_iter().filter(|(_, level)| full || *level == Level::Scalar) {
        let mut row = vec![name.to_owned()];
        for bits in BITS {
            if level == Level::Trellis && bits > MAX_TRELLIS_BITS {
                row.push(nothing());
                continue;
            }
            let quantizer = Quantizer::new(Budget::BitsPerWeight(bits)).with_level(level);
            let losses = losses(input, &quantizer)?;
            row.push(losses.map_or_else(nothing, |losses| format!("{:.4}", losses.error())));
        }
        rows.push(row);
    }
    let bound = BITS.iter().map(|bits| format!("{:.4}", (-bits).exp2()));
    rows.push(["white noise, at the least possible (2⁻ᵇ)".to_owned()].into_iter().chain(bound).collect());
    write_table(out, &header("bits", &BITS, ToString::to_string), &rows)?;

    let text = format!("Scalar codes at {RATIO}×, weighted: relative error / that weighted by frequency.");
    write_heading(out, "Groups of rows", &text)?;
    let weights = input.weights.to_vec();
    let mut row = vec!["scalar".to_owned()];
    for groups in GROUPS {
        let quantizer = Quantizer::new(Budget::Ratio(RATIO));
        let mut quantizer = quantizer.with_row_weights(input.weights.clone().with_exponent(input.code_exponent)?);
        if let Some(groups) = groups {
            quantizer = quantizer.with_groups(groups)?;
        }
        let losses = losses(input, &quantizer)?;
        row.push(losses.map_or_else(nothing, |losses| errors(losses.error(), losses.weighted_error(&weights))));
    }
    let name = |groups: &Option<usize>| groups.map_or("automatic".to_owned(), |groups| groups.to_string());
    write_table(out, &header("groups", &GROUPS, name), &[row])
}

/// What a quantizer loses; nothing where its bytes are too few.
pub(crate) fn losses(input: &Input, quantizer: &Quantizer) -> Result<Option<Losses>> {
    let progress = progress::steps();
    progress.set_message("quantizing");
    let table = input.dense.to_array();
    let quantized = that_fits(quantizer.quantize(table.view()).map_err(Into::into))?;
    progress.finish_and_clear();
    let layer = quantized.map(|quantized| QuantizedEmbedding::new(quantized.factors));
    layer.map(|layer| Losses::new(&input.dense, &layer)).transpose()
}
