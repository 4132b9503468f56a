//! An allocator that counts. A test that includes this module uses it: `#[path = "support/allocator.rs"] mod allocator;`.
//!
//! Bytes are those of all threads: a test that measures them stands alone in its binary. Allocations are those of the
//! calling thread.
#![allow(unsafe_code, reason = "an allocator is unsafe")]
#![allow(dead_code, reason = "every test target uses its own part of this module")]

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
};

struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

static ALIVE: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);
static ASKED: AtomicUsize = AtomicUsize::new(0);
static LARGEST: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

fn add(bytes: usize) {
    let alive = ALIVE.fetch_add(bytes, Relaxed) + bytes;
    PEAK.fetch_max(alive, Relaxed);
    ASKED.fetch_add(bytes, Relaxed);
    LARGEST.fetch_max(bytes, Relaxed);
    ALLOCATIONS.set(ALLOCATIONS.get() + 1);
}

fn remove(bytes: usize) {
    ALIVE.fetch_sub(bytes, Relaxed);
}

// SAFETY: everything is left to the system's allocator; counting does not allocate.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        add(layout.size());
        // SAFETY: the caller's contract is that of the system's allocator.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        add(layout.size());
        // SAFETY: the same.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        remove(layout.size());
        // SAFETY: the same.
        unsafe { System.dealloc(pointer, layout) };
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        // Both are alive while one is copied to the other.
        add(new_size);
        remove(layout.size());
        // SAFETY: the same.
        unsafe { System.realloc(pointer, layout, new_size) }
    }
}

/// Bytes that are alive.
pub(crate) fn alive() -> usize {
    ALIVE.load(Relaxed)
}

/// The result of some work, and the bytes at its peak beyond what was alive before.
pub(crate) fn peak_of<T>(work: impl FnOnce() -> T) -> (T, usize) {
    let before = alive();
    PEAK.store(before, Relaxed);
    let result = work();
    (result, PEAK.load(Relaxed) - before)
}

/// The result of some work, and all bytes that it has asked for, whether it has given them back or not.
pub(crate) fn asked_of<T>(work: impl FnOnce() -> T) -> (T, usize) {
    let before = ASKED.load(Relaxed);
    let result = work();
    (result, ASKED.load(Relaxed) - before)
}

/// The result of some work, and the bytes of its largest allocation.
pub(crate) fn largest_of<T>(work: impl FnOnce() -> T) -> (T, usize) {
    LARGEST.store(0, Relaxed);
    let result = work();
    (result, LARGEST.load(Relaxed))
}

/// The result of some work, and how often this thread has asked for memory.
pub(crate) fn allocations_of<T>(work: impl FnOnce() -> T) -> (T, usize) {
    let before = ALLOCATIONS.get();
    let result = work();
    (result, ALLOCATIONS.get() - before)
}
