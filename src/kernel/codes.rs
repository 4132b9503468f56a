//! Rows in codes of a few bits: read as they are decoded, never kept.
//!
//! ```text
//! for each row: for each code, i = 0, 1, …:
//!     number = the bits of the code, or, for a step of a trellis, the window that ends with them
//!     value[i] = table(width of the code)[number]
//! coordinate[order[i]] = value[i] · σ[i] · (scale of the row)
//! ```
//!
//! What becomes of the values is another matter: coordinates of a row that is projected ([`rows`]), sums of a bag ([`pool`]),
//! scores ([`scores`]). They are made in the same way for all of them (`lines.rs`):
//!
//! 1. **Lines.** Sixteen codes of one width begin and end with whole bytes of each other: they take 2 · width bytes. So all
//!    lines of a run begin with the same bit of a byte, and one load of 16 bytes, one shuffle of bytes (each code's to a lane of
//!    its own) and one shift of each lane by its own distance bring a line of codes into a register. What they are is worked out
//!    once (`layout.rs`), and loaded once a run. A line that is not full is filled up with whatever follows; σ is 0 there.
//! 2. **Tables.** Sixteen levels are a line that is permuted with the codes, whose upper bits the permutation ignores; so are 32
//!    in two. Larger tables are gathered from, with indices that are cut to the length of the table;
//!    with AVX-512 VBMI, half a table of the trellis stays in eight registers instead, of which bytes are permuted.
//! 3. **Trellis.** A window is a number like any other, but that it overlaps with the next. Only the windows of the first few
//!    steps begin before the circle does: a line of those is read from a copy of the circle's beginning with its end before it.
//! 4. **Order.** Values stay in the order of the codes as long as they can: a bag is summed up, and queries are brought, in it.
//!    Only rows that are projected, and sums, are put into the order of the coordinates, one number after the other.
//! 5. **Groups.** Rows of a group are read in the same way, so that no branch is mispredicted from one to the next. Rows are
//!    therefore sorted by group before they are read, a block at a time, and four of a group are read together.
#![allow(unsafe_code)]

mod layout;
mod lines;
mod pool;
mod rows;
mod scores;
#[cfg(test)]
mod tests;
mod unpacking;

pub(crate) use layout::CodeLayout;
pub(super) use pool::{Ahead, PoolCodes};
pub(super) use rows::MultiplyCodes;
pub(crate) use rows::decode_rows;
pub(crate) use scores::{CodedQueries, Queries, score_codes};
pub(super) use unpacking::{Mirrored, Table, Unpacking, look_up, unpack};

use super::prefetch::prefetch;
use crate::{factors::QuantizedFactors, rows::Numbers};

/// Rows of a table that are in codes.
#[derive(Clone, Copy)]
pub(crate) struct CodedRows<'a> {
    factors: &'a QuantizedFactors,
    layout: &'a CodeLayout,
    codes: &'a [u8],
}

/// Rows as a table stores them.
#[derive(Clone, Copy)]
pub(crate) enum StoredRows<'a> {
    Numbers(Numbers<'a>),
    Codes(CodedRows<'a>),
}

impl<'a> From<Numbers<'a>> for StoredRows<'a> {
    fn from(numbers: Numbers<'a>) -> Self {
        Self::Numbers(numbers)
    }
}

impl<'a> From<CodedRows<'a>> for StoredRows<'a> {
    fn from(codes: CodedRows<'a>) -> Self {
        Self::Codes(codes)
    }
}

/// Where a row is.
#[derive(Clone, Copy, Default)]
struct Found {
    group: usize,
    place: usize,
}

/// Bytes of a row of codes that are asked for line by line.
const MAX_PREFETCH: usize = 512;

impl<'a> CodedRows<'a> {
    /// Rows of factors, in their layout.
    pub(crate) fn new(factors: &'a QuantizedFactors, layout: &'a CodeLayout) -> Self {
        Self { factors, layout, codes: factors.codes() }
    }

    /// Finds a row, and asks for its codes.
    #[inline(always)]
    fn find(self, row: usize) -> Found {
        let (group, place) = self.factors.places().find(row);
        prefetch(&self.codes[place..][..self.layout.groups[group].row_bytes], MAX_PREFETCH);
        Found { group, place }
    }
}
