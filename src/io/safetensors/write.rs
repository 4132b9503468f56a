//! Files that are there whole or not at all.

use std::{
    fs,
    io::{self, BufWriter, ErrorKind, Write},
    path::Path,
};

use crate::{Error, Result};

/// Writes a file beside its place, then renames it into place.
pub(super) fn write_atomically(path: &Path, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<()> {
    let failed = |action, path: &Path| {
        let path = path.to_owned();
        move |source| Error::Io { action, path, source }
    };
    let resolved = fs::canonicalize(path);
    let target = resolved.as_deref().unwrap_or(path);
    let folder = target.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::metadata(folder).map_err(failed("find the folder", folder))?;
    let existing = fs::metadata(target).ok();
    if existing.as_ref().is_some_and(|existing| !existing.is_file()) {
        let reason = io::Error::new(ErrorKind::InvalidInput, "it is not a regular file");
        return Err(failed("replace", path)(reason));
    }

    let mut builder = tempfile::Builder::new();
    // What a plain `File::create` would give; the process's mask still applies.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let temporary = builder.tempfile_in(folder).map_err(failed("create a file in", folder))?;
    if let Some(existing) = existing {
        temporary.as_file().set_permissions(existing.permissions()).map_err(failed("write", path))?;
    }
    let mut writer = BufWriter::new(temporary);
    write(&mut writer).map_err(failed("write", path))?;
    let temporary = writer.into_inner().map_err(|error| failed("write", path)(error.into_error()))?;
    temporary.as_file().sync_all().map_err(failed("write", path))?;
    temporary.persist(target).map_err(|error| failed("replace", path)(error.error))?;
    Ok(())
}
