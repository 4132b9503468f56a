//! Files mapped for reading.

use std::{fs::File, io::ErrorKind, path::Path};

use memmap2::Mmap;

use crate::{Error, Result};

/// Maps a whole file for reading.
///
/// The map sees what other processes do to the file: one that is overwritten in place while it is mapped gives wrong
/// numbers, one that is truncated ends the process when the missing part is read. Replacing a file by renaming a new one
/// over it, as this crate saves, is safe.
pub(crate) fn map(path: &Path) -> Result<Mmap> {
    let file = File::open(path).map_err(|source| Error::Io { action: "open", path: path.to_owned(), source })?;
    if file.metadata().is_ok_and(|metadata| metadata.is_dir()) {
        return Err(Error::Io { action: "map", path: path.to_owned(), source: ErrorKind::IsADirectory.into() });
    }
    // SAFETY: the map is read-only and private to this crate, which hands out its bytes as shared slices only and never
    // writes a file in place. That no other process changes the file is a duty of the user, stated in the documentation
    // of every function that maps one (`io::safetensors`).
    unsafe { Mmap::map(&file) }.map_err(|source| Error::Io { action: "map", path: path.to_owned(), source })
}
