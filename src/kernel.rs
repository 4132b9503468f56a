//! The loops that lookups, bags and logits spend their time in, behind safe doors.
//!
//! The caller of a door has checked ids and shapes; nothing below a door checks them again.

mod packed;
mod portable;
mod rows;
mod scores;

pub(crate) use packed::PackedProjection;
pub(crate) use portable::{project, project_rows};
pub(crate) use rows::{copy_rows, pool_rows};
pub(crate) use scores::{add_product, scores};
