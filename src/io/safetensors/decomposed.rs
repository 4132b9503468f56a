//! Factors of a table that is larger than memory, straight into a file.

use std::path::Path;

use super::FactorsWriter;
use crate::{Basis, ProjectionErrors, Result, RowBlocks, RowWeights};

/// The second half of a decomposition, into a file: reads the rows of the table once more, writes U block by block beside V, D
/// and the bias of the basis, and measures what the factors lost.
///
/// The file is the one that [`save_factors`](super::save_factors) would write of the same factors. Memory is taken by a block
/// of rows, whatever their number. `progress` is told the number of rows that are written, and ends the work with an error:
/// what stood at the path is then still there.
///
/// # Errors
/// Those of [`Basis::project`], of the source, of [`FactorsWriter`] and of `progress`.
///
/// # Examples
///
/// ```
/// use factorized_embedding::{
///     GramAccumulator, Rank, RowBlocks,
///     io::safetensors::{SafetensorsRows, load_factors, save_decomposed},
/// };
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("factors.safetensors");
/// let mut rows = SafetensorsRows::open("examples/data/glove50-top10k-f16.safetensors", "weight")?;
/// let mut gram = GramAccumulator::new(rows.dim())?;
/// gram.update_from(&mut rows, None, |gram| {
///     println!("{} rows read", gram.num_rows()); // or save `gram.to_bytes()`, to go on from there
///     Ok(())
/// })?;
/// let basis = gram.solve(Rank::Energy(0.9))?;
/// let errors = save_decomposed(&path, &basis, &mut rows, None, |written| Ok(println!("{written} rows written")))?;
/// assert!(errors.relative_error.powi(2) < 0.1);
/// assert_eq!(load_factors(&path)?.shape(), basis.shape());
/// # Ok(())
/// # }
/// ```
pub fn save_decomposed(
    path: impl AsRef<Path>,
    basis: &Basis,
    rows: &mut dyn RowBlocks,
    row_weights: Option<&RowWeights>,
    mut progress: impl FnMut(usize) -> Result<()>,
) -> Result<ProjectionErrors> {
    let mut writer = FactorsWriter::create(path, basis.shape().vocab_size, basis.v().to_owned())?
        .with_diagonal(basis.diagonal().to_owned())?;
    if let Some(bias) = basis.bias() {
        writer = writer.with_bias(bias.to_owned())?;
    }
    let errors = basis.project(rows, row_weights, |_, u| {
        writer.write_rows(u)?;
        progress(writer.rows_written())
    })?;
    writer.finish()?;
    Ok(errors)
}
