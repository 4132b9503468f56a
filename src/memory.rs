//! Memory maps and huge pages. Beside `kernel/` the only place with unsafe code.
#![allow(unsafe_code)]

#[cfg(feature = "safetensors")]
mod map;

#[cfg(feature = "safetensors")]
pub(crate) use map::map;

/// Asks the system to keep numbers in pages of 2 MiB instead of 4 KiB: both the pages that it has handed out and those that it
/// hands out when they are first written to. It may ignore that.
pub(crate) fn prefer_huge_pages<T>(numbers: &[T]) {
    #[cfg(target_os = "linux")]
    {
        /// A huge page of x86-64, and of aarch64 with pages of 4 KiB.
        const HUGE: usize = 2 << 20;
        /// Linux 6.1 and later, in `linux/mman.h`; not every C library that `libc` describes has the name.
        const MADV_COLLAPSE: libc::c_int = 25;

        let bytes = numbers.as_ptr_range();
        let start = bytes.start.addr().checked_next_multiple_of(HUGE).unwrap_or(usize::MAX);
        let end = bytes.end.addr() / HUGE * HUGE;
        if start < end {
            let address = bytes.start.cast::<libc::c_void>().wrapping_byte_add(start - bytes.start.addr()).cast_mut();
            for advice in [libc::MADV_HUGEPAGE, MADV_COLLAPSE] {
                // SAFETY: the whole pages from `address` on lie within the borrowed numbers. The first call says what size
                // pages have that are handed out from now on, the second moves the others to physical memory of that size;
                // neither changes any of the bytes.
                let _refused = unsafe { libc::madvise(address, end - start, advice) };
            }
        }
    }
    #[cfg(not(target_os = "linux"))]
    let _ = numbers;
}

#[cfg(test)]
mod tests {
    use super::prefer_huge_pages;

    #[test]
    fn huge_pages_change_no_number() {
        for len in [0, 1, 1000, 3_000_000] {
            let numbers: Vec<u32> = (0..len).collect();
            prefer_huge_pages(&numbers);
            assert!(numbers.iter().copied().eq(0..len), "{len} numbers");
        }
    }
}
