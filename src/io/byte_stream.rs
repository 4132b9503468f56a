//! Files that are read from beginning to end, decompressed where they are compressed.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, ErrorKind, Read},
    path::{Path, PathBuf},
};

use super::regular_file;
use crate::{Error, Result};

const BUFFER_BYTES: usize = 256 << 10;
/// How a file of gzip begins.
const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];

/// How many bytes there are to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Size {
    /// No more than so many.
    pub(super) most: u64,
    /// And no fewer: a compressed file tells only when it is read.
    pub(super) is_exact: bool,
}

/// The bytes of a file, one after the other.
pub(super) struct ByteStream {
    reader: Box<dyn BufRead>,
    path: PathBuf,
    size: Size,
}

impl ByteStream {
    /// # Errors
    /// [`Io`](Error::Io), [`MissingFeature`](Error::MissingFeature) for a file of gzip without the feature `gzip`.
    pub(super) fn open(path: &Path) -> Result<Self> {
        let (file, len) = regular_file::open(path, "read")?;
        let mut file = BufReader::with_capacity(BUFFER_BYTES, file);
        let start = file.fill_buf().map_err(|source| failed(path, source))?;
        let (reader, size) = if start.starts_with(&GZIP_MAGIC) {
            decompressed(path, file, len)?
        } else {
            (Box::new(file) as Box<dyn BufRead>, Size { most: len, is_exact: true })
        };
        Ok(Self { reader, path: path.to_owned(), size })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// How many bytes there were when nothing was read yet.
    pub(super) fn size(&self) -> Size {
        self.size
    }

    /// Whether all bytes are read.
    pub(super) fn is_at_end(&mut self) -> Result<bool> {
        Ok(self.peek()?.is_none())
    }

    /// The next byte, which stays to be read.
    pub(super) fn peek(&mut self) -> Result<Option<u8>> {
        loop {
            match self.reader.fill_buf() {
                Ok(bytes) => return Ok(bytes.first().copied()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(source) => return Err(self.failed(source)),
            }
        }
    }

    /// Passes over the next byte, which was seen by [`peek`](Self::peek).
    pub(super) fn skip(&mut self) {
        self.reader.consume(1);
    }

    /// Reads into `bytes` what stands before the next `delimiter` or the end, and passes over the delimiter; whether there was
    /// one. No more than `max` bytes are read, the delimiter among them.
    pub(super) fn read_until(&mut self, delimiter: u8, max: usize, bytes: &mut Vec<u8>) -> Result<bool> {
        bytes.clear();
        let mut limited = self.reader.as_mut().take(max as u64);
        limited.read_until(delimiter, bytes).map_err(|source| failed(&self.path, source))?;
        Ok(bytes.pop_if(|last| *last == delimiter).is_some())
    }

    /// Reads as many bytes as `bytes` takes, fewer where the file ends; how many.
    pub(super) fn read(&mut self, bytes: &mut [u8]) -> Result<usize> {
        let mut len = 0;
        while len < bytes.len() {
            match self.reader.read(&mut bytes[len..]) {
                Ok(0) => break,
                Ok(read) => len += read,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(source) => return Err(self.failed(source)),
            }
        }
        Ok(len)
    }

    /// How many lines there are from here on, at most `max`: whatever stands behind the last line feed is one, too.
    pub(super) fn count_lines(&mut self, max: u64) -> Result<u64> {
        let (mut lines, mut is_within_line) = (0, false);
        while lines < max {
            let bytes = match self.reader.fill_buf() {
                Ok(bytes) => bytes,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(source) => return Err(self.failed(source)),
            };
            let Some(last) = bytes.last() else { break };
            is_within_line = *last != b'\n';
            lines += bytes.iter().filter(|&&byte| byte == b'\n').count() as u64;
            let len = bytes.len();
            self.reader.consume(len);
        }
        Ok((lines + u64::from(is_within_line)).min(max))
    }

    /// What reading the file failed with.
    pub(super) fn failed(&self, source: io::Error) -> Error {
        failed(&self.path, source)
    }
}

fn failed(path: &Path, source: io::Error) -> Error {
    Error::Io { action: "read", path: path.to_owned(), source }
}

#[cfg(feature = "gzip")]
fn decompressed(_: &Path, file: BufReader<File>, len: u64) -> Result<(Box<dyn BufRead>, Size)> {
    /// A byte of deflate stands for no more: 258 bytes in two bits.
    const MAX_RATIO: u64 = 1032;
    let reader = BufReader::with_capacity(BUFFER_BYTES, flate2::bufread::MultiGzDecoder::new(file));
    Ok((Box::new(reader), Size { most: len.saturating_mul(MAX_RATIO), is_exact: false }))
}

#[cfg(not(feature = "gzip"))]
fn decompressed(path: &Path, _: BufReader<File>, _: u64) -> Result<(Box<dyn BufRead>, Size)> {
    Err(Error::MissingFeature { path: path.to_owned(), found: "a file of gzip", feature: "gzip" })
}
