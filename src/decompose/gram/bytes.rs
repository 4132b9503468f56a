//! An accumulator as bytes.
//!
//! | bytes | |
//! | --- | --- |
//! | 8 | `b"fe-gram\x01"`, the last one the version of this layout |
//! | 8 | 0 for products in `f32`, 1 for `f64` |
//! | 8, 8 | dim, number of rows |
//! | 8 | Σ w |
//! | 8 · dim | Σ w·e |
//! | 4 · dim · (dim + 1) | the lower triangle of Σ w·eᵀ·e, row by row |
//! | 8 | the FNV-1a hash of all of it |
//!
//! Integers are unsigned, all numbers of 64 bits and little-endian.

use ndarray::{Array1, Array2};

use super::{GramAccumulator, Products};
use crate::{Error, Result};

const WORD: usize = 8;
const MAGIC: [u8; WORD] = *b"fe-gram\x01";
/// Words that are neither sums nor products: the five before them and the hash.
const EXTRA_WORDS: usize = 6;

impl GramAccumulator {
    /// The accumulator as bytes, the same ones for the same sums on every machine: 4 · dim · (dim + 3) and 48 of them.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let dim = self.dim();
        let mut bytes = Vec::with_capacity(WORD * (EXTRA_WORDS + dim) + WORD / 2 * dim * (dim + 1));
        bytes.extend(MAGIC);
        let products = match self.products {
            Products::F32 => 0_u64,
            Products::F64 => 1,
        };
        for number in [products, dim as u64, self.num_rows] {
            bytes.extend(number.to_le_bytes());
        }
        let triangle = (0..dim).flat_map(|row| (0..=row).map(move |column| self.gram[[row, column]]));
        for number in std::iter::once(self.weight).chain(self.sum.iter().copied()).chain(triangle) {
            bytes.extend(number.to_le_bytes());
        }
        let hash = fnv_1a(&bytes);
        bytes.extend(hash.to_le_bytes());
        bytes
    }

    /// The accumulator that [`to_bytes`](Self::to_bytes) wrote.
    ///
    /// # Errors
    /// [`InvalidBytes`](Error::InvalidBytes) for anything else: another layout, missing or changed bytes.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        parse(bytes).map_err(|reason| Error::InvalidBytes { what: "Gram accumulator", reason })
    }
}

fn parse(bytes: &[u8]) -> std::result::Result<GramAccumulator, String> {
    let (words, rest) = bytes.as_chunks::<WORD>();
    let [magic, products, dim, num_rows, numbers @ .., hash] = words else {
        return Err(format!("{} bytes are too few", bytes.len()));
    };
    if magic[..WORD - 1] != MAGIC[..WORD - 1] {
        return Err("they do not begin as an accumulator does".to_owned());
    }
    if *magic != MAGIC {
        return Err(format!("their layout has version {}, this crate reads {}", magic[WORD - 1], MAGIC[WORD - 1]));
    }
    let dim = usize::try_from(u64::from_le_bytes(*dim)).unwrap_or(usize::MAX);
    let expected = dim
        .checked_add(1)
        .and_then(|more| more.checked_mul(dim))
        .and_then(|twice| (twice / 2).checked_add(dim)?.checked_add(EXTRA_WORDS)?.checked_mul(WORD));
    if expected != Some(bytes.len()) || !rest.is_empty() {
        return Err(format!("{} bytes are not those of {dim} columns", bytes.len()));
    }
    if fnv_1a(&bytes[..bytes.len() - WORD]) != u64::from_le_bytes(*hash) {
        return Err("their hash is another one: bytes were changed".to_owned());
    }
    let products = match u64::from_le_bytes(*products) {
        0 => Products::F32,
        1 => Products::F64,
        other => return Err(format!("products of type {other} are unknown")),
    };
    let mut numbers = numbers.iter().map(|bytes| f64::from_le_bytes(*bytes));
    let weight = numbers.next().unwrap_or_default();
    let sum: Array1<f64> = numbers.by_ref().take(dim).collect();
    let mut gram = Array2::zeros((dim, dim));
    for (row, mut cells) in gram.rows_mut().into_iter().enumerate() {
        for (cell, number) in cells.iter_mut().take(row + 1).zip(numbers.by_ref()) {
            *cell = number;
        }
    }
    let gram = GramAccumulator { products, num_rows: u64::from_le_bytes(*num_rows), weight, sum, gram };
    let possible = dim > 0 && gram.is_finite() && weight >= 0.0 && gram.gram.diag().iter().all(|&square| square >= 0.0);
    if possible { Ok(gram) } else { Err("their numbers are no sums of a table".to_owned()) }
}

/// Fowler, Noll & Vo, variant 1a, 64 bits: tells bytes that were damaged, not bytes that were forged.
fn fnv_1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3))
}
