//! Files that are read piece by piece, wherever the pieces stand.

use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
};

use super::regular_file;
use crate::{Error, Result};

/// A file that is open for reading.
pub(super) struct PositionedFile {
    file: File,
    path: PathBuf,
    len: u64,
}

impl PositionedFile {
    pub(super) fn open(path: &Path) -> Result<Self> {
        let (file, len) = regular_file::open(path, "read")?;
        Ok(Self { file, path: path.to_owned(), len })
    }

    /// The size of the file when it was opened.
    pub(super) fn len(&self) -> u64 {
        self.len
    }

    /// The bytes from `offset` on, as many as `bytes` takes.
    ///
    /// # Errors
    /// [`Io`](Error::Io), also where the file has become too short.
    pub(super) fn read_exact_at(&self, bytes: &mut [u8], offset: u64) -> Result<()> {
        read_exact_at(&self.file, bytes, offset).map_err(|source| self.failed(source))
    }

    /// The first bytes of the file, at most so many.
    pub(super) fn start(&self, len: usize) -> Result<Vec<u8>> {
        let len = usize::try_from(self.len).unwrap_or(usize::MAX).min(len);
        let mut bytes = vec![0; len];
        self.read_exact_at(&mut bytes, 0)?;
        Ok(bytes)
    }

    /// What reading the file failed with.
    pub(super) fn failed(&self, source: io::Error) -> Error {
        Error::Io { action: "read", path: self.path.clone(), source }
    }
}

#[cfg(unix)]
fn read_exact_at(file: &File, bytes: &mut [u8], offset: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, bytes, offset)
}

#[cfg(windows)]
fn read_exact_at(file: &File, mut bytes: &mut [u8], mut offset: u64) -> io::Result<()> {
    use std::io::ErrorKind;

    while !bytes.is_empty() {
        match std::os::windows::fs::FileExt::seek_read(file, bytes, offset) {
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(read) => {
                bytes = &mut bytes[read..];
                offset += read as u64;
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[cfg(not(any(unix, windows)))]
fn read_exact_at(mut file: &File, bytes: &mut [u8], offset: u64) -> io::Result<()> {
    use std::io::{Read, Seek, SeekFrom};

    file.seek(SeekFrom::Start(offset))?;
    file.read_exact(bytes)
}
