//! U as it is stored.

use half::{bf16, f16};
use ndarray::{Array1, Array2, ArrayView1, ArrayView2, Axis, CowArray, Ix2};

use crate::{Dtype, Result, embedding::check, rows::Numbers};

/// Largest magnitude of a code.
const MAX_CODE: f32 = 127.0;

/// A matrix \[`vocab_size`, rank\], row-major, of finite numbers.
#[derive(Clone, PartialEq)]
pub(crate) enum Storage {
    F32(Array2<f32>),
    F16(Array2<f16>),
    Bf16(Array2<bf16>),
    /// Codes \[`vocab_size`, rank\], each to be multiplied with the scale of its column \[rank\].
    Int8 {
        codes: Array2<i8>,
        scales: Array1<f32>,
    },
}

impl Storage {
    pub(crate) fn dtype(&self) -> Dtype {
        match self {
            Self::F32(_) => Dtype::F32,
            Self::F16(_) => Dtype::F16,
            Self::Bf16(_) => Dtype::Bf16,
            Self::Int8 { .. } => Dtype::Int8,
        }
    }

    /// \[`vocab_size`, rank\]
    pub(crate) fn dim(&self) -> (usize, usize) {
        match self {
            Self::F32(u) => u.dim(),
            Self::F16(u) => u.dim(),
            Self::Bf16(u) => u.dim(),
            Self::Int8 { codes, .. } => codes.dim(),
        }
    }

    /// The numbers as they stand: for integers the codes, without scales.
    pub(crate) fn numbers(&self) -> Numbers<'_> {
        // Every constructor sees to it that they are row-major.
        match self {
            Self::F32(u) => Numbers::F32(u.as_slice().unwrap_or_default()),
            Self::F16(u) => Numbers::F16(u.as_slice().unwrap_or_default()),
            Self::Bf16(u) => Numbers::Bf16(u.as_slice().unwrap_or_default()),
            Self::Int8 { codes, .. } => Numbers::Int8(codes.as_slice().unwrap_or_default()),
        }
    }

    /// What the columns of the [numbers](Self::numbers) are to be multiplied with, \[rank\].
    pub(crate) fn scales(&self) -> Option<ArrayView1<'_, f32>> {
        match self {
            Self::Int8 { scales, .. } => Some(scales.view()),
            _ => None,
        }
    }

    /// U itself.
    pub(crate) fn to_f32(&self) -> CowArray<'_, f32, Ix2> {
        match self {
            Self::F32(u) => u.into(),
            Self::F16(u) => u.mapv(f16::to_f32).into(),
            Self::Bf16(u) => u.mapv(bf16::to_f32).into(),
            Self::Int8 { codes, scales } => (codes.mapv(f32::from) * scales.view().insert_axis(Axis(0))).into(),
        }
    }

    /// The same numbers in another type, rounded to nearest.
    ///
    /// # Errors
    /// [`NonFinite`](crate::Error::NonFinite) when a number is too large for the type.
    pub(crate) fn to_dtype(&self, dtype: Dtype) -> Result<Self> {
        if dtype == self.dtype() {
            return Ok(self.clone());
        }
        let u = self.to_f32();
        Ok(match dtype {
            Dtype::F32 => Self::F32(row_major(u.into_owned())),
            Dtype::F16 => {
                let narrow = u.mapv(f16::from_f32);
                check::finite("u [vocab_size, rank] in f16", &narrow.mapv(f16::to_f32))?;
                Self::F16(row_major(narrow))
            }
            Dtype::Bf16 => {
                let narrow = u.mapv(bf16::from_f32);
                check::finite("u [vocab_size, rank] in bf16", &narrow.mapv(bf16::to_f32))?;
                Self::Bf16(row_major(narrow))
            }
            Dtype::Int8 => {
                let (codes, scales) = quantized(u.view());
                check::finite("u_scales · 127 [rank] in int8", &(&scales * MAX_CODE))?;
                Self::Int8 { codes, scales }
            }
        })
    }
}

/// Symmetric quantization with one scale a column: the largest magnitude of a column becomes ±127.
fn quantized(u: ArrayView2<'_, f32>) -> (Array2<i8>, Array1<f32>) {
    let scales = u.map_axis(Axis(0), |column| column.fold(0.0_f32, |max, number| max.max(number.abs())) / MAX_CODE);
    let mut codes = Array2::zeros(u.dim());
    for ((mut codes, column), &scale) in codes.columns_mut().into_iter().zip(u.columns()).zip(&scales) {
        // A scale so small that it is 0 is that of numbers which are nothing beside any other.
        if scale > 0.0 {
            codes.zip_mut_with(&column, |code, &number| {
                *code = (number / scale).round().clamp(-MAX_CODE, MAX_CODE) as i8;
            });
        }
    }
    (codes, scales)
}

pub(super) fn row_major<T: Clone>(array: Array2<T>) -> Array2<T> {
    if array.is_standard_layout() { array } else { array.as_standard_layout().into_owned() }
}
