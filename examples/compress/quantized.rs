//! Tables in codes of few bits.

use std::path::Path;

use factorized_embedding::{
    RowBlocks, RowWeights, TokenId,
    io::safetensors::save_quantized,
    quantize::{Budget, Quantization},
};
use indicatif::ProgressBar;

use crate::{
    decomposed::{Decomposed, Kept},
    settings::Settings,
    support::{Result, progress::WatchedRows},
};

/// Quantizes the table of a source, and saves its codes.
pub(crate) fn save_codes(
    rows: impl RowBlocks,
    budget: Budget,
    weights: Option<&RowWeights>,
    settings: &Settings,
    bar: &ProgressBar,
    out: &Path,
) -> Result<Decomposed> {
    let mut quantizer = settings.quantizer(budget)?;
    if let Some(weights) = weights {
        quantizer = quantizer.with_row_weights(weights.clone());
    }
    bar.set_message("quantizing");
    let Quantization { factors, report, .. } = quantizer.quantize_rows(&mut WatchedRows::new(rows, bar.clone()))?;
    save_quantized(out, &factors)?;
    let mut group_sizes = vec![0; factors.num_groups()];
    for group in (0..factors.vocab_size() as TokenId).filter_map(|id| factors.group_of(id)) {
        group_sizes[group] += 1;
    }
    Ok(Decomposed {
        ranks: vec![factors.rank()],
        group_sizes: Some(group_sizes),
        bytes: factors.size_in_bytes(),
        relative_error: report.relative_error,
        weighted_relative_error: weights.map(|_| report.weighted_relative_error),
        iterations: None,
        resumed_rows: None,
        kept: Kept::Codes(report),
    })
}
