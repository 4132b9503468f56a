//! Files that can be read from beginning to end, and again.

use std::{
    fs::{self, File},
    io::{self, ErrorKind},
    path::Path,
};

use crate::{Error, Result};

/// Opens a file for reading, and says how many bytes it has.
pub(super) fn open(path: &Path) -> Result<(File, u64)> {
    let failed = |action: &'static str| move |source| Error::Io { action, path: path.to_owned(), source };
    // Before it is opened: to open a named pipe would wait for somebody who writes into it.
    let metadata = fs::metadata(path).map_err(failed("open"))?;
    if metadata.is_dir() {
        return Err(failed("read")(ErrorKind::IsADirectory.into()));
    }
    if !metadata.is_file() {
        return Err(failed("read")(io::Error::new(ErrorKind::InvalidInput, "it is not a regular file")));
    }
    let file = File::open(path).map_err(failed("open"))?;
    let len = file.metadata().map_err(failed("read"))?.len();
    Ok((file, len))
}
