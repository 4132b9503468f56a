//! Whether the mean of a table is kept apart.

use super::{Rank, Spectrum};
use crate::Result;

/// What a decomposition does with the (weighted) mean of the rows of a table.
///
/// Taken off, it becomes the [bias](crate::Factors::bias) of the factors, dim numbers that lookups add for nothing, and the
/// rest is decomposed. Many trained tables have a mean that is far from zero, which otherwise takes up a direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case", deny_unknown_fields))]
#[non_exhaustive]
pub enum MeanRemoval {
    /// Decomposes the table as it is.
    #[default]
    Never,
    /// Takes the mean off.
    Always,
    /// Takes the mean off where that is the better use of its bytes: where the error is lower within
    /// [`Rank::Bytes`], where [`Rank::Energy`] and [`Rank::RelativeError`] are reached with fewer bytes, and, at a rank that is
    /// given otherwise, where the error is lower than that of as many bytes without it (part of a direction counts as such
    /// a part of its energy).
    IfBetter,
}

/// The rank of the spectrum that is the better one, and whether that is the spectrum without the mean.
pub(super) fn better(rank: Rank, plain: &Spectrum, centred: &Spectrum) -> Result<(usize, bool)> {
    let plain_rank = rank.select(plain)?;
    let Ok(centred_rank) = rank.select(centred) else {
        // The budget of bytes is too small for a bias.
        return Ok((plain_rank, false));
    };
    let remove = match rank {
        Rank::Bytes(_) => centred.error_at(centred_rank) < plain.error_at(plain_rank),
        Rank::Energy(_) | Rank::RelativeError(_) => centred.bytes_at(centred_rank) < plain.bytes_at(plain_rank),
        _ => {
            // Of the plain table at as many bytes, between the two ranks that they lie between.
            let lost = |spectrum: &Spectrum, rank| spectrum.error_at(rank).powi(2);
            let directions = centred.bytes_at(centred_rank) as f64 / plain.bytes_at(1) as f64;
            let rank = directions as usize;
            let (below, above) = (lost(plain, rank), lost(plain, rank + 1));
            lost(centred, centred_rank) < below - (directions - rank as f64) * (below - above)
        }
    };
    Ok(if remove { (centred_rank, true) } else { (plain_rank, false) })
}
