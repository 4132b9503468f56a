//! Files mapped for reading.

use std::{
    fs::{self, File},
    io::{self, ErrorKind},
    path::Path,
};

use memmap2::Mmap;

use crate::{Error, Result};

/// Maps a whole file for reading.
///
/// The map sees what other processes do to the file: one that is overwritten in place while it is mapped gives wrong
/// numbers, one that is truncated ends the process when the missing part is read. Replacing a file by renaming a new one
/// over it, as this crate saves, is safe.
pub(crate) fn map(path: &Path) -> Result<Mmap> {
    let failed = |action: &'static str| move |source| Error::Io { action, path: path.to_owned(), source };
    // Before it is opened: to open a named pipe would wait for somebody who writes into it.
    let metadata = fs::metadata(path).map_err(failed("open"))?;
    if metadata.is_dir() {
        return Err(failed("map")(ErrorKind::IsADirectory.into()));
    }
    if !metadata.is_file() {
        return Err(failed("map")(io::Error::new(ErrorKind::InvalidInput, "it is not a regular file")));
    }
    let file = File::open(path).map_err(failed("open"))?;
    // SAFETY: the map is read-only and private to this crate, which hands out its bytes as shared slices only and never
    // writes a file in place. That no other process changes the file is a duty of the user, stated in the documentation
    // of every function that maps one (`io::safetensors`).
    unsafe { Mmap::map(&file) }.map_err(failed("map"))
}
