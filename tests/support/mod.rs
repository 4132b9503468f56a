//! What several test targets share.
#![allow(dead_code, reason = "every test target uses its own part of this module")]

pub(crate) mod compare;
pub(crate) mod eigenvalues;
pub(crate) mod factor_parts;
pub(crate) mod files;
pub(crate) mod output;
pub(crate) mod programs;
pub(crate) mod random;
pub(crate) mod reference;
