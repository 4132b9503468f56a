//! The doors to rows times the packed projection.

use ndarray::{ArrayViewMut2, Axis};

use super::{
    Isa, PackedProjection,
    isa::Level,
    repeats::{CHUNK, Repeats},
    schedule::{Simd, Source},
};
use crate::TokenId;

/// What a lookup does with ids that occur in it more than once.
///
/// The result is the same to the bit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum RepeatedIds {
    /// Computes each row once and copies it where it occurs again, unless finding out costs more than it could save: for
    /// few ids, and for products of less than 16,384 multiplications a row.
    #[default]
    Automatic,
    /// Computes each row once.
    Copy,
    /// Computes the row of every id.
    Compute,
}

/// A product of so many multiplications takes 50 times as long as finding out whether an id is a repeat.
const WORTHWHILE: usize = 1 << 14;
/// Fewer ids hardly repeat.
const FEW_IDS: usize = 32;

impl RepeatedIds {
    fn copies(self, num_ids: usize, projection: &PackedProjection) -> bool {
        match self {
            Self::Automatic => num_ids >= FEW_IDS && projection.rank() * projection.dim() >= WORTHWHILE,
            Self::Copy => true,
            Self::Compute => false,
        }
    }
}

/// Row `ids[i]` of `rows` \[m, rank\], times the projection, plus the bias, into row i of `out` \[n, dim\].
///
/// Repeated ids are computed again where `out` is not contiguous.
pub(crate) fn project_rows(
    isa: Isa,
    rows: &[f32],
    ids: &[TokenId],
    repeated_ids: RepeatedIds,
    projection: &PackedProjection,
    out: &mut ArrayViewMut2<'_, f32>,
) {
    let source = Source { rows, ids: None, bias_weights: None, projection, positions: None };
    if !repeated_ids.copies(ids.len(), projection) || out.as_slice_mut().is_none() {
        return run(isa, Source { ids: Some(ids), ..source }, out);
    }
    let dim = out.ncols();
    Repeats::with_scratch(|repeats| {
        for (ids, mut out) in ids.chunks(CHUNK).zip(out.axis_chunks_iter_mut(Axis(0), CHUNK)) {
            repeats.find(ids);
            let source = Source { ids: Some(&repeats.ids), positions: Some(&repeats.positions), ..source };
            run(isa, source, &mut out);
            let Some(out) = out.as_slice_mut() else { continue };
            for &(place, first) in &repeats.copies {
                let first = first as usize * dim;
                out.copy_within(first..first + dim, place as usize * dim);
            }
        }
    });
}

/// Each row of `rows` \[n, rank\], times the projection, plus the bias times `bias_weights` \[n\] (1 when there are none),
/// into the same row of `out` \[n, dim\].
pub(crate) fn project(
    isa: Isa,
    rows: &[f32],
    bias_weights: Option<&[f32]>,
    projection: &PackedProjection,
    out: &mut ArrayViewMut2<'_, f32>,
) {
    run(isa, Source { rows, ids: None, bias_weights, projection, positions: None }, out);
}

fn run(isa: Isa, source: Source<'_>, out: &mut ArrayViewMut2<'_, f32>) {
    match isa.0 {
        #[cfg(target_arch = "x86_64")]
        Level::Avx512(isa) => isa.run(source, out),
        #[cfg(target_arch = "x86_64")]
        Level::Avx2(isa) => isa.run(source, out),
        Level::Portable(isa) => isa.run(source, out),
    }
}
