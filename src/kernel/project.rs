//! The doors to rows times the packed projection.

use ndarray::ArrayViewMut2;

use super::{
    Isa, PackedProjection,
    isa::Level,
    schedule::{Simd, Source},
};
use crate::TokenId;

/// Row `ids[i]` of `rows` \[m, rank\], times the projection, plus the bias, into row i of `out` \[n, dim\].
pub(crate) fn project_rows(
    isa: Isa,
    rows: &[f32],
    ids: &[TokenId],
    projection: &PackedProjection,
    out: &mut ArrayViewMut2<'_, f32>,
) {
    run(isa, Source { rows, ids: Some(ids), bias_weights: None, projection }, out);
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
    run(isa, Source { rows, ids: None, bias_weights, projection }, out);
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
