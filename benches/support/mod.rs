//! What the benches share: seeded tables and ids, and the comparison of answers.

pub(crate) mod agreement;
pub(crate) mod ids;
pub(crate) mod tables;
