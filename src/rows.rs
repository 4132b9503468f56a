//! A matrix that is read row by row, in whatever form it is stored.

use std::{fmt, sync::Arc};

use half::{bf16, f16, slice::HalfFloatSliceExt};
use ndarray::{ArrayView2, ArrayViewMut1, CowArray, Ix2};

use crate::{Error, Result, memory};

/// The type of the numbers of a stored table. They become `f32` when they are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case", deny_unknown_fields))]
#[non_exhaustive]
pub enum Dtype {
    /// IEEE 754 single precision.
    F32,
    /// IEEE 754 half precision.
    F16,
    /// The upper half of a single precision number.
    Bf16,
    /// Signed integers of 8 bits.
    Int8,
}

impl Dtype {
    /// Bytes of one number.
    #[must_use]
    pub fn size(self) -> usize {
        match self {
            Self::F32 => 4,
            Self::F16 | Self::Bf16 => 2,
            Self::Int8 => 1,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::F16 => "f16",
            Self::Bf16 => "bf16",
            Self::Int8 => "int8",
        }
    }
}

impl fmt::Display for Dtype {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Stored numbers of a row-major matrix, in memory and aligned.
#[derive(Clone, Copy)]
pub(crate) enum Numbers<'a> {
    F32(&'a [f32]),
    F16(&'a [f16]),
    Bf16(&'a [bf16]),
    Int8(&'a [i8]),
}

impl Numbers<'_> {
    /// Asks the system to keep them in huge pages.
    pub(crate) fn prefer_huge_pages(self) {
        match self {
            Self::F32(numbers) => memory::prefer_huge_pages(numbers),
            Self::F16(numbers) => memory::prefer_huge_pages(numbers),
            Self::Bf16(numbers) => memory::prefer_huge_pages(numbers),
            Self::Int8(numbers) => memory::prefer_huge_pages(numbers),
        }
    }
}

/// Bytes that somebody owns: a vector, a memory map, a borrowed slice.
type Bytes<'a> = Arc<dyn AsRef<[u8]> + Send + Sync + 'a>;

/// A matrix [rows × columns] whose rows can be read as `f32`.
#[derive(Clone)]
pub(crate) enum Rows<'a> {
    /// Numbers in memory, owned or borrowed, of any strides.
    Array(CowArray<'a, f32, Ix2>),
    /// Little-endian numbers in row-major order, not necessarily aligned.
    Bytes { bytes: Bytes<'a>, dtype: Dtype, shape: [usize; 2] },
}

impl<'a> Rows<'a> {
    /// # Errors
    /// [`ShapeMismatch`](Error::ShapeMismatch) when the bytes are more or fewer than the shape takes.
    pub(crate) fn from_bytes(
        bytes: impl AsRef<[u8]> + Send + Sync + 'a,
        dtype: Dtype,
        shape: [usize; 2],
    ) -> Result<Self> {
        let actual = bytes.as_ref().len();
        let expected = shape[0].checked_mul(shape[1]).and_then(|len| len.checked_mul(dtype.size()));
        if expected != Some(actual) {
            return Err(Error::ShapeMismatch {
                what: "bytes of a table [vocab_size · dim · size of a number]",
                expected: vec![expected.unwrap_or(usize::MAX)],
                actual: vec![actual],
            });
        }
        Ok(Self::Bytes { bytes: Arc::new(bytes), dtype, shape })
    }

    pub(crate) fn shape(&self) -> [usize; 2] {
        match self {
            Self::Array(array) => [array.nrows(), array.ncols()],
            Self::Bytes { shape, .. } => *shape,
        }
    }

    pub(crate) fn dtype(&self) -> Dtype {
        match self {
            Self::Array(_) => Dtype::F32,
            Self::Bytes { dtype, .. } => *dtype,
        }
    }

    /// The matrix where it stands, when it stands in memory as aligned `f32`.
    pub(crate) fn as_view(&self) -> Option<ArrayView2<'_, f32>> {
        match (self, self.numbers()) {
            (Self::Array(array), _) => Some(array.view()),
            (Self::Bytes { shape, .. }, Some(Numbers::F32(numbers))) => ArrayView2::from_shape(*shape, numbers).ok(),
            (Self::Bytes { .. }, _) => None,
        }
    }

    /// The numbers where they stand, when they stand in memory, aligned and row-major.
    pub(crate) fn numbers(&self) -> Option<Numbers<'_>> {
        match self {
            Self::Array(array) => Some(Numbers::F32(array.as_slice()?)),
            Self::Bytes { dtype, .. } if cfg!(target_endian = "big") && *dtype != Dtype::Int8 => None,
            Self::Bytes { bytes, dtype, .. } => {
                let bytes = (**bytes).as_ref();
                match dtype {
                    Dtype::F32 => bytemuck::try_cast_slice(bytes).ok().map(Numbers::F32),
                    Dtype::F16 => bytemuck::try_cast_slice(bytes).ok().map(Numbers::F16),
                    Dtype::Bf16 => bytemuck::try_cast_slice(bytes).ok().map(Numbers::Bf16),
                    Dtype::Int8 => Some(Numbers::Int8(bytemuck::cast_slice(bytes))),
                }
            }
        }
    }

    /// Widens the rows that `ids` name into the rows of `out`, in their order.
    pub(crate) fn copy_rows_into<'out>(
        &self,
        ids: impl Iterator<Item = usize>,
        out: impl Iterator<Item = ArrayViewMut1<'out, f32>>,
    ) {
        match self {
            Self::Array(array) => {
                for (id, mut out) in ids.zip(out) {
                    out.assign(&array.row(id));
                }
            }
            Self::Bytes { bytes, dtype, shape } => {
                let row_size = shape[1] * dtype.size();
                let bytes = (**bytes).as_ref();
                for (id, mut out) in ids.zip(out) {
                    let row = &bytes[id * row_size..][..row_size];
                    match out.as_slice_mut() {
                        Some(out) => widen(row, *dtype, out),
                        None => {
                            for (number, out) in row.chunks_exact(dtype.size()).zip(out) {
                                widen(number, *dtype, std::slice::from_mut(out));
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Reads little-endian numbers, aligned or not, as many as `out` takes.
pub(crate) fn widen(bytes: &[u8], dtype: Dtype, out: &mut [f32]) {
    match dtype {
        Dtype::F32 if cfg!(target_endian = "little") => bytemuck::cast_slice_mut(out).copy_from_slice(bytes),
        Dtype::F32 => {
            for (number, out) in bytes.as_chunks().0.iter().zip(out) {
                *out = f32::from_le_bytes(*number);
            }
        }
        Dtype::F16 => widen_halves(bytes, out, f16::from_le_bytes),
        Dtype::Bf16 => widen_halves(bytes, out, bf16::from_le_bytes),
        Dtype::Int8 => {
            for (&number, out) in bytemuck::cast_slice::<u8, i8>(bytes).iter().zip(out) {
                *out = f32::from(number);
            }
        }
    }
}

/// By way of an aligned piece on the stack, which `half` converts with the machine's own instructions.
fn widen_halves<H: Copy + Default>(bytes: &[u8], out: &mut [f32], from_le_bytes: fn([u8; 2]) -> H)
where
    [H]: HalfFloatSliceExt,
{
    const PIECE: usize = 64;
    let mut aligned = [H::default(); PIECE];
    for (bytes, out) in bytes.chunks(2 * PIECE).zip(out.chunks_mut(PIECE)) {
        let aligned = &mut aligned[..out.len()];
        for (number, aligned) in bytes.as_chunks().0.iter().zip(aligned.iter_mut()) {
            *aligned = from_le_bytes(*number);
        }
        aligned.convert_to_f32_slice(out);
    }
}

impl fmt::Debug for Rows<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [rows, columns] = self.shape();
        write!(f, "{} [{rows}, {columns}]", self.dtype())
    }
}

#[cfg(test)]
mod tests;
