//! Factors as a file.

use std::{io, path::Path};

use ndarray::{Array, Array1, Array2, ArrayViewD, Dimension};
use safetensors::{Dtype as FileDtype, tensor::TensorInfo};

use super::{File, header::Header, write::write_atomically};
use crate::{Error, Factors, Result};

const FORMAT: &str = "factorized-embedding";
const VERSION: &str = "1";

/// No file of factors spends more bytes on its header than this: its size is at most that of the
/// [factors](Factors::size_in_bytes) and this together.
pub const MAX_HEADER_BYTES: usize = 512;

/// Saves factors: see [the format](crate::io::safetensors#format-of-factors).
///
/// The file is written beside its place under another name, synchronised to the disk and renamed: at any moment there is the
/// old file or the new one, whole. A file that is replaced passes its permissions on, and a link to it stays a link. The same
/// factors always give the same bytes.
///
/// # Errors
/// [`Io`](Error::Io), also where `path` is a folder or a device: what stood there before is then still there.
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
    let mut tensors = vec![("u", factors.u().into_dyn())];
    tensors.extend(factors.diagonal().map(|diagonal| ("diagonal", diagonal.into_dyn())));
    tensors.push(("v", factors.v().into_dyn()));
    tensors.extend(factors.bias().map(|bias| ("bias", bias.into_dyn())));

    let mut header = Header::default();
    header.metadata.insert("format".to_owned(), FORMAT.to_owned());
    header.metadata.insert("version".to_owned(), VERSION.to_owned());
    let mut start = 0;
    for (name, tensor) in &tensors {
        let end = start + num_bytes(tensor);
        let info = TensorInfo { dtype: FileDtype::F32, shape: tensor.shape().to_vec(), data_offsets: (start, end) };
        header.tensors.insert((*name).to_owned(), info);
        start = end;
    }
    write_atomically(path.as_ref(), |file| {
        file.write_all(&header.to_bytes()?)?;
        tensors.iter().try_for_each(|(_, tensor)| write_numbers(file, tensor))
    })
}

fn num_bytes(tensor: &ArrayViewD<'_, f32>) -> usize {
    tensor.len() * size_of::<f32>()
}

fn write_numbers(file: &mut dyn io::Write, tensor: &ArrayViewD<'_, f32>) -> io::Result<()> {
    match tensor.as_slice() {
        Some(numbers) if cfg!(target_endian = "little") => file.write_all(bytemuck::cast_slice(numbers)),
        _ => tensor.iter().try_for_each(|number| file.write_all(&number.to_le_bytes())),
    }
}

/// Loads factors that [`save_factors`] wrote, bit for bit.
///
/// # Errors
/// [`Io`](Error::Io), [`InvalidFile`](Error::InvalidFile) also for a file of another format or of factors that do not fit
/// together, [`UnsupportedVersion`](Error::UnsupportedVersion), [`TensorNotFound`](Error::TensorNotFound),
/// [`UnsuitableTensor`](Error::UnsuitableTensor).
pub fn load_factors(path: impl AsRef<Path>) -> Result<Factors> {
    let path = path.as_ref();
    let invalid = |reason: String| Error::InvalidFile { path: path.to_owned(), format: FORMAT, reason };
    let file = File::open(path)?;
    match file.header.metadata.get("format").map(String::as_str) {
        Some(FORMAT) => {}
        Some(other) => return Err(invalid(format!("its metadata say format {other:?}"))),
        None => return Err(invalid("its metadata name no format".to_owned())),
    }
    match file.header.metadata.get("version") {
        Some(version) if version == VERSION => {}
        Some(version) => {
            return Err(Error::UnsupportedVersion {
                path: path.to_owned(),
                version: version.clone(),
                supported: VERSION,
            });
        }
        None => return Err(invalid("its metadata name no version".to_owned())),
    }

    let has = |name| file.header.tensors.contains_key(name);
    let u: Array2<f32> = file.numbers("u", "F32 [vocab_size, rank]")?;
    let v: Array2<f32> = file.numbers("v", "F32 [rank, dim]")?;
    let diagonal = if has("diagonal") { Some(file.numbers("diagonal", "F32 [rank]")?) } else { None };
    let bias = if has("bias") { Some(file.numbers("bias", "F32 [dim]")?) } else { None };
    assemble(u, diagonal, v, bias).map_err(|error| invalid(error.to_string()))
}

fn assemble(
    u: Array2<f32>,
    diagonal: Option<Array1<f32>>,
    v: Array2<f32>,
    bias: Option<Array1<f32>>,
) -> Result<Factors> {
    let mut factors = Factors::new(u, v)?;
    if let Some(diagonal) = diagonal {
        factors = factors.with_diagonal(diagonal)?;
    }
    if let Some(bias) = bias {
        factors = factors.with_bias(bias)?;
    }
    Ok(factors)
}

impl File<'_> {
    /// A tensor of `F32` and of the number of dimensions of `D`, read into memory.
    fn numbers<D: Dimension>(&self, name: &str, expected: &'static str) -> Result<Array<f32, D>> {
        let tensor = self.tensor(name)?;
        let unsuitable = || self.unsuitable(name, tensor, expected);
        if tensor.dtype != FileDtype::F32 {
            return Err(unsuitable());
        }
        // No larger than the file: the header was checked against it.
        let numbers = self.bytes(tensor).as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
        let array = Array::from_shape_vec(tensor.shape.as_slice(), numbers).map_err(|_| unsuitable())?;
        array.into_dimensionality().map_err(|_| unsuitable())
    }
}
