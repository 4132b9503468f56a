//! Files mapped for reading.

use std::{fs::File, io};

use memmap2::Mmap;

/// Maps a whole file for reading.
///
/// The map sees what other processes do to the file: one that is overwritten in place while it is mapped gives wrong
/// numbers, one that is truncated ends the process when the missing part is read. Replacing a file by renaming a new one
/// over it, as this crate saves, is safe.
pub(crate) fn map(file: &File) -> io::Result<Mmap> {
    // SAFETY: the map is read-only and private to this crate, which hands out its bytes as shared slices only and never
    // writes a file in place. That no other process changes the file is a duty of the user, stated in the documentation
    // of every function that maps one (`io::safetensors`).
    unsafe { Mmap::map(file) }
}
