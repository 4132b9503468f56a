//! Files that are there whole or not at all.

use std::{
    fs,
    io::{self, BufWriter, ErrorKind, Write},
    path::{Path, PathBuf},
};

use tempfile::NamedTempFile;

use crate::{Error, Result};

/// A file that is written beside its place, and renamed into place when it is whole. Dropped before, it leaves nothing.
pub(in crate::io) struct AtomicFile {
    /// As it was given, for errors.
    path: PathBuf,
    /// Where it leads.
    target: PathBuf,
    writer: BufWriter<NamedTempFile>,
}

fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Error {
    let path = path.to_owned();
    move |source| Error::Io { action, path, source }
}

/// Where links lead, though nothing is there yet; of links that lead in a circle, one of them.
fn end_of_links(path: &Path) -> PathBuf {
    const MAX_LINKS: usize = 40;
    let mut target = path.to_owned();
    for _ in 0..MAX_LINKS {
        let Ok(link) = fs::read_link(&target) else { return target };
        target.pop();
        target.push(link);
    }
    target
}

impl AtomicFile {
    pub(in crate::io) fn create(path: &Path) -> Result<Self> {
        let target = fs::canonicalize(path).unwrap_or_else(|_| end_of_links(path));
        let folder = target.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        fs::metadata(folder).map_err(failed("find the folder", folder))?;
        let existing = fs::metadata(&target).ok();
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
        Ok(Self { path: path.to_owned(), target, writer: BufWriter::new(temporary) })
    }

    #[cfg(feature = "safetensors")]
    pub(in crate::io) fn path(&self) -> &Path {
        &self.path
    }

    /// Writes on behind what was written before. After an error, how much was written is not known.
    pub(in crate::io) fn write(&mut self, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<()> {
        write(&mut self.writer).map_err(failed("write", &self.path))
    }

    /// Puts the file into its place.
    pub(in crate::io) fn commit(self) -> Result<()> {
        let Self { path, target, writer } = self;
        let temporary = writer.into_inner().map_err(|error| failed("write", &path)(error.into_error()))?;
        temporary.as_file().sync_all().map_err(failed("write", &path))?;
        temporary.persist(target).map_err(|error| failed("replace", &path)(error.error))?;
        Ok(())
    }
}
