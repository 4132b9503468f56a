//! The tensors of factors, written and read.

use std::{fmt::Display, io, ops::RangeInclusive, path::Path, str::FromStr};

use half::{bf16, f16};
use ndarray::{Array, Array2, ArrayView, Dimension};
use safetensors::{Dtype as FileDtype, tensor::TensorInfo};

use super::{File, file_dtype, header::Header};
use crate::{Error, Factors, Result, factors::Storage, io::atomic_file::AtomicFile, rows::Numbers};

/// A format of this crate: what the metadata of its files say, and the function that reads them.
#[derive(Clone, Copy)]
pub(in crate::io) struct Format {
    pub(in crate::io) name: &'static str,
    pub(in crate::io) version: &'static str,
    pub(super) reader: &'static str,
}

pub(in crate::io) const FACTORS: Format = Format { name: "factorized-embedding", version: "1", reader: "load_factors" };
pub(super) const BLOCK_FACTORS: Format =
    Format { name: "factorized-embedding-blockwise", version: "1", reader: "load_block_factors" };
pub(in crate::io) const QUANTIZED: Format =
    Format { name: "factorized-embedding-quantized", version: "1", reader: "load_quantized" };
pub(super) const OPTIMIZER: Format =
    Format { name: "factorized-embedding-optimizer", version: "1", reader: "load_optimizer" };

/// The tensors that hold factors.
pub(super) const PARTS: [&str; 5] = ["u", "u_scales", "diagonal", "v", "bias"];

/// The tensors of factors, each name behind a prefix.
pub(in crate::io) fn factor_tensors<'a>(prefix: &str, factors: &'a Factors) -> Vec<(String, Tensor<'a>)> {
    let mut tensors = vec![("u", Tensor::of_u(factors))];
    tensors.extend(factors.u_scales().map(|scales| ("u_scales", Tensor::of(scales))));
    tensors.extend(factors.diagonal().map(|diagonal| ("diagonal", Tensor::of(diagonal))));
    tensors.push(("v", Tensor::of(factors.v())));
    tensors.extend(factors.bias().map(|bias| ("bias", Tensor::of(bias))));
    tensors.into_iter().map(|(name, tensor)| (format!("{prefix}{name}"), tensor)).collect()
}

/// Writes a file of these tensors, whole or not at all.
pub(super) fn save_tensors(
    path: &Path,
    format: Format,
    metadata: &[(&str, String)],
    mut tensors: Vec<(String, Tensor<'_>)>,
) -> Result<()> {
    // Where some are narrower than others, those before them begin at multiples of their size, which some readers need.
    tensors.sort_by_key(|(_, tensor)| std::cmp::Reverse(tensor.dtype.bitsize()));

    let header = header(format, metadata, tensors.iter().map(|(name, tensor)| (&**name, tensor.dtype, &*tensor.shape)));
    let mut file = AtomicFile::create(path)?;
    file.write(|file| {
        file.write_all(&header.to_bytes()?)?;
        tensors.iter().try_for_each(|(_, tensor)| write_numbers(tensor.numbers, file))
    })?;
    file.commit()
}

/// The header of a file whose tensors stand in this order.
pub(super) fn header<'a>(
    format: Format,
    metadata: &[(&str, String)],
    tensors: impl IntoIterator<Item = (&'a str, FileDtype, &'a [usize])>,
) -> Header {
    let mut header = Header::default();
    header.metadata.insert("format".to_owned(), format.name.to_owned());
    header.metadata.insert("version".to_owned(), format.version.to_owned());
    header.metadata.extend(metadata.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
    let mut start = 0;
    for (name, dtype, shape) in tensors {
        let end = start + shape.iter().product::<usize>() * dtype.bitsize() / 8;
        header.tensors.insert(name.to_owned(), TensorInfo { dtype, shape: shape.to_vec(), data_offsets: (start, end) });
        start = end;
    }
    header
}

/// Writes numbers as they stand in a file.
pub(in crate::io) fn write_numbers(numbers: Numbers<'_>, file: &mut dyn io::Write) -> io::Result<()> {
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

/// Row-major numbers as they go into a file.
pub(in crate::io) struct Tensor<'a> {
    pub(in crate::io) dtype: FileDtype,
    pub(in crate::io) shape: Vec<usize>,
    pub(in crate::io) numbers: Numbers<'a>,
}

impl<'a> Tensor<'a> {
    /// Of a row-major array.
    pub(super) fn of<D: Dimension>(numbers: ArrayView<'a, f32, D>) -> Self {
        let shape = numbers.shape().to_vec();
        let numbers = Numbers::F32(numbers.to_slice().unwrap_or_default());
        Self { dtype: FileDtype::F32, shape, numbers }
    }

    /// Bytes that stand for themselves.
    pub(super) fn of_bytes(bytes: &'a [u8]) -> Self {
        Self::raw(FileDtype::U8, vec![bytes.len()], bytes)
    }

    /// The bytes of little-endian numbers.
    pub(super) fn raw(dtype: FileDtype, shape: Vec<usize>, bytes: &'a [u8]) -> Self {
        Self { dtype, shape, numbers: Numbers::Int8(bytemuck::cast_slice(bytes)) }
    }

    fn of_u(factors: &'a Factors) -> Self {
        let shape = vec![factors.vocab_size(), factors.rank()];
        Self { dtype: file_dtype(factors.dtype()), shape, numbers: factors.stored_u() }
    }
}

impl File {
    pub(super) fn invalid(&self, format: Format, reason: String) -> Error {
        Error::InvalidFile { path: self.path.clone(), format: format.name, reason }
    }

    /// The metadata name this format, in the version that is read.
    pub(super) fn check_format(&self, format: Format) -> Result<()> {
        match self.metadata("format").map(String::as_str) {
            Some(name) if name == format.name => {}
            Some(other) => {
                let known =
                    [FACTORS, BLOCK_FACTORS, QUANTIZED, OPTIMIZER].into_iter().find(|known| known.name == other);
                let hint = known.map_or_else(String::new, |known| format!(", which {} reads", known.reader));
                return Err(self.invalid(format, format!("its metadata say format {other:?}{hint}")));
            }
            None => return Err(self.invalid(format, "its metadata name no format".to_owned())),
        }
        match self.metadata("version") {
            Some(version) if version == format.version => Ok(()),
            Some(version) => Err(Error::UnsupportedVersion {
                path: self.path.clone(),
                version: version.clone(),
                supported: format.version,
            }),
            None => Err(self.invalid(format, "its metadata name no version".to_owned())),
        }
    }

    /// What the metadata say of something.
    pub(super) fn text(&self, format: Format, name: &str) -> Result<&String> {
        let text = self.metadata(name);
        text.ok_or_else(|| self.invalid(format, format!("its metadata name no {}", self.full_name(name))))
    }

    /// A number of the metadata, in decimal digits.
    pub(super) fn number<T: FromStr + Display + PartialOrd>(
        &self,
        format: Format,
        name: &str,
        range: RangeInclusive<T>,
    ) -> Result<T> {
        let text = self.text(format, name)?;
        match text.parse() {
            Ok(number) if range.contains(&number) && number.to_string() == *text => Ok(number),
            _ => {
                let (min, max) = range.into_inner();
                Err(self.invalid(
                    format,
                    format!("its metadata say {} {text:?}, expected {min} to {max}", self.full_name(name)),
                ))
            }
        }
    }

    /// Factors whose tensors have names behind a prefix; the inner error is that of tensors that do not fit together.
    pub(super) fn factors(&self, prefix: &str) -> Result<Result<Factors>> {
        let name = |part: &str| format!("{prefix}{part}");
        let optional = |part: &str, expected| match self.has(&name(part)) {
            true => self.array(&name(part), FileDtype::F32, f32::from_le_bytes, expected).map(Some),
            false => Ok(None),
        };
        let u = self.u(&name("u"), &name("u_scales"))?;
        let v: Array2<f32> = self.array(&name("v"), FileDtype::F32, f32::from_le_bytes, "F32 [rank, dim]")?;
        let diagonal = optional("diagonal", "F32 [rank]")?;
        let bias = optional("bias", "F32 [dim]")?;
        let assemble = || {
            let mut factors = Factors::from_storage(u, v)?;
            if let Some(diagonal) = diagonal {
                factors = factors.with_diagonal(diagonal)?;
            }
            if let Some(bias) = bias {
                factors = factors.with_bias(bias)?;
            }
            Ok(factors)
        };
        Ok(assemble())
    }

    /// U in the type that it is stored in: a tensor, and the scales of integers.
    pub(in crate::io) fn u(&self, u: &str, scales: &str) -> Result<Storage> {
        const EXPECTED: &str = "F32, F16, BF16 or I8 [vocab_size, rank]";
        match self.tensor(u)?.dtype {
            FileDtype::F16 => self.array(u, FileDtype::F16, f16::from_le_bytes, EXPECTED).map(Storage::F16),
            FileDtype::BF16 => self.array(u, FileDtype::BF16, bf16::from_le_bytes, EXPECTED).map(Storage::Bf16),
            FileDtype::I8 => Ok(Storage::Int8 {
                codes: self.array(u, FileDtype::I8, i8::from_le_bytes, EXPECTED)?,
                scales: self.array(scales, FileDtype::F32, f32::from_le_bytes, "F32 [rank]")?,
            }),
            _ => self.array(u, FileDtype::F32, f32::from_le_bytes, EXPECTED).map(Storage::F32),
        }
    }

    /// A tensor of one type and of the number of dimensions of `D`, read into memory.
    pub(in crate::io) fn array<T, const SIZE: usize, D: Dimension>(
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
