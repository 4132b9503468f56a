//! The loops that lookups, bags and logits spend their time in, behind safe doors.
//!
//! The caller of a door has checked ids and shapes; nothing below a door checks them again.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod isa;
mod packed;
mod portable;
mod prefetch;
mod project;
mod repeats;
mod rows;
mod schedule;
mod scores;

pub use isa::Isa;
pub(crate) use packed::PackedProjection;
pub use project::RepeatedIds;
pub(crate) use project::{project, project_rows};
pub(crate) use rows::{POOLED_TOGETHER, copy_rows, pool_rows};
pub(crate) use scores::{add_product, scores};

#[cfg(test)]
mod tests;
