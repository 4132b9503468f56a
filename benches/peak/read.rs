//! Reads that do as little as can be with what they read, in the widest vectors of the machine.

#![allow(unsafe_code)]

use factorized_embedding::TokenId;

/// Numbers that are added at a time, each to a sum of its own: eight vectors of 64 bytes.
const LANES: usize = 128;

/// The sum of all numbers, modulo 2³².
pub(crate) fn sum(numbers: &[u32]) -> u32 {
    rows(numbers, numbers.len(), &[0])
}

/// The sum of the numbers of the rows of ids in a table of rows of `width`.
pub(crate) fn sum_rows(table: &[u32], width: usize, ids: &[TokenId]) -> u32 {
    rows(table, width, ids)
}

fn rows(table: &[u32], width: usize, ids: &[TokenId]) -> u32 {
    #[cfg(target_arch = "x86_64")]
    {
        if is_x86_feature_detected!("avx512f") {
            // SAFETY: the feature has just been detected.
            return unsafe { avx512(table, width, ids) };
        }
        if is_x86_feature_detected!("avx2") {
            // SAFETY: the feature has just been detected.
            return unsafe { avx2(table, width, ids) };
        }
    }
    add(table, width, ids)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
fn avx512(table: &[u32], width: usize, ids: &[TokenId]) -> u32 {
    add(table, width, ids)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn avx2(table: &[u32], width: usize, ids: &[TokenId]) -> u32 {
    add(table, width, ids)
}

#[inline(always)]
fn add(table: &[u32], width: usize, ids: &[TokenId]) -> u32 {
    let mut sums = [0_u32; LANES];
    for &id in ids {
        let row = &table[id as usize * width..][..width];
        let (blocks, rest) = row.as_chunks::<LANES>();
        for block in blocks {
            for (sum, number) in sums.iter_mut().zip(block) {
                *sum = sum.wrapping_add(*number);
            }
        }
        for (sum, number) in sums.iter_mut().zip(rest) {
            *sum = sum.wrapping_add(*number);
        }
    }
    sums.into_iter().fold(0, u32::wrapping_add)
}
