//! Between tensors and arrays.

use candle_core::{CpuStorage, DType, Device, Layout, Result, Storage, Tensor, bail};
use ndarray::{Array2, ArrayView2};

use crate::{Error, TokenId, token_ids};

impl From<Error> for candle_core::Error {
    fn from(error: Error) -> Self {
        Self::wrap(error)
    }
}

/// A matrix as an array, in `f32`.
///
/// # Shapes
/// `tensor` \[n, m\] of floating point numbers → \[n, m\]
///
/// # Errors
/// Those of candle for another number of dimensions.
///
/// # Examples
///
/// ```
/// use factorized_embedding::candle::{to_array, to_tensor};
/// use ndarray::array;
///
/// # fn main() -> candle_core::Result<()> {
/// let array = array![[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]];
/// let tensor = to_tensor(array.view())?;
/// assert_eq!(to_array(&tensor.t()?)?, array.t());
/// # Ok(())
/// # }
/// ```
pub fn to_array(tensor: &Tensor) -> Result<Array2<f32>> {
    let shape = tensor.dims2()?;
    let numbers = tensor.to_dtype(DType::F32)?.flatten_all()?.to_vec1()?;
    Array2::from_shape_vec(shape, numbers).map_err(candle_core::Error::wrap)
}

/// An array as a matrix on the CPU.
///
/// # Shapes
/// `array` \[n, m\] → \[n, m\], `f32`
///
/// # Errors
/// Those of candle.
///
/// # Examples
///
/// See [`to_array`].
pub fn to_tensor(array: ArrayView2<'_, f32>) -> Result<Tensor> {
    Tensor::from_iter(array.iter().copied(), &Device::Cpu)?.reshape(array.dim())
}

/// Ids of any shape, in row-major order.
pub(super) fn ids_of(tensor: &Tensor) -> Result<Vec<TokenId>> {
    match tensor.dtype() {
        DType::U32 => tensor.flatten_all()?.to_vec1(),
        dtype if dtype.is_int() => Ok(token_ids(tensor.flatten_all()?.to_dtype(DType::I64)?.to_vec1::<i64>()?)?),
        dtype => bail!("ids are of type {}, expected integers", dtype.as_str()),
    }
}

/// On the CPU, in `f32`, row-major: what the operations of this crate take. Autograd follows.
pub(super) fn prepared(tensor: &Tensor) -> Result<Tensor> {
    tensor.to_device(&Device::Cpu)?.to_dtype(DType::F32)?.contiguous()
}

/// The numbers of a row-major `f32` storage on the CPU as a matrix of so many columns.
pub(super) fn matrix<'a>(storage: &'a CpuStorage, layout: &Layout, columns: usize) -> Result<ArrayView2<'a, f32>> {
    let Some((start, end)) = layout.contiguous_offsets() else {
        bail!("numbers of shape {:?} have strides {:?}, expected row-major ones", layout.dims(), layout.stride());
    };
    let numbers = &storage.as_slice::<f32>()?[start..end];
    let rows = numbers.len().checked_div(columns).unwrap_or(0);
    ArrayView2::from_shape((rows, columns), numbers).map_err(candle_core::Error::wrap)
}

/// What `work` makes of a tensor on the CPU as a matrix of so many columns.
pub(super) fn with_matrix<R>(
    tensor: &Tensor,
    columns: usize,
    work: impl FnOnce(ArrayView2<'_, f32>) -> Result<R>,
) -> Result<R> {
    let tensor = tensor.contiguous()?;
    let (storage, layout) = tensor.storage_and_layout();
    match &*storage {
        Storage::Cpu(storage) => work(matrix(storage, layout, columns)?),
        _ => bail!("a tensor is on {:?}, expected the CPU", tensor.device().location()),
    }
}

/// Hidden states have this last dimension.
pub(super) fn check_last(hidden: &Tensor, expected: usize) -> Result<()> {
    match hidden.dims() {
        [.., last] if *last == expected => Ok(()),
        dims => bail!("hidden states have shape {dims:?}, expected a last dimension of {expected}"),
    }
}

/// The dimensions of something with another last one.
pub(super) fn with_last(dims: &[usize], last: usize) -> Vec<usize> {
    let before = dims.split_last().map_or(&[][..], |(_, before)| before);
    [before, &[last]].concat()
}
