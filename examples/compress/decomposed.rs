//! What a decomposition leaves beside the file.

use factorized_embedding::{Spectrum, quantize::QuantizationReport};

/// A file is written, and this is known of it.
#[derive(Debug)]
pub(crate) struct Decomposed {
    pub(crate) kept: Kept,
    /// Of the factors; for blockwise that of each group of rows.
    pub(crate) ranks: Vec<usize>,
    /// Rows of each group, where there are groups.
    pub(crate) group_sizes: Option<Vec<usize>>,
    /// Bytes of what is in the file.
    pub(crate) bytes: usize,
    pub(crate) relative_error: f64,
    pub(crate) weighted_relative_error: Option<f64>,
    /// Of a method that iterates.
    pub(crate) iterations: Option<usize>,
    /// Rows whose sums were there already.
    pub(crate) resumed_rows: Option<u64>,
}

/// What is in the file.
#[derive(Debug)]
pub(crate) enum Kept {
    /// Factors, chosen from this spectrum.
    Factors(Spectrum),
    /// Codes, of which this is reported.
    Codes(QuantizationReport),
}
