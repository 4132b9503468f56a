//! Folders that are there whole or not at all.

use std::{
    fs::{self, File},
    io::{self, ErrorKind, Write},
    path::{Path, PathBuf},
};

use tempfile::TempDir;

use crate::{Error, Result};

/// A folder that is filled beside its place, and renamed into place when it is whole. Dropped before, it leaves nothing.
pub(super) struct NewFolder {
    target: PathBuf,
    temporary: TempDir,
}

pub(super) fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Error {
    let path = path.to_owned();
    move |source| Error::Io { action, path, source }
}

impl NewFolder {
    /// # Errors
    /// [`Io`](Error::Io) where there is something already, where the folder above is missing, or where it is within `source`.
    pub(super) fn create(target: &Path, source: Option<&Path>) -> Result<Self> {
        let refused = |kind, reason: &'static str| failed("create", target)(io::Error::new(kind, reason));
        if target.symlink_metadata().is_ok() {
            return Err(refused(ErrorKind::AlreadyExists, "there is something of this name already"));
        }
        let Some(name) = target.file_name() else {
            return Err(refused(ErrorKind::InvalidInput, "it is no name of a folder"));
        };
        let above = target.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let above = fs::canonicalize(above).map_err(failed("find the folder", above))?;
        if let Some(source) = source {
            let source = fs::canonicalize(source).map_err(failed("find the folder", source))?;
            if above.starts_with(source) {
                return Err(refused(ErrorKind::InvalidInput, "it is within the folder that is read"));
            }
        }
        let mut builder = tempfile::Builder::new();
        // What a plain `create_dir` would give; the process's mask still applies.
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o777));
        let temporary = builder.tempdir_in(&above).map_err(failed("create a folder in", &above))?;
        Ok(Self { target: above.join(name), temporary })
    }

    /// The place of a file in it, whose folder is there.
    pub(super) fn place(&self, name: &Path) -> Result<PathBuf> {
        let path = self.temporary.path().join(name);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(failed("create", folder))?;
        }
        Ok(path)
    }

    /// Copies a file into it.
    pub(super) fn copy(&self, source: &Path, name: &Path) -> Result<()> {
        let target = self.place(name)?;
        fs::copy(source, &target).map_err(failed("copy", source))?;
        let file = File::open(&target).map_err(failed("open", &target))?;
        file.sync_all().map_err(failed("write", &target))
    }

    /// Writes a file of text into it.
    pub(super) fn write(&self, name: &Path, text: &str) -> Result<()> {
        let target = self.place(name)?;
        let mut file = File::create(&target).map_err(failed("create", &target))?;
        file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(failed("write", &target))
    }

    /// Puts the folder into its place.
    pub(super) fn commit(self) -> Result<()> {
        let Self { target, temporary } = self;
        fs::rename(temporary.path(), &target).map_err(failed("create", &target))?;
        // It is no longer where it would be removed.
        let _renamed = temporary.keep();
        Ok(())
    }
}

/// The files below a folder, by their path in it, but for those whose name, or that of their folder, begins with a dot.
///
/// # Errors
/// [`Io`](Error::Io), also for what is neither a file nor a folder, and for links to folders, which may lead in a circle.
pub(super) fn files_below(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut folders = vec![PathBuf::new()];
    while let Some(below) = folders.pop() {
        let path = folder.join(&below);
        for entry in fs::read_dir(&path).map_err(failed("read", &path))? {
            let entry = entry.map_err(failed("read", &path))?;
            if entry.file_name().as_encoded_bytes().starts_with(b".") {
                continue;
            }
            let (name, path) = (below.join(entry.file_name()), entry.path());
            if entry.file_type().map_err(failed("read", &path))?.is_dir() {
                folders.push(name);
            } else if fs::metadata(&path).map_err(failed("read", &path))?.is_file() {
                files.push(name);
            } else {
                let reason = io::Error::new(ErrorKind::InvalidInput, "it is neither a file nor a folder");
                return Err(failed("copy", &path)(reason));
            }
        }
    }
    files.sort();
    Ok(files)
}
