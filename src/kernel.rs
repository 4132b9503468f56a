//! The loops that lookups, bags and logits spend their time in, behind safe doors.
//!
//! The caller of a door has checked ids and shapes; nothing below a door checks them again.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod codes;
mod dots;
mod hot;
mod isa;
mod multiply;
#[cfg(target_arch = "aarch64")]
mod neon;
mod output;
mod pack;
mod packed;
mod parallel;
mod plan;
mod pool;
mod pool_tiles;
mod portable;
mod prefetch;
mod products;
mod project;
mod rows;
mod scatter;
pub(crate) mod scratch;
mod simd;
mod softmax;
mod tile;
mod transpose;
mod vectorize;

pub(crate) use codes::{CodeLayout, CodedQueries, CodedRows, Queries, decode_rows, score_codes};
pub(crate) use hot::HotRows;
pub use isa::Isa;
pub(crate) use packed::PackedProjection;
pub(crate) use parallel::{for_each_item, for_each_range, for_each_rows};
pub(crate) use pool::{PooledRows, pool, pool_and_project};
pub(crate) use pool_tiles::pool_tiles;
pub(crate) use products::{TableRows, add_weighted_rows, nanoseconds_per_row, scores};
pub use project::RepeatedIds;
pub(crate) use project::{GatheredRows, add_projected, project, project_rows};
pub(crate) use rows::{AHEAD, copy_rows, copy_stored_rows, prefetch_row};
pub(crate) use scatter::scatter_scores;
pub(crate) use softmax::{max_and_sum_exp, scaled_exp};
pub(crate) use transpose::transpose;
pub(crate) use vectorize::{Loop, all_finite, vectorize};

#[cfg(test)]
mod tests;
