//! Asking for memory before it is needed.
#![allow(unsafe_code)]

/// Bytes of a cache line.
const LINE: usize = 64;

/// Asks for every cache line of a row of up to `max` bytes, and for the first and the last line of a longer one: the
/// machine guesses what lies between.
#[inline(always)]
pub(super) fn prefetch<T>(row: &[T], max: usize) {
    let start = row.as_ptr().cast::<u8>();
    let len = size_of_val(row);
    let last = len.saturating_sub(1);
    if len <= max {
        for offset in (0..last).step_by(LINE) {
            ask(start.wrapping_add(offset));
        }
    } else {
        ask(start);
    }
    ask(start.wrapping_add(last));
}

#[inline(always)]
fn ask(address: *const u8) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: a prefetch reads nothing that the program can observe and faults on no address. SSE is part of every x86-64.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(address.cast()) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = address;
}
