//! The methods that need the whole table in memory.

use std::path::Path;

use factorized_embedding::{
    AlternatingLeastSquares, BlockwiseSvd, Decompose, Error, Rank, RowGroups, RowWeights, Shape,
    io::safetensors::{max_block_header_bytes, save_block_factors, save_factors},
};
use ndarray::ArrayView2;

use crate::{
    budget::Target,
    decomposed::{Decomposed, Kept},
    settings::Settings,
    support::{Result, text::grouped},
};

/// Groups of rows, where their number is not given.
const ROW_GROUPS: usize = 6;

/// Decomposes a table by alternating least squares, and saves its factors.
pub(crate) fn save_als(
    table: ArrayView2<'_, f32>,
    target: Target,
    weights: Option<&RowWeights>,
    settings: &Settings,
    out: &Path,
) -> Result<Decomposed> {
    let (vocab_size, dim) = table.dim();
    let rank = match target.rank(vocab_size, dim)? {
        Rank::Fixed(rank) => rank,
        Rank::Bytes(bytes) => (bytes / Rank::bytes(Shape { vocab_size, rank: 1, dim })).min(vocab_size.min(dim)),
        other => return Err(format!("--method als needs --rank or --bytes, not {other:?}").into()),
    };
    let mut method = AlternatingLeastSquares::new(rank)
        .with_ridge(settings.ridge.unwrap_or_default())
        .with_seed(settings.seed.unwrap_or_default());
    if let Some(iterations) = settings.iterations {
        method = method.with_max_iterations(iterations);
    }
    if let Some(weights) = weights {
        method = method.with_row_weights(weights.clone());
    }
    let decomposition = method.decompose(table)?;
    save_factors(out, &decomposition.factors)?;
    Ok(Decomposed {
        kept: Kept::Factors(decomposition.spectrum),
        ranks: vec![rank],
        group_sizes: None,
        bytes: Rank::bytes(decomposition.factors.shape()),
        relative_error: decomposition.relative_error,
        weighted_relative_error: decomposition.weighted_relative_error,
        iterations: Some(decomposition.losses.len()),
        resumed_rows: None,
    })
}

/// Decomposes a table in groups of rows by frequency, and saves their factors.
pub(crate) fn save_blockwise(
    table: ArrayView2<'_, f32>,
    target: Target,
    weights: &RowWeights,
    settings: &Settings,
    out: &Path,
) -> Result<Decomposed> {
    let (vocab_size, dim) = table.dim();
    let groups = RowGroups::by_frequency(weights, settings.row_groups.unwrap_or(ROW_GROUPS))?;
    let header = max_block_header_bytes(groups.num_groups());
    let budget = match target {
        Target::FileSize(budget) => budget.bytes(vocab_size, dim).saturating_sub(header),
        // As many bytes as factors of this rank take.
        Target::Rank(Rank::Fixed(rank)) => Rank::bytes(Shape { vocab_size, rank, dim }),
        Target::Rank(other) => return Err(format!("--method blockwise needs --rank or --bytes, not {other:?}").into()),
    };
    let mut method =
        BlockwiseSvd::new(groups, budget).with_row_weights(weights.clone()).with_mean_removal(settings.mean_removal());
    if let Some(rounds) = settings.iterations {
        method = method.with_refinement(rounds);
    }
    let decomposition = method.decompose(table).map_err(|error| match (error, target) {
        (Error::BudgetTooSmall { minimum, .. }, Target::FileSize(size)) => {
            let what = "smallest file of such groups (rank 1 for one of them)";
            size.too_small(vocab_size, dim, minimum + header, what)
        }
        (Error::BudgetTooSmall { bytes, minimum }, Target::Rank(_)) => {
            let (bytes, minimum) = (grouped(bytes), grouped(minimum));
            format!("--rank leaves {bytes} bytes, but the smallest factors of such groups take {minimum}")
        }
        (error, _) => error.to_string(),
    })?;
    let factors = &decomposition.factors;
    save_block_factors(out, factors)?;
    let mut group_sizes = vec![0; factors.num_groups()];
    for &group in factors.group_of() {
        group_sizes[usize::from(group)] += 1;
    }
    Ok(Decomposed {
        ranks: factors.ranks(),
        group_sizes: Some(group_sizes),
        bytes: factors.size_in_bytes(),
        relative_error: decomposition.relative_error,
        weighted_relative_error: decomposition.weighted_relative_error,
        iterations: settings.iterations.map(|_| decomposition.losses.len()),
        kept: Kept::Factors(decomposition.spectrum),
        resumed_rows: None,
    })
}
