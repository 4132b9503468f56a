//! What the power of the frequencies, and what is added to them, change.

use std::io::Write;

use factorized_embedding::{
    Decompose, Embedding, FactorizedEmbedding, Rank, RowWeights, TruncatedSvd,
    quantize::{Budget, Quantizer},
};

use crate::{
    bits,
    input::Input,
    losses::Losses,
    markdown::{header, nothing, write_heading, write_table},
    sizes::that_fits,
    support::Result,
    tokens,
};

/// How many times smaller than the table the results are.
const RATIO: f64 = 8.0;
/// Exponents with the smoothing that was given, then smoothing with the exponent of codes.
const EXPONENTS: [f64; 6] = [0.0, 0.25, 0.4, 0.5, 0.75, 1.0];
const SMOOTHINGS: [f64; 3] = [0.0, 10.0, 100.0];

/// Writes three errors of an SVD and of scalar codes for each way to make weights.
pub(crate) fn write(input: &Input, out: &mut impl Write) -> Result<()> {
    let text = format!(
        "Relative error of all tokens / weighted by frequency / of the rarest half, for weights (frequency + smoothing)^exponent, at {RATIO}×."
    );
    write_heading(out, "Exponent and smoothing", &text)?;
    let exponents = EXPONENTS.map(|exponent| (exponent, input.smoothing));
    let smoothings = SMOOTHINGS.map(|smoothing| (input.code_exponent, smoothing));
    let mut rows = Vec::new();
    for (exponent, smoothing) in exponents.into_iter().chain(smoothings) {
        let weights = RowWeights::new(input.counts.as_slice())?.with_smoothing(smoothing)?.with_exponent(exponent)?;
        let svd = svd(input, weights.clone())?;
        let codes = bits::losses(input, &Quantizer::new(Budget::Ratio(RATIO)).with_row_weights(weights))?;
        let cell = |losses: Option<Losses>| losses.map_or_else(nothing, |losses| errors(input, &losses));
        rows.push(vec![exponent.to_string(), smoothing.to_string(), cell(svd), cell(codes)]);
    }
    write_table(
        out,
        &header("exponent", &["smoothing", "weighted SVD", "quantized, scalar"], ToString::to_string),
        &rows,
    )
}

/// Of factors of that many bytes; nothing where no rank is small enough.
fn svd(input: &Input, weights: RowWeights) -> Result<Option<Losses>> {
    let bytes = (input.dense.size_in_bytes() as f64 / RATIO) as usize;
    let table = input.dense.to_array();
    let svd = TruncatedSvd::new(Rank::Bytes(bytes)).with_row_weights(weights);
    let decomposition = that_fits(svd.decompose(table.view()).map_err(Into::into))?;
    let layer = decomposition.map(|decomposition| FactorizedEmbedding::new(decomposition.factors));
    layer.map(|layer| Losses::new(&input.dense, &layer)).transpose()
}

fn errors(input: &Input, losses: &Losses) -> String {
    let weighted = losses.weighted_error(&input.weights.to_vec());
    format!("{:.3} / {weighted:.3} / {:.3}", losses.error(), losses.error_of(tokens::rarest(input)))
}
