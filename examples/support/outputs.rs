//! Where files may be written, and writing them whole.

use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
};

use super::Result;

/// Every output lies in a folder that is there, and no output is an input or another output.
pub(crate) fn check<'a>(
    inputs: impl Iterator<Item = &'a PathBuf>,
    outputs: impl Iterator<Item = &'a PathBuf>,
) -> Result<()> {
    let mut taken: Vec<PathBuf> = inputs.map(|path| resolved(path)).collect::<Result<_>>()?;
    for path in outputs {
        if path.is_dir() {
            return Err(format!("{} is a folder, expected the name of a file", path.display()).into());
        }
        let resolved = resolved(path)?;
        if taken.contains(&resolved) {
            return Err(format!("{} cannot be written: it is also an input or another output", path.display()).into());
        }
        taken.push(resolved);
    }
    Ok(())
}

/// Writes a file where the path leads: it is there whole, or as it was, with the permissions that it had.
pub(crate) fn replace(path: &Path, write: impl FnOnce(&mut File) -> io::Result<()>) -> io::Result<()> {
    let target = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let mut builder = tempfile::Builder::new();
    // What a plain `File::create` would give; the process's mask still applies.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let mut file = builder.tempfile_in(folder(&target))?;
    if let Ok(existing) = target.metadata() {
        file.as_file().set_permissions(existing.permissions())?;
    }
    write(file.as_file_mut())?;
    file.as_file().sync_all()?;
    file.persist(target)?;
    Ok(())
}

fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// The absolute path of a file that may not be there yet, without links.
fn resolved(path: &Path) -> Result<PathBuf> {
    if let Ok(path) = path.canonicalize() {
        return Ok(path);
    }
    let folder = folder(path);
    let name = path.file_name().ok_or_else(|| format!("{} is not the name of a file", path.display()))?;
    let folder = folder
        .canonicalize()
        .ok()
        .filter(|folder| folder.is_dir())
        .ok_or_else(|| format!("cannot write {}: there is no folder {}", path.display(), folder.display()))?;
    Ok(folder.join(name))
}
