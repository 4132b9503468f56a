//! Files that can be read from beginning to end, and again, or mapped.

use std::{
    fs::{self, File},
    io::{self, ErrorKind},
    path::Path,
};

use crate::{Error, Result};

/// Opens a file, and says how many bytes it has. `purpose` is what cannot be done with what is no file: "read" or "map".
pub(super) fn open(path: &Path, purpose: &'static str) -> Result<(File, u64)> {
    let failed = |action: &'static str| move |source| Error::Io { action, path: path.to_owned(), source };
    // Before it is opened: to open a named pipe would wait for somebody who writes into it.
    let metadata = fs::metadata(path).map_err(failed("open"))?;
    if metadata.is_dir() {
        return Err(failed(purpose)(ErrorKind::IsADirectory.into()));
    }
    if !metadata.is_file() {
        return Err(failed(purpose)(io::Error::new(ErrorKind::InvalidInput, "it is not a regular file")));
    }
    let file = File::open(path).map_err(failed("open"))?;
    let len = file.metadata().map_err(failed(purpose))?.len();
    Ok((file, len))
}
