//! Factors as a file.

use std::{io, path::Path};

use half::{bf16, f16};
use ndarray::{Array, Array1, Array2, ArrayView, Dimension};
use safetensors::{Dtype as FileDtype, tensor::TensorInfo};

use super::{File, file_dtype, header::Header, write::AtomicFile};
use crate::{Dtype, Error, Factors, Result, factors::Storage, rows::Numbers};

const FORMAT: &str = "factorized-embedding";
const VERSION: &str = "1";

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
    let mut tensors = vec![("u", Tensor::of_u(factors))];
    tensors.extend(factors.u_scales().map(|scales| ("u_scales", Tensor::of(scales))));
    tensors.extend(factors.diagonal().map(|diagonal| ("diagonal", Tensor::of(diagonal))));
    tensors.push(("v", Tensor::of(factors.v())));
    tensors.extend(factors.bias().map(|bias| ("bias", Tensor::of(bias))));
    // Where U is narrower than the others, those before it begin at multiples of their size, which some readers need.
    tensors.sort_by_key(|(_, tensor)| std::cmp::Reverse(tensor.dtype.size()));

    let header = header(tensors.iter().map(|(name, tensor)| (*name, tensor.dtype, tensor.shape.clone())));
    let mut file = AtomicFile::create(path.as_ref())?;
    file.write(|file| {
        file.write_all(&header.to_bytes()?)?;
        tensors.iter().try_for_each(|(_, tensor)| write_numbers(tensor.numbers, file))
    })?;
    file.commit()
}

/// The header of factors whose tensors stand in this order.
pub(super) fn header(tensors: impl IntoIterator<Item = (&'static str, Dtype, Vec<usize>)>) -> Header {
    let mut header = Header::default();
    header.metadata.insert("format".to_owned(), FORMAT.to_owned());
    header.metadata.insert("version".to_owned(), VERSION.to_owned());
    let mut start = 0;
    for (name, dtype, shape) in tensors {
        let end = start + shape.iter().product::<usize>() * dtype.size();
        let info = TensorInfo { dtype: file_dtype(dtype), shape, data_offsets: (start, end) };
        header.tensors.insert(name.to_owned(), info);
        start = end;
    }
    header
}

/// Row-major numbers as they go into a file.
struct Tensor<'a> {
    dtype: Dtype,
    shape: Vec<usize>,
    numbers: Numbers<'a>,
}

impl<'a> Tensor<'a> {
    fn of<D: Dimension>(numbers: ArrayView<'a, f32, D>) -> Self {
        // `Factors` keeps its arrays row-major.
        let shape = numbers.shape().to_vec();
        Self { dtype: Dtype::F32, shape, numbers: Numbers::F32(numbers.to_slice().unwrap_or_default()) }
    }

    fn of_u(factors: &'a Factors) -> Self {
        let shape = vec![factors.vocab_size(), factors.rank()];
        Self { dtype: factors.dtype(), shape, numbers: factors.stored_u() }
    }
}

/// Writes numbers as they stand in a file.
pub(super) fn write_numbers(numbers: Numbers<'_>, file: &mut dyn io::Write) -> io::Result<()> {
    let little = cfg!(target_endian = "little");
    match numbers {
        Numbers::F32(numbers) if little => file.write_all(bytemuck::cast_slice(numbers)),
        Numbers::F16(numbers) if little => file.write_all(bytemuck::cast_slice(numbers)),
        Numbers::Bf16(numbers) if little => file.write_all(bytemuck::cast_slice(numbers)),
        Numbers::Int8(codes) => file.write_all(bytemuck::cast_slice(codes)),
        Numbers::F32(numbers) => numbers.iter().try_for_each(|number| file.write_all(&number.to_le_bytes())),
        Numbers::F16(numbers) => numbers.iter().try_for_each(|number| file.write_all(&number.to_le_bytes())),
        Numbers::Bf16(numbers) => numbers.iter().try_for_each(|number| file.write_all(&number.to_le_bytes())),
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

    let optional = |name: &'static str, expected| match file.header.tensors.contains_key(name) {
        true => file.array(name, FileDtype::F32, f32::from_le_bytes, expected).map(Some),
        false => Ok(None),
    };
    let u = file.u()?;
    let v = file.array("v", FileDtype::F32, f32::from_le_bytes, "F32 [rank, dim]")?;
    let diagonal = optional("diagonal", "F32 [rank]")?;
    let bias = optional("bias", "F32 [dim]")?;
    assemble(u, diagonal, v, bias).map_err(|error| invalid(error.to_string()))
}

fn assemble(u: Storage, diagonal: Option<Array1<f32>>, v: Array2<f32>, bias: Option<Array1<f32>>) -> Result<Factors> {
    let mut factors = Factors::from_storage(u, v)?;
    if let Some(diagonal) = diagonal {
        factors = factors.with_diagonal(diagonal)?;
    }
    if let Some(bias) = bias {
        factors = factors.with_bias(bias)?;
    }
    Ok(factors)
}

impl File<'_> {
    /// U in the type that it is stored in.
    fn u(&self) -> Result<Storage> {
        const EXPECTED: &str = "F32, F16, BF16 or I8 [vocab_size, rank]";
        match self.tensor("u")?.dtype {
            FileDtype::F16 => self.array("u", FileDtype::F16, f16::from_le_bytes, EXPECTED).map(Storage::F16),
            FileDtype::BF16 => self.array("u", FileDtype::BF16, bf16::from_le_bytes, EXPECTED).map(Storage::Bf16),
            FileDtype::I8 => Ok(Storage::Int8 {
                codes: self.array("u", FileDtype::I8, i8::from_le_bytes, EXPECTED)?,
                scales: self.array("u_scales", FileDtype::F32, f32::from_le_bytes, "F32 [rank]")?,
            }),
            _ => self.array("u", FileDtype::F32, f32::from_le_bytes, EXPECTED).map(Storage::F32),
        }
    }

    /// A tensor of one type and of the number of dimensions of `D`, read into memory.
    fn array<T, const SIZE: usize, D: Dimension>(
        &self,
        name: &str,
        dtype: FileDtype,
        from_le_bytes: fn([u8; SIZE]) -> T,
        expected: &'static str,
    ) -> Result<Array<T, D>> {
        let tensor = self.tensor(name)?;
        let unsuitable = || self.unsuitable(name, tensor, expected);
        if tensor.dtype != dtype {
            return Err(unsuitable());
        }
        // No larger than the file: the header was checked against it.
        let numbers = self.bytes(tensor).as_chunks().0.iter().map(|bytes| from_le_bytes(*bytes)).collect();
        let array = Array::from_shape_vec(tensor.shape.as_slice(), numbers).map_err(|_| unsuitable())?;
        array.into_dimensionality().map_err(|_| unsuitable())
    }
}
