//! Factors as a file.

use std::path::Path;

use super::{
    File,
    tensors::{FACTORS, factor_tensors, save_tensors},
};
use crate::{Factors, Result};

/// No file of factors spends more bytes on its header than this: its size is at most that of the
/// [factors](Factors::size_in_bytes) and this together.
pub const MAX_HEADER_BYTES: usize = 640;

/// Saves factors: see [the format](crate::io::safetensors#format-of-factors).
///
/// The file is written beside its place under another name, synchronised to the disk and renamed: at any moment there is the
/// old file or the new one, whole. A file that is replaced passes its permissions on, and a link to it stays a link. The same
/// factors always give the same bytes.
///
/// # Errors
/// [`Io`](crate::Error::Io), also where `path` is a folder or a device: what stood there before is then still there.
///
/// # Examples
///
/// ```
/// use factorized_embedding::{Factors, io::safetensors::{load_factors, save_factors}};
/// use ndarray::array;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("factors.safetensors");
/// let factors = Factors::new(array![[1.0], [2.0]], array![[3.0, 4.0]])?;
/// save_factors(&path, &factors)?;
/// assert_eq!(load_factors(&path)?, factors);
/// # Ok(())
/// # }
/// ```
pub fn save_factors(path: impl AsRef<Path>, factors: &Factors) -> Result<()> {
    save_tensors(path.as_ref(), FACTORS, &[], factor_tensors("", factors))
}

/// Loads factors that [`save_factors`] wrote, bit for bit.
///
/// # Errors
/// [`Io`](crate::Error::Io), [`InvalidFile`](crate::Error::InvalidFile) also for a file of another format or of factors
/// that do not fit together, [`UnsupportedVersion`](crate::Error::UnsupportedVersion),
/// [`TensorNotFound`](crate::Error::TensorNotFound), [`UnsuitableTensor`](crate::Error::UnsuitableTensor).
pub fn load_factors(path: impl AsRef<Path>) -> Result<Factors> {
    File::open(path.as_ref())?.checked_factors()
}

impl File {
    /// Factors of this format and version that fit together.
    pub(in crate::io) fn checked_factors(&self) -> Result<Factors> {
        self.check_format(FACTORS)?;
        self.factors("")?.map_err(|error| self.invalid(FACTORS, error.to_string()))
    }
}
