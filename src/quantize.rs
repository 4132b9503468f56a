//! Tables in codes of few bits, as many for each direction of each group of rows as it deserves.

pub use crate::factors::{Level, PartBytes};
