//! Memory that a thread keeps from call to call, so that only its first calls allocate.

use std::{cell::Cell, thread::LocalKey};

/// What a thread keeps for one purpose.
pub(crate) type Scratch<T> = Cell<T>;

/// Works with what the thread has kept. Should the same thread come here again meanwhile, it finds nothing kept, and begins anew.
pub(crate) fn with<T: Default, R>(scratch: &'static LocalKey<Scratch<T>>, work: impl FnOnce(&mut T) -> R) -> R {
    let mut kept = scratch.take();
    let result = work(&mut kept);
    scratch.set(kept);
    result
}

/// The first `len` numbers of a vector that grows where it is shorter. They are what they were: anything.
pub(crate) fn at_least<T: Copy + Default>(kept: &mut Vec<T>, len: usize) -> &mut [T] {
    if kept.len() < len {
        kept.resize(len, T::default());
    }
    &mut kept[..len]
}
