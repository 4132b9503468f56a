//! Asking for memory before it is needed.
#![allow(unsafe_code)]

/// Numbers of a cache line.
const LINE: usize = 16;

/// Asks for every cache line of a row of up to `max` numbers, and for the first and the last line of a longer one: the
/// machine guesses what lies between.
#[inline(always)]
pub(super) fn prefetch(row: &[f32], max: usize) {
    if row.len() <= max {
        row.chunks(LINE).for_each(ask);
    } else {
        ask(row);
        ask(&row[row.len() - 1..]);
    }
}

#[inline(always)]
fn ask(numbers: &[f32]) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: a prefetch reads nothing that the program can observe and faults on no address; this one is that of a
        // live slice. SSE is part of every x86-64.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(numbers.as_ptr().cast()) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = numbers;
}
