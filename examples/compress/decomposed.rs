//! What a decomposition leaves beside the file.

use factorized_embedding::Spectrum;

/// A file is written, and this is known of it.
#[derive(Debug)]
pub(crate) struct Decomposed {
    pub(crate) spectrum: Spectrum,
    /// Of the factors; for groups of rows that of each group.
    pub(crate) ranks: Vec<usize>,
    /// Rows of each group, where there are groups.
    pub(crate) group_sizes: Option<Vec<usize>>,
    /// Bytes of the factors.
    pub(crate) bytes: usize,
    pub(crate) relative_error: f64,
    pub(crate) weighted_relative_error: Option<f64>,
    /// Of a method that iterates.
    pub(crate) iterations: Option<usize>,
    /// Rows whose sums were there already.
    pub(crate) resumed_rows: Option<u64>,
}
